package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/training"
)

// site is the lab of an attempt, which need not be there.
func (e exercise) site(a *training.Attempt) *training.Site {
	return &training.Site{Attempt: a, Exercise: e.Exercise, Scenario: e.scenario, Detectors: all.Detectors(), Tool: "netfault " + version()}
}

// running returns the attempt that is running, and its exercise.
func running() (*training.Attempt, exercise, error) {
	store, err := training.OpenStore()
	if err != nil {
		return nil, exercise{}, err
	}
	a, err := store.Running()
	if err != nil {
		return nil, exercise{}, err
	}
	e, err := exerciseOf(a.Code)
	return a, e, err
}

// runningAsRoot is running for commands that need root.
func runningAsRoot() (*training.Attempt, exercise, error) {
	if err := netns.NeedRoot(); err != nil {
		return nil, exercise{}, err
	}
	return running()
}

func newTrainStart() *cobra.Command {
	var o startOptions
	cmd := &cobra.Command{
		Use:   "start CODE | --random",
		Short: "Make a network, break it, and say what the pager says",
		Long: `Make a lab for an exercise, break it, prove that it is broken, and show what the pager says and what one may log in to. It takes a
few seconds, on a kind cluster a minute; then the clock runs. One exercise runs at a time. All that is random comes from the seed: the same one makes the
same exercise again.`,
		Example: `  sudo netfault train start --random
  sudo netfault train start lisbon --lang=zh
  sudo netfault train start --random --seed=4711 --noise
  sudo netfault train start lisbon --kind=kind      # on a Kubernetes cluster`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 == o.random {
				return errors.New("name one exercise, or --random; `netfault train list` lists them")
			}
			return nil
		},
		ValidArgsFunction: completeExercises,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLanguage(o.language); err != nil {
				return err
			}
			if err := checkTrainKind(o.kind); err != nil {
				return err
			}
			o.drawSeed(cmd)
			e, err := o.pick(args)
			if err != nil {
				return err
			}
			if err := netns.NeedRoot(); err != nil {
				return err
			}
			return o.start(cmd, e)
		},
	}
	cmd.Flags().BoolVar(&o.random, "random", false, "take an exercise at random")
	o.flags(cmd)
	return cmd
}

type startOptions struct {
	kind     labs.Kind
	random   bool
	noise    bool
	seed     uint64
	lab      string
	language training.Language
}

// flags adds those that say how an exercise is started.
func (o *startOptions) flags(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "what all that is random comes from; it is drawn without")
	cmd.Flags().BoolVar(&o.noise, "noise", false, "add what is odd and harmless, and an alarm that means nothing")
	cmd.Flags().StringVar(&o.lab, "site", "", "name of the lab, a neutral one by the seed without")
	trainKindFlag(cmd, &o.kind)
	languageFlag(cmd, &o.language)
}

// trainKinds are the kinds of labs that exercises can happen on.
var trainKinds = []labs.Kind{labs.Netns, labs.KIND}

// trainKindFlag adds the flag that says where exercises happen.
func trainKindFlag(cmd *cobra.Command, kind *labs.Kind) {
	cmd.Flags().StringVar((*string)(kind), "kind", string(labs.Netns), "netns, an embedded lab, or kind, a Kubernetes cluster, which takes a minute and has kubectl")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"netns", "kind"}, cobra.ShellCompDirectiveNoFileComp))
}

// checkTrainKind returns an error unless exercises can happen there.
func checkTrainKind(kind labs.Kind) error {
	if !slices.Contains(trainKinds, kind) {
		return usage(fmt.Errorf("--kind=%s: want netns or kind", kind))
	}
	return nil
}

// drawSeed draws the seed, unless one was given.
func (o *startOptions) drawSeed(cmd *cobra.Command) {
	if !cmd.Flag("seed").Changed {
		o.seed = uint64(rand.Uint32())
	}
}

// pick returns the exercise that was asked for.
func (o startOptions) pick(args []string) (exercise, error) {
	if len(args) == 1 {
		e, err := exerciseOf(args[0])
		if err != nil {
			return exercise{}, err
		}
		return e, e.mustBeOn(o.kind)
	}
	list, err := exercises()
	if err != nil {
		return exercise{}, err
	}
	list = slices.DeleteFunc(list, func(e exercise) bool { return !e.On(o.kind) })
	return list[training.Pick(o.seed, len(list))], nil
}

// mustBeOn returns an error, with what there is, for an exercise that a kind of lab does not have.
func (e exercise) mustBeOn(kind labs.Kind) error {
	if e.On(kind) {
		return nil
	}
	list, err := exercises()
	if err != nil {
		return err
	}
	var codes []string
	for _, other := range list {
		if other.On(kind) {
			codes = append(codes, other.Code)
		}
	}
	return usage(fmt.Errorf("%s is not to be had with --kind=%s; there are: %s", e.Code, kind, strings.Join(codes, ", ")))
}

func (o startOptions) start(cmd *cobra.Command, e exercise) error {
	name := o.lab
	if name == "" {
		name = training.LabName(o.seed)
	}
	if err := lab.CheckName(name); err != nil {
		return usage(err)
	}
	store, err := training.OpenStore()
	if err != nil {
		return err
	}
	a, err := store.Create(training.Attempt{Code: e.Code, Seed: o.seed, Noise: o.noise, Lab: name, Kind: o.kind, Language: o.language})
	if err != nil {
		return err
	}
	interruptionOf(cmd.Context()).about(name)
	if err := e.site(a).Build(cmd.Context(), tellSteps(cmd.ErrOrStderr(), a.Language)); err != nil {
		return errors.Join(training.InLanguage(err, a.Language), a.Forget())
	}
	return tellAlarm(cmd, a, e)
}

