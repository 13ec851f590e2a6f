package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page"
)

func newTrainServe() *cobra.Command {
	var o startOptions
	var at page.Place
	var learners int
	cmd := &cobra.Command{
		Use:   "serve [CODE | --random]",
		Short: "Show the exercise in a browser on this machine",
		Long: `Show the exercise that is running, or one that is started first, as a page: the pager's text, the network as a live picture,
terminals into its machines, hints, check and debrief. It listens on loopback alone, and prints an address with a token, by which
a browser on this machine opens it. Ctrl-C ends the page and its terminals; the exercise goes on until 'netfault train stop'.

With --learners, each has an address and an exercise of their own, which end with the page, and who instructs has one, too. Whoever has
a terminal is root in a lab, and must be trusted as root on this machine.

With --published, the page is in a container: it listens on the container's addresses, is called by loopback's names outside, and its
exercise ends with the container.`,
		Example: `  sudo netfault train serve --random
  sudo netfault train serve lisbon --port=8080 --lang=zh
  sudo netfault train serve --random --learners=4
  netfault train serve --random --port=8080 --published=8080   # in a container, run with -p 127.0.0.1:8080:8080`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 || len(args) == 1 && o.random:
				return errors.New("name one exercise, or --random, or none for the one that is running; `netfault train list` lists them")
			case learners > 1 && len(args) == 0 && !o.random:
				return errors.New("--learners starts an exercise for each: name one, or --random")
			case learners < 1 || learners > page.MaxLearners:
				return fmt.Errorf("--learners=%d: want 1 to %d", learners, page.MaxLearners)
			case at.Published != 0 && at.Port == 0:
				return errors.New("--published wants --port, too: the port in the container that is published")
			case at.Published < 0 || at.Published > math.MaxUint16:
				return fmt.Errorf("--published=%d is no port", at.Published)
			}
			return nil
		},
		ValidArgsFunction: completeExercises,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := checkLanguage(o.language); err != nil {
				return err
			}
			if err := checkTrainKind(o.kind); err != nil {
				return err
			}
			if o.kind == labs.KIND && (learners > 1 || at.Published != 0) {
				return usage(errors.New("--kind=kind is for one learner on the machine itself: a cluster for each, or one in a container, is too much"))
			}
			if err := netns.NeedRoot(); err != nil {
				return err
			}
			if at.Published != 0 {
				if err := mustBeInContainer("/proc"); err != nil {
					return err
				}
			}
			o.drawSeed(cmd)
			starts := len(args) == 1 || o.random
			if learners > 1 || starts && at.Published != 0 {
				return o.serveOwned(cmd, args, at, learners)
			}
			if starts {
				e, err := o.pick(args)
				if err != nil {
					return err
				}
				if err := o.start(cmd, e); err != nil {
					return err
				}
			}
			a, e, err := running()
			if err != nil {
				return err
			}
			if err := serve(cmd, at, phrases[a.Language], page.Seat{Name: "1", Learner: &desk{a: a, e: e}}); err != nil {
				return err
			}
			return errors.New(phrases[a.Language].closed)
		},
	}
	cmd.Flags().BoolVar(&o.random, "random", false, "start an exercise at random")
	o.flags(cmd)
	cmd.Flags().IntVar(&at.Port, "port", 0, "port on loopback; any that is free without")
	cmd.Flags().IntVar(&at.Published, "published", 0, "in a container: the port of 127.0.0.1 outside, as which its engine publishes --port")
	cmd.Flags().IntVar(&learners, "learners", 1, fmt.Sprintf("how many learners, up to %d", page.MaxLearners))
	return cmd
}

// mustBeInContainer returns an error on a machine itself, where whoever reaches one of its addresses would reach the page. A container
// has processes of its own. Proc is /proc.
func mustBeInContainer(proc string) error {
	processes, err := os.Readlink(filepath.Join(proc, "self/ns/pid"))
	if err != nil {
		return err
	}
	if processes == machinesProcesses {
		return errors.New("--published is for a container of its own, whose engine decides who reaches the page; here, others could: leave it out")
	}
	return nil
}

// machinesProcesses is the PID namespace of a machine itself, always (Linux, include/linux/proc_ns.h, PROC_PID_INIT_INO).
const machinesProcesses = "pid:[4026531836]"

// serveOwned starts an exercise for each learner, which ends with the page: those of a class, or that of a container, which takes all with
// it. Each has another seed.
func (o startOptions) serveOwned(cmd *cobra.Command, args []string, at page.Place, learners int) (err error) {
	store, err := training.OpenStore()
	if err != nil {
		return err
	}
	release, err := store.Serving(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := netns.Memory(os.DirFS("/"), learners, training.SiteNodes); err != nil {
		return err
	}
	var seats []page.Seat
	for i := range learners {
		o, own := o, store
		o.seed += uint64(i)
		e, err := o.pick(args)
		if err != nil {
			return err
		}
		name := o.lab
		if name == "" {
			name = training.LabName(o.seed)
		}
		if learners > 1 {
			own = store.Of(i + 1)
			if o.lab != "" {
				name = fmt.Sprintf("%s-%d", o.lab, i+1)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), phrases[o.language].learner+"\n", fmt.Sprint(i+1))
		}
		a, err := own.Begin(training.Attempt{Code: e.Code, Seed: o.seed, Noise: o.noise, Lab: name, Language: o.language})
		if err != nil {
			return err
		}
		s := e.site(a)
		if err := removeAbandoned(cmd.Context(), s); err != nil {
			return err
		}
		if err := s.Build(cmd.Context(), tellSteps(cmd.ErrOrStderr(), o.language)); err != nil {
			return errors.Join(training.InLanguage(err, o.language), a.Forget()) // nobody has seen it
		}
		defer func() {
			err = errors.Join(err, s.Remove(context.WithoutCancel(cmd.Context())), a.Add(training.Entry{Kind: training.Stopped}))
		}()
		seats = append(seats, page.Seat{Name: fmt.Sprint(i + 1), Learner: &desk{a: a, e: e}})
	}
	if err := serve(cmd, at, phrases[o.language], seats...); err != nil {
		return err
	}
	return errors.New(phrases[o.language].closedAll)
}

// removeAbandoned removes what a server that was killed has left of the lab, as when a container is started again.
func removeAbandoned(ctx context.Context, s *training.Site) error {
	use, err := s.Found().Use()
	if errors.Is(err, fs.ErrNotExist) || err == nil && use != owner.Abandoned {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Remove(ctx)
}

// serve shows the page until the command is ended.
func serve(cmd *cobra.Command, at page.Place, say phrase, seats ...page.Seat) error {
	s, err := page.Listen(at, seats...)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintln(out)
	for i, seat := range seats {
		if len(seats) > 1 {
			fmt.Fprintf(out, say.learner+" ", seat.Name)
		}
		fmt.Fprintln(out, s.Address(i))
	}
	if len(seats) > 1 {
		fmt.Fprintln(out, say.instructor, s.InstructorAddress())
	}
	fmt.Fprintln(cmd.ErrOrStderr(), say.open)
	return s.Serve(cmd.Context())
}
