// Command netfault-agent runs inside the machines and pods of a lab; netfault starts it, people don't.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/dockerd"
	"github.com/netfault/netfault/framework/flanneld"
	"github.com/netfault/netfault/framework/session"
)

// usage names nothing: in a sealed lab, people may call the program that they find running.
const usage = `runs inside machines and pods, and is started there:
  init --lab=L --machine=M --logs=DIR   the first process of a machine
  serve --name=NAME                     the probe servers of a pod
  dockerd --bip=...                     docker0 and dockerd's rules, where there is no dockerd
  flanneld --etcd-endpoints=...         in the place of flanneld v0.7.1
  probe                                 a plan from standard input, results to standard output
  collect                               this machine's part of a bundle, as tar, to standard output
  capture --interface=NAME              openings and ends of TCP connections as pcap, until standard input ends
  call --address=ADDR --count=N         connections to a server that closes them first; what became of them
  skew --first=TSVAL                    another TCP timestamp clock for this network namespace's eth0
  session                               commands from standard input, one after the other and at once
  later                                 what counts of a bundle's part a second time, as tar, to standard output
  record                                this machine's network state and options to standard output
  restore                               back to the state on standard input; what is left, to standard output
`

// The main thread stays with the main function: /proc/PID/ns shows the main thread's namespaces, by which a machine is
// entered from outside, and any other goroutine that ran on it could take it into a pod's.
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	switch filepath.Base(os.Args[0]) {
	case "systemctl":
		return agent.Systemctl(ctx, os.Stdout, os.Args[1:])
	case "journalctl":
		return agent.Journalctl(ctx, os.Stdout, os.Args[1:])
	case "sysctl":
		return agent.Sysctl(ctx, os.Stdout, os.Args[1:])
	}
	if len(os.Args) < 2 {
		return fmt.Errorf("%s", usage)
	}
	if answer := answers[os.Args[1]]; answer != nil {
		return answer(ctx, os.Args[2:], os.Stdin, os.Stdout)
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	switch os.Args[1] {
	case "init":
		var o agent.InitOptions
		flags.StringVar(&o.Lab, "lab", "", "name of the lab")
		flags.StringVar(&o.Machine, "machine", "", "name of the machine")
		flags.StringVar(&o.LogDir, "logs", "", "folder for the logs of the machine's services")
		flags.Func("seal", "what a sealed lab's machines have, as JSON", func(text string) error {
			return json.Unmarshal([]byte(text), &o.Seal)
		})
		_ = flags.Parse(os.Args[2:]) // exits on error
		return agent.Init(o)
	case "serve":
		s := agent.Server{Log: os.Stdout}
		flags.StringVar(&s.Listen, "listen", ":8080", "address to listen on")
		flags.StringVar(&s.ListenClosing, "listen-closing", ":8081", "address of the server that closes connections first")
		flags.StringVar(&s.Name, "name", "", "name to answer with")
		_ = flags.Parse(os.Args[2:]) // exits on error
		return s.Serve(ctx)
	case "dockerd":
		return dockerd.Run(ctx, os.Args[2:])
	case "flanneld":
		return flanneld.Run(ctx, os.Args[2:])
	case "capture":
		iface := flags.String("interface", "", "where to capture")
		_ = flags.Parse(os.Args[2:]) // exits on error
		return agent.Capture(ctx, *iface, os.Stdin, os.Stdout, os.Stderr)
	case "skew":
		first := flags.Uint("first", 0, "the timestamp of the first SYN; later ones go on from there, 1 a millisecond")
		_ = flags.Parse(os.Args[2:]) // exits on error
		return agent.Skew(uint32(*first))
	case "session":
		with := flags.Int("with", 0, "ID of the process with which it ends, too")
		_ = flags.Parse(os.Args[2:]) // exits on error
		if *with != 0 {
			if err := agent.EndWith(*with); err != nil {
				return err
			}
		}
		return session.Serve(os.Stdin, os.Stdout, answers)
	}
	return fmt.Errorf("unknown command %q\n%s", os.Args[1], usage)
}