// tellSteps tells how far something is, on a line each.
func tellSteps(w io.Writer, language training.Language) func(training.Told) {
	begun := time.Now()
	return func(step training.Told) {
		fmt.Fprintf(w, "%5.1fs  %s\n", time.Since(begun).Seconds(), step[language])
	}
}

// tellAlarm shows what the pager says, and what one may log in to.
func tellAlarm(cmd *cobra.Command, a *training.Attempt, e exercise) error {
	faulty, err := a.Faulty()
	if err != nil {
		return err
	}
	out, text, say := cmd.OutOrStdout(), e.Text(a.Language), phrases[a.Language]
	fmt.Fprintf(out, "\n%s — "+say.about+"\n\n", text.Title, e.Difficulty, e.Minutes, a.Seed)
	fmt.Fprintln(out, faulty.Values.Fill(text.Pager))
	for _, alarm := range faulty.OtherAlarms {
		fmt.Fprintf(out, "\n%s: %s\n", say.alsoAlarm, alarm)
	}
	fmt.Fprintln(out)
	tellMachines(out, faulty.Values, say)
	fmt.Fprintf(out, "\n"+say.next+"\n", faulty.Values["host"])
	return nil
}

// tellMachines lists what one may log in to, by name: the order of the nodes' parts would tell something of the fault.
func tellMachines(out io.Writer, v training.Values, say phrase) {
	t := report.NewTable(out, say.node, say.address, say.pods, say.service, "nodeport")
	var parts []string
	for i := 1; v["n"+strconv.Itoa(i)] != ""; i++ {
		parts = append(parts, "n"+strconv.Itoa(i))
	}
	slices.SortFunc(parts, func(a, b string) int { return strings.Compare(v[a], v[b]) })
	for _, n := range parts {
		t.AppendRow(table.Row{
			v[n], v[n+".address"], fmt.Sprintf("%s %s\n%s %s", v[n+".podname"], v[n+".pod"], v[n+".clientname"], v[n+".client"]),
			v[n+".service"], fmt.Sprintf("%s\n%s", v[n+".nodeport"], v[n+".clientport"]),
		})
	}
	t.AppendRow(table.Row{v["host"], v["host.address"], say.outside, "", ""})
	t.Render()
}

func newTrainStop() *cobra.Command {
	return &cobra.Command{
		Use:     "stop",
		Short:   "End the exercise, and remove its network",
		Example: `  sudo netfault train stop`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, e, err := runningAsRoot()
			if err != nil {
				return err
			}
			if err := removeSite(cmd.Context(), e.site(a)); err != nil {
				return err
			}
			log, err := a.Log()
			if err != nil {
				return err
			}
			if log.Began().IsZero() { // nobody has seen it
				return a.Forget()
			}
			if err := a.Add(training.Entry{Kind: training.Stopped}); err != nil {
				return err
			}
			say := phrases[a.Language]
			if log.Healed() != nil {
				fmt.Fprintf(cmd.OutOrStdout(), say.stoppedHealed+"\n", e.Code, log.Points())
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), say.stopped+"\n", e.Code)
			return nil
		},
	}
}

// removeSite removes the lab of an attempt, unless another process is changing it.
func removeSite(ctx context.Context, s *training.Site) error {
	held, err := s.Found().Lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.Remove(ctx), held.Release())
}

func newTrainReset() *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: "Make the network of the exercise anew, as it was when the alarm went",
		Long: `Remove the network of the exercise, whatever state it is in, and make it anew from the same seed, as broken as it was when the
alarm went. Shells in it end. The clock runs on, and hints that were given stay given.`,
		Example: `  sudo netfault train reset`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, e, err := runningAsRoot()
			if err != nil {
				return err
			}
			interruptionOf(cmd.Context()).about(a.Lab)
			s := e.site(a)
			if err := removeSite(cmd.Context(), s); err != nil {
				return err
			}
			if err := a.Add(training.Entry{Kind: training.Rebuilt}); err != nil {
				return err
			}
			if err := s.Build(cmd.Context(), tellSteps(cmd.ErrOrStderr(), a.Language)); err != nil {
				return training.InLanguage(err, a.Language)
			}
			return tellAlarm(cmd, a, e)
		},
	}
}

func newTrainStatus() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Say which exercise is running, since when, and what the pager said",
		Example: `  sudo netfault train status`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, e, err := running()
			if err != nil {
				return err
			}
			log, err := a.Log()
			if err != nil {
				return err
			}
			out, say := cmd.OutOrStdout(), phrases[a.Language]
			hints, solution := log.Help()
			fmt.Fprintf(out, say.status+"\n", e.Text(a.Language).Title, log.Took().Round(time.Second), hints)
			if solution {
				fmt.Fprintln(out, say.sawSolution)
			}
			if healed := log.Healed(); healed != nil {
				fmt.Fprintf(out, say.wasHealed+"\n", log.Points())
			}
			if log.Began().IsZero() {
				return errors.New(say.neverBegan)
			}
			if err := e.site(a).Stands(); err != nil {
				return training.InLanguage(err, a.Language)
			}
			return tellAlarm(cmd, a, e)
		},
	}
}
