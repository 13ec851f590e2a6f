package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/flanneld"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/kind"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/framework/wait"
)

func newLab() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Make, enter and remove a lab",
		Example: `  sudo netfault lab up
  sudo netfault lab shell n1 -- ip neigh
  sudo netfault lab down`,
		Args: noArgs,
		RunE: helpOf,
	}
	cmd.AddCommand(newLabUp(), newLabStatus(), newLabShell(), newLabDown(), newLabChoose())
	return cmd
}

// kindFlag adds the flag that says what kind of lab to make.
func kindFlag(cmd *cobra.Command, kind *labs.Kind, value labs.Kind) {
	cmd.Flags().StringVar((*string)(kind), "kind", string(value),
		"kind of lab: netns (embedded), kind (a Kubernetes cluster), or auto (kind where a container engine answers and a node image can be had)")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"netns", "kind", "auto"}, cobra.ShellCompDirectiveNoFileComp))
}

func newLabChoose() *cobra.Command {
	var kind labs.Kind
	cmd := &cobra.Command{
		Use:   "choose",
		Short: "Say which kind of lab this machine can have, and why",
		Long: `Print the kind of lab that --kind stands for on this machine, kind or netns, and on standard error why. It may pull a node
image. 'make e2e' asks it first.`,
		Example: `  sudo netfault lab choose`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkKind(kind); err != nil {
				return err
			}
			progress := func(step string) { fmt.Fprintln(cmd.ErrOrStderr(), step) }
			chosen, why, err := labs.Choose(cmd.Context(), kind, progress)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "lab of the kind %s: %s\n", chosen, why)
			fmt.Fprintln(cmd.OutOrStdout(), chosen)
			return nil
		},
	}
	kindFlag(cmd, &kind, labs.Auto)
	return cmd
}

func newLabUp() *cobra.Command {
	var o labs.Options
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make a lab: nodes with flannel, pods, Services, DNS, and a host outside",
		Long: `Make a lab, which stands until 'netfault lab down'. Of the kind netns it is an embedded one of network namespaces, up in
half a second: a real etcd, a real flanneld on every node, two pods with Services on each, a real CoreDNS, and a host outside
the cluster. Of the kind kind it is a real Kubernetes cluster with flannel's own DaemonSet, for which a container engine is
needed; NODE_IMAGE names another node image than the one that was built here or kind's own. FLANNEL_VERSION picks the version
of flannel, ` + tools.DefaultFlannel + ` by default; for an embedded lab build it first: make tools FLANNEL_VERSION=...
For ` + flanneld.Version + `, that of the incidents' time, an embedded lab has a stand-in.`,
		Example: `  sudo netfault lab up
  sudo netfault lab up --nodes=5 --lab=big
  sudo netfault lab up --pods=docker0
  sudo FLANNEL_VERSION=v0.7.1 netfault lab up --lab=stale-arp --pods=docker0
  sudo netfault lab up --kind=kind --lab=real
  sudo netfault lab up --kind=kind --lab=nft --kube-proxy=nftables
  sudo FLANNEL_VERSION=v0.25.7 netfault lab up`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkUp(o); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			begun := time.Now()
			o.Flannel = tools.FlannelVersion()
			o.Progress = func(step string) { fmt.Fprintf(out, "%6.2fs  %s\n", time.Since(begun).Seconds(), step) }
			chosen, why, err := labs.Choose(cmd.Context(), o.Kind, o.Progress)
			if err != nil {
				return err
			}
			if o.Kind == labs.Auto {
				fmt.Fprintf(out, "a lab of the kind %s: %s\n", chosen, why)
			}
			o.Kind = chosen
			if err := checkUp(o); err != nil { // what "auto" stands for is known only now
				return err
			}
			l, err := labs.Up(cmd.Context(), o)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%6.2fs  %s is up: every probe passes\n\n", time.Since(begun).Seconds(), l.Name())
			writeStatus(out, []status{statusOf(cmd.Context(), l, o.Name)})
			fmt.Fprintf(out, "\nLook around with `%s`; break it with `%s`.\n",
				lab.Command(o.Name, "lab shell", l.Nodes()[0].Name()), lab.Command(o.Name, "fault inject", "NAME"))
			return nil
		},
	}
	labFlag(cmd, &o.Name)
	cmd.Flags().IntVar(&o.Nodes, "nodes", 3, fmt.Sprintf("how many nodes, 2 to %d (of a kind cluster, the control plane included, to %d)", netns.MaxNodes, kind.MaxNodes))
	kindFlag(cmd, &o.Kind, labs.Netns)
	cmd.Flags().StringVar((*string)(&o.Pods), "pods", string(lab.CNIBridge),
		"how pods hang on their nodes: cni0 (a bridge, CNI's way), docker0 (dockerd's bridge), routed (a route each, Calico's way)")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("pods", cobra.FixedCompletions([]string{"cni0", "docker0", "routed"}, cobra.ShellCompDirectiveNoFileComp))
	rulesFlag(cmd, &o.KubeProxy, "kube-proxy", "kube-proxy")
	rulesFlag(cmd, &o.FlannelRules, "flannel-rules", "flanneld")
	return cmd
}

