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
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/kstate"
)

const usage = `netfault-agent runs inside the machines and pods of a netfault lab. netfault starts it:
  init --lab=L --machine=M --logs=DIR   the first process of a machine
  serve --listen=ADDR --name=NAME       the probe server of a pod
  probe                                 a plan from standard input, results to standard output
  collect                               this machine's part of a bundle, as tar, to standard output
  links                                 ip-link.json to standard output
  record                                this machine's network state to standard output
  restore                               back to the network state on standard input; what is left, to standard output
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
	if filepath.Base(os.Args[0]) == "systemctl" {
		return agent.Systemctl(ctx, os.Stdout, os.Args[1:])
	}
	if len(os.Args) < 2 {
		return fmt.Errorf("%s", usage)
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	switch os.Args[1] {
	case "init":
		var o agent.InitOptions
		flags.StringVar(&o.Lab, "lab", "", "name of the lab")
		flags.StringVar(&o.Machine, "machine", "", "name of the machine")
		flags.StringVar(&o.LogDir, "logs", "", "folder for the logs of the machine's services")
		_ = flags.Parse(os.Args[2:]) // exits on error
		return agent.Init(o)
	case "serve":
		listen := flags.String("listen", ":8080", "address to listen on")
		name := flags.String("name", "", "name to answer with")
		_ = flags.Parse(os.Args[2:]) // exits on error
		return agent.Serve(ctx, os.Stdout, *listen, *name)
	case "probe":
		return agent.ProbeStream(ctx, os.Stdin, os.Stdout)
	case "collect":
		return collect.Node(ctx, os.Stdout)
	case "links":
		return collect.LinksJSON(os.Stdout)
	case "record":
		state, err := agent.Record(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(state)
	case "restore":
		var want kstate.State
		if err := json.NewDecoder(os.Stdin).Decode(&want); err != nil {
			return fmt.Errorf("recorded state: %w", err)
		}
		return json.NewEncoder(os.Stdout).Encode(kstate.Restore(ctx, want))
	}
	return fmt.Errorf("unknown command %q\n%s", os.Args[1], usage)
}
