package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page"
)

func newTrainServe() *cobra.Command {
	var o startOptions
	var port, learners int
	cmd := &cobra.Command{
		Use:   "serve [CODE | --random]",
		Short: "Show the exercise in a browser on this machine",
		Long: `Show the exercise that is running, or one that is started first, as a page: the pager's text, the network as a live picture,
terminals into its machines, hints, check and debrief. It listens on loopback alone, and prints an address with a token, by which
a browser on this machine opens it. Ctrl-C ends the page and its terminals; the exercise goes on until 'netfault train stop'.

With --learners, each has an address and an exercise of their own, which end with the page, and who instructs has one, too. Whoever has
a terminal is root in a lab, and must be trusted as root on this machine.`,
		Example: `  sudo netfault train serve --random
  sudo netfault train serve lisbon --port=8080 --lang=zh
  sudo netfault train serve --random --learners=4`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 || len(args) == 1 && o.random:
				return errors.New("name one exercise, or --random, or none for the one that is running; `netfault train list` lists them")
			case learners > 1 && len(args) == 0 && !o.random:
				return errors.New("--learners starts an exercise for each: name one, or --random")
			case learners < 1 || learners > page.MaxLearners:
				return fmt.Errorf("--learners=%d: want 1 to %d", learners, page.MaxLearners)
			}
			return nil
		},
		ValidArgsFunction: completeExercises,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := checkLanguage(o.language); err != nil {
				return err
			}
			if err := netns.NeedRoot(); err != nil {
				return err
			}
			o.drawSeed(cmd)
			if learners > 1 {
				return o.serveClass(cmd, args, port, learners)
			}
			if len(args) == 1 || o.random {
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
			return serve(cmd, port, phrases[a.Language], page.Seat{Name: "1", Learner: &desk{a: a, e: e}})
		},
	}
	cmd.Flags().BoolVar(&o.random, "random", false, "start an exercise at random")
	o.flags(cmd)
	cmd.Flags().IntVar(&port, "port", 0, "port on loopback; any that is free without")
	cmd.Flags().IntVar(&learners, "learners", 1, fmt.Sprintf("how many learners, up to %d", page.MaxLearners))
	return cmd
}

// serveClass starts an exercise for each of several learners, which end with the page. Each has another seed.
func (o startOptions) serveClass(cmd *cobra.Command, args []string, port, learners int) (err error) {
	store, err := training.OpenStore()
	if err != nil {
		return err
	}
	var seats []page.Seat
	for i := range learners {
		o := o
		o.seed += uint64(i)
		e, err := o.pick(args)
		if err != nil {
			return err
		}
		name := training.LabName(o.seed)
		if o.lab != "" {
			name = fmt.Sprintf("%s-%d", o.lab, i+1)
		}
		a, err := store.Of(i + 1).Begin(training.Attempt{Code: e.Code, Seed: o.seed, Noise: o.noise, Lab: name, Language: o.language})
		if err != nil {
			return err
		}
		s := e.site(a)
		s.Owned = true
		defer func() {
			err = errors.Join(err, s.Remove(context.WithoutCancel(cmd.Context())), a.Add(training.Entry{Kind: training.Stopped}))
		}()
		fmt.Fprintf(cmd.ErrOrStderr(), phrases[o.language].learner+"\n", fmt.Sprint(i+1))
		if err := s.Build(cmd.Context(), tellSteps(cmd.ErrOrStderr(), o.language)); err != nil {
			return err
		}
		seats = append(seats, page.Seat{Name: fmt.Sprint(i + 1), Learner: &desk{a: a, e: e}})
	}
	return serve(cmd, port, phrases[o.language], seats...)
}

// serve shows the page until the command is ended, which its error says.
func serve(cmd *cobra.Command, port int, say phrase, seats ...page.Seat) error {
	s, err := page.Listen(port, seats...)
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
	if err := s.Serve(cmd.Context()); err != nil {
		return err
	}
	if len(seats) > 1 {
		return errors.New(say.closedAll)
	}
	return errors.New(say.closed)
}