// rulesFlag adds a flag that says which rules a program of a kind cluster writes.
func rulesFlag(cmd *cobra.Command, rules *lab.Rules, flag, program string) {
	cmd.Flags().StringVar((*string)(rules), flag, string(lab.IPTables), "rules that "+program+" writes: iptables, or on a kind cluster nftables")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions([]string{"iptables", "nftables"}, cobra.ShellCompDirectiveNoFileComp))
}

func newLabDown() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Remove a lab, whatever state it is in, unless another process is changing it",
		Example: `  sudo netfault lab down`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := find(cmd.Context(), name)
			if err != nil {
				return err
			}
			begun := time.Now()
			held, err := found.Lock(cmd.Context())
			if err != nil {
				return err
			}
			if err := errors.Join(found.Remove(cmd.Context()), held.Release()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "lab %s is gone (%v)\n", name, time.Since(begun).Round(time.Millisecond))
			return nil
		},
	}
	labFlag(cmd, &name)
	return cmd
}

func newLabShell() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "shell [--lab=NAME] MACHINE [--] [COMMAND ARG...]",
		Short: "Enter a node, a pod or the host outside, or run one command there",
		Long: `Enter a machine of the lab: a node (n1), its pod (pod-n1), or the host outside the cluster (host). The machine has its
own network, processes, /run, /proc and /sys, and shares all other files with this machine. What comes after the machine's
name is the command, flags and all; --lab comes before it. SIGTERM and SIGHUP are passed on to the command. The exit code is the
command's; 128 and the signal's number if a signal ended it.`,
		Example: `  sudo netfault lab shell n1
  sudo netfault lab shell n2 -- ip neigh show dev flannel.1
  sudo netfault lab shell pod-n1 -- ip route`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a machine to enter, such as n1; `netfault lab status` lists them")
			}
			if len(args) > 1 && strings.HasPrefix(args[1], "-") && args[1] != "--" {
				return fmt.Errorf("%q after the machine begins no command: flags of netfault come before it, and a command after it or after --, "+
					"as in: netfault lab shell --lab=NAME %s -- ip neigh", args[1], args[0])
			}
			return nil
		},
		ValidArgsFunction: completeMachines,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := look(cmd, name)
			if err != nil {
				return err
			}
			l, err := openForShell(cmd, found)
			if err != nil {
				return err
			}
			m, err := findMachine(l, args[0])
			if err != nil {
				return err
			}
			argv := args[1:]
			if len(argv) > 0 && argv[0] == "--" {
				argv = argv[1:]
			}
			if len(argv) == 0 {
				argv = []string{"bash", "--norc", "-i"}
				// bash takes its prompt from the environment; without it, nobody could tell where they are.
				if err := os.Setenv("PS1", m.Name()+"# "); err != nil {
					return err
				}
			}
			command := machine.Command{
				Argv: argv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: interruptionOf(cmd.Context()).pass(),
			}
			err = m.Run(cmd.Context(), command)
			var exit *machine.ExitError
			if errors.As(err, &exit) {
				return exitCode(exit.Code)
			}
			return err
		},
	}
	labFlag(cmd, &name)
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// openForShell returns the lab. What still runs of one that is broken can be entered, for a look at what has happened.
func openForShell(cmd *cobra.Command, found labs.Found) (lab.Lab, error) {
	l, err := found.Open(cmd.Context())
	if _, broken := errors.AsType[*lab.BrokenError](err); !broken {
		return l, err
	}
	l, errPartly := found.OpenPartly(cmd.Context())
	if errPartly != nil {
		return nil, err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "netfault:", err)
	return l, nil
}

