package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/shell"
	"github.com/netfault/netfault/framework/training/watch"
)

func newTrainShell() *cobra.Command {
	return &cobra.Command{
		Use:   "shell MACHINE",
		Short: "Log in to a machine of the exercise: a node, a pod, or the host outside",
		Long: `Open a shell as root on a machine of the exercise, on a terminal of its own, with the tools that a node has: ip, bridge, tcpdump,
iptables, nft, conntrack, sysctl, ethtool, ss, dig, curl. On a kind cluster there is kubectl, too. The session is recorded in the
attempt's folder, what the terminal shows and which programs are started, for the debrief. What is typed is not.`,
		Example: `  sudo netfault train shell host
  sudo netfault train shell MACHINE     one that start and status name`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one machine; `netfault train status` lists them")
			}
			return nil
		},
		ValidArgsFunction: completeSite,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, e, err := runningAsRoot()
			if err != nil {
				return err
			}
			m, err := machineOfSite(cmd.Context(), e.site(a), args[0])
			if err != nil {
				return training.InLanguage(err, a.Language)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), phrases[a.Language].recorded)
			return login(cmd.Context(), a, m, terminalOf(cmd))
		},
	}
}

// machineOfSite is one that a learner may log in to.
func machineOfSite(ctx context.Context, s *training.Site, name string) (machine.Machine, error) {
	l, err := s.Partly(ctx)
	if err != nil {
		return nil, err
	}
	m, err := training.MachineOf(l, name)
	if err != nil {
		return nil, usage(err)
	}
	return m, nil
}

func completeSite(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	a, e, err := running()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	l, err := e.site(a).Found().OpenPartly(completionContext(cmd))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, m := range training.Machines(l) {
		names = append(names, m.Name())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// outerTerminal is where a learner sits.
type outerTerminal struct {
	in   io.Reader
	out  io.Writer
	term string
	// fd is the terminal's; -1 where that is none.
	fd int
	// size is how large one is that has no fd, and resized tells of changes; nil where nobody knows.
	size    func() (columns, rows int, err error)
	resized <-chan os.Signal
}

func terminalOf(cmd *cobra.Command) outerTerminal {
	t := outerTerminal{in: cmd.InOrStdin(), out: cmd.OutOrStdout(), term: os.Getenv("TERM"), fd: -1}
	if t.term == "" {
		t.term = "xterm-256color"
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		t.fd = int(os.Stdin.Fd())
	}
	return t
}

// login runs a shell on a machine, records it, and keeps which programs were started in it.
func login(ctx context.Context, a *training.Attempt, m machine.Machine, t outerTerminal) (err error) {
	entered, ok := m.(machine.Enterer)
	if !ok {
		return fmt.Errorf("%s cannot be logged in to", m.Name())
	}
	namespace, err := networkOf(ctx, m)
	if err != nil {
		return err
	}
	cast, err := a.NewSession(m.Name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cast.Close()) }()
	var seen *watch.Watch
	var notKept error // the watch's alone until it is stopped
	o := shell.Options{Machine: m.Name(), In: t.in, Out: t.out, Recording: cast, Term: t.term, Size: t.size, Resized: t.resized}
	o.Opened = func(number uint32) {
		var watchErr error
		seen, watchErr = watch.Start(number, namespace, func(argv []string) {
			if slices.Equal(argv, shell.Argv) {
				return // nobody has typed that
			}
			notKept = errors.Join(notKept, a.Add(training.Entry{Kind: training.Ran, Machine: m.Name(), Argv: argv}))
		})
		if watchErr != nil {
			fmt.Fprintf(t.out, phrases[a.Language].noTimeLine+"\n", watchErr)
		}
	}
	if t.fd >= 0 {
		state, rawErr := term.MakeRaw(t.fd)
		if rawErr != nil {
			return rawErr
		}
		defer func() { err = errors.Join(err, term.Restore(t.fd, state)) }()
		resized := make(chan os.Signal, 1)
		signal.Notify(resized, syscall.SIGWINCH)
		defer signal.Stop(resized)
		o.Resized = resized
		o.Size = func() (int, int, error) { return term.GetSize(t.fd) }
	}
	err = shell.Run(ctx, entered.Enter, o)
	if seen != nil {
		notKept = errors.Join(seen.Stop(), notKept)
	}
	if exit, ended := errors.AsType[*machine.ExitError](err); ended && notKept == nil {
		return exitCode(exit.Code)
	}
	return errors.Join(err, notKept)
}

// networkOf is the inode of the network namespace that a machine is in.
func networkOf(ctx context.Context, m machine.Machine) (uint32, error) {
	text, err := machine.Output(ctx, m, "readlink", "/proc/self/ns/net")
	if err != nil {
		return 0, err
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(text)), "net:["), "]"), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("the network namespace of %s: %w", m.Name(), err)
	}
	return uint32(inode), nil
}
