package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/kind"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/undo"
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
of flannel, ` + tools.DefaultFlannel + ` by default; for an embedded lab build it first: make tools FLANNEL_VERSION=...`,
		Example: `  sudo netfault lab up
  sudo netfault lab up --nodes=5 --lab=big
  sudo netfault lab up --pods=docker0
  sudo netfault lab up --kind=kind --lab=real
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
			l, err := labs.Up(cmd.Context(), o)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%6.2fs  %s is up: every probe passes\n\n", time.Since(begun).Seconds(), l.Name())
			writeStatus(out, []status{statusOf(cmd.Context(), l, o.Name)})
			fmt.Fprintf(out, "\nLook around with `netfault lab shell %s`; break it with `netfault fault inject NAME`.\n", l.Nodes()[0].Name())
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
	return cmd
}

func newLabDown() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Remove a lab, whatever state it is in",
		Example: `  sudo netfault lab down`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := labs.Find(cmd.Context(), name)
			if err != nil {
				return err
			}
			if found.Kind == labs.Netns {
				if err := needRoot(); err != nil {
					return err
				}
			}
			begun := time.Now()
			if err := found.Remove(cmd.Context()); err != nil {
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
		Use:   "shell MACHINE [-- COMMAND ARG...]",
		Short: "Enter a node, a pod or the host outside, or run one command there",
		Long: `Enter a machine of the lab: a node (n1), its pod (pod-n1), or the host outside the cluster (host). The machine has its
own network, processes, /run, /proc and /sys, and shares all other files with this machine. The exit code is the
command's.`,
		Example: `  sudo netfault lab shell n1
  sudo netfault lab shell n2 -- ip neigh show dev flannel.1
  sudo netfault lab shell pod-n1 -- ip route`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a machine to enter, such as n1; `netfault lab status` lists them")
			}
			return nil
		},
		ValidArgsFunction: completeMachines,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := look(cmd, name)
			if err != nil {
				return err
			}
			l, err := found.Open(cmd.Context())
			if err != nil {
				return err
			}
			m, err := findMachine(l, args[0])
			if err != nil {
				return err
			}
			argv := args[1:]
			if len(argv) == 0 {
				argv = []string{"bash", "--norc", "-i"}
				// bash takes its prompt from the environment; without it, nobody could tell where they are.
				if err := os.Setenv("PS1", m.Name()+"# "); err != nil {
					return err
				}
			}
			// Ctrl-C is for the command inside, which gets it from the terminal itself.
			err = m.Run(context.WithoutCancel(cmd.Context()), machine.Command{Argv: argv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
			var exit *machine.ExitError
			if errors.As(err, &exit) {
				return exitCode(exit.Code)
			}
			return err
		},
	}
	labFlag(cmd, &name)
	return cmd
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
			if err := needRoot(); err != nil {
				return err
			}
			found, err := labs.List(cmd.Context())
			if err != nil {
				return err
			}
			all := []status{}
			for _, f := range found {
				l, err := f.Open(cmd.Context())
				if err != nil {
					all = append(all, status{Lab: f.Name, Kind: string(f.Kind), State: "broken", Error: err.Error()})
					continue
				}
				all = append(all, statusOf(cmd.Context(), l, f.Name))
			}
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no lab; `netfault lab up` makes one")
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
	Lab     string         `json:"lab"`
	Kind    string         `json:"kind,omitempty"`
	State   string         `json:"state"` // "up" or "broken"
	Error   string         `json:"error,omitempty"`
	Flannel string         `json:"flannel,omitempty"`
	Pods    lab.Attachment `json:"pods,omitempty"`   // how they hang on their nodes
	Docker  string         `json:"docker,omitempty"` // what plays the part of dockerd
	Fault   string         `json:"fault,omitempty"`  // the scenario in force
	Nodes   []nodeStatus   `json:"nodes,omitempty"`
	Outside string         `json:"outside,omitempty"`
}

type nodeStatus struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Pod      string `json:"pod"`
	Service  string `json:"service"`
	NodePort int    `json:"nodePort"`
	Flanneld bool   `json:"flanneld"`
}

func statusOf(ctx context.Context, l lab.Lab, name string) status {
	kind, _, _ := strings.Cut(l.Name(), ":")
	s := status{Lab: name, Kind: kind, State: "up", Flannel: l.Flannel().Version(), Pods: l.Pods(), Docker: l.Docker(), Outside: l.Outside().Address.String()}
	running, err := l.Flannel().Running(ctx)
	if err != nil {
		s.State, s.Error = "broken", err.Error()
	}
	for _, n := range l.Nodes() {
		s.Nodes = append(s.Nodes, nodeStatus{
			Name: n.Name(), Address: n.Address.String(), Pod: n.Pod.Address.String(), Service: n.Pod.Service.ClusterIP.String(),
			NodePort: n.Pod.Service.NodePort, Flanneld: slices.Contains(running, n.Name()),
		})
	}
	j, err := undo.Read(l)
	switch {
	case err == nil:
		s.Fault = j.Scenario
	case !errors.Is(err, fs.ErrNotExist):
		s.State, s.Error = "broken", err.Error()
	}
	return s
}

func writeStatus(w io.Writer, all []status) {
	for _, s := range all {
		if s.Error != "" {
			fmt.Fprintf(w, "lab %s: %s\n", s.Lab, s.Error)
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
		fmt.Fprintf(w, "lab %s (%s), flannel %s, %s, %s, host outside %s\n", s.Lab, s.Kind, s.Flannel, pods, force, s.Outside)
		t := report.NewTable(w, "node", "address", "pod", "service", "nodeport", "flanneld")
		for _, n := range s.Nodes {
			running := "runs"
			if !n.Flanneld {
				running = "does not run"
			}
			t.AppendRow(table.Row{n.Name, n.Address, n.Pod, n.Service, n.NodePort, running})
		}
		t.Render()
	}
}