func newLabStatus() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the labs on this machine, their nodes, and the fault in force",
		Example: `  sudo netfault lab status
  sudo netfault lab status -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if err := netns.NeedRoot(); err != nil {
				return err
			}
			found, missing, err := labs.Look(cmd.Context())
			if err != nil {
				return err
			}
			if missing != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "netfault:", missing)
			}
			all := statusOfAll(cmd.Context(), found)
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			if len(all) == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "no lab; `%s` makes one\n", lab.Command("", "lab up"))
				return nil
			}
			writeStatus(cmd.OutOrStdout(), all)
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// status is what `lab status -o json` prints of a lab.
type status struct {
	Lab     string   `json:"lab"`
	Kind    string   `json:"kind,omitempty"`
	State   string   `json:"state"` // stateUp, or another
	Broken  []string `json:"broken,omitempty"`
	Error   string   `json:"error,omitempty"`
	Flannel string   `json:"flannel,omitempty"`
	// Flanneld says what plays flanneld's part, which may be a stand-in.
	Flanneld string         `json:"flanneld,omitempty"`
	Pods     lab.Attachment `json:"pods,omitempty"`   // how they hang on their nodes
	Docker   string         `json:"docker,omitempty"` // what plays the part of dockerd
	// KubeProxy are the rules that kube-proxy writes.
	KubeProxy lab.Rules    `json:"kubeProxy,omitempty"`
	Fault     string       `json:"fault,omitempty"` // the scenario in force
	Nodes     []nodeStatus `json:"nodes,omitempty"`
	Outside   string       `json:"outside,omitempty"`
}

// What State says of a lab.
const (
	stateUp     = "up"
	stateBroken = "broken"
	// stateUnknown is a lab that cannot be looked at.
	stateUnknown = "unknown"
	stateMaking  = "being made"
	// stateAbandoned is a lab of a process that is gone.
	stateAbandoned = "abandoned"
)

type nodeStatus struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Pod      string `json:"pod"`
	Service  string `json:"service"`
	NodePort int    `json:"nodePort"`
	Flanneld bool   `json:"flanneld"` // it runs
	Starting bool   `json:"flanneldStarting,omitempty"`
}

func (n nodeStatus) flanneld() string {
	switch {
	case n.Starting:
		return "is not ready"
	case n.Flanneld:
		return "runs"
	}
	return "does not run"
}

// lookLimit is how long one lab may be looked at: one that is broken can keep its callers waiting for minutes.
const lookLimit = 10 * time.Second

// statusOfAll looks at all labs side by side.
func statusOfAll(ctx context.Context, found []labs.Found) []status {
	all := make([]status, len(found))
	var looking sync.WaitGroup
	for i, f := range found {
		looking.Go(func() {
			ctx, cancel := wait.Patience(ctx, lookLimit)
			defer cancel()
			l, err := f.Open(ctx)
			if err != nil {
				all[i] = notUp(f, err)
				return
			}
			all[i] = statusOf(ctx, l, f.Name)
			if use, err := f.Use(); err == nil && use == owner.Abandoned {
				all[i].State, all[i].Error = stateAbandoned, fmt.Sprintf("the process that it belongs to is gone: `%s` removes it", lab.Command(f.Name, "reset"))
			}
		})
	}
	looking.Wait()
	return all
}

// notUp is the status of a lab that cannot be opened.
func notUp(f labs.Found, err error) status {
	s := status{Lab: f.Name, Kind: string(f.Kind), State: stateUnknown, Error: err.Error()}
	if broken, ok := errors.AsType[*lab.BrokenError](err); ok {
		s.State, s.Broken = stateBroken, broken.What
	}
	if errors.Is(err, lab.ErrBeingMade) {
		s.State = stateMaking
	}
	if use, err := f.Use(); err == nil && use == owner.Abandoned && s.State == stateUnknown {
		s.State, s.Error = stateAbandoned, fmt.Sprintf("only a part of it is left (%s): `%s` removes it", s.Error, lab.Command(f.Name, "reset"))
	}
	return s
}

func statusOf(ctx context.Context, l lab.Lab, name string) status {
	kind, _, _ := strings.Cut(l.Name(), ":")
	s := status{Lab: name, Kind: kind, State: stateUp, Flannel: l.Flannel().Version(), Flanneld: l.Flannel().String(), Pods: l.Pods(), Docker: l.Docker(), KubeProxy: l.KubeProxy(), Outside: l.Outside().Address.String()}
	running, errRunning := l.Flannel().Running(ctx)
	starting, errStarting := l.Flannel().Starting(ctx)
	broken, errBroken := l.Broken(ctx)
	for _, n := range l.Nodes() {
		s.Nodes = append(s.Nodes, nodeStatus{
			Name: n.Name(), Address: n.Address.String(), Pod: n.Pod.Address.String(), Service: n.Pod.Service.ClusterIP.String(),
			NodePort: n.Pod.Service.NodePort, Flanneld: slices.Contains(running, n.Name()), Starting: slices.Contains(starting, n.Name()),
		})
	}
	slices.SortFunc(s.Nodes, func(a, b nodeStatus) int { return cmp.Compare(a.Name, b.Name) })
	j, errJournal := undo.Read(l)
	if errors.Is(errJournal, fs.ErrNotExist) {
		errJournal = nil
	}
	s.Fault = j.Scenario
	if err := errors.Join(errRunning, errStarting, errBroken, errJournal); err != nil {
		s.State, s.Error = stateUnknown, err.Error()
	}
	if len(broken) > 0 {
		s.State, s.Broken = stateBroken, broken
	}
	return s
}

func writeStatus(w io.Writer, all []status) {
	for _, s := range all {
		if s.Error != "" {
			fmt.Fprintln(w, ofLab(s.Lab, s.Error))
		}
		if s.Nodes == nil {
			continue
		}
		force := "no fault in force"
		if s.Fault != "" {
			force = s.Fault + " in force"
		}
		pods := "pods on " + string(s.Pods)
		if s.Pods == lab.DockerBridge {
			pods += " (" + s.Docker + ")"
		}
		fmt.Fprintf(w, "lab %s (%s), %s, kube-proxy's %s rules, %s, %s, host outside %s\n",
			s.Lab, s.Kind, s.Flanneld, s.KubeProxy, pods, force, s.Outside)
		if len(s.Broken) > 0 {
			fmt.Fprintf(w, "it is broken: %s\n", strings.Join(s.Broken, "; "))
		}
		t := report.NewTable(w, "node", "address", "pod", "service", "nodeport", "flanneld")
		for _, n := range s.Nodes {
			t.AppendRow(table.Row{n.Name, n.Address, n.Pod, n.Service, n.NodePort, n.flanneld()})
		}
		t.Render()
	}
}
