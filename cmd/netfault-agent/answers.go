package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/session"
)

// answers are the commands that a machine is asked all the time, which a session answers without a process of their own.
var answers = map[string]session.Answer{
	"probe": func(ctx context.Context, _ []string, in io.Reader, out io.Writer) error {
		return agent.ProbeStream(ctx, in, out)
	},
	"call":    call,
	"collect": collectNode,
	"later": func(ctx context.Context, _ []string, _ io.Reader, out io.Writer) error {
		return collect.Later(ctx, out)
	},
	"record":  record,
	"restore": restore,
}

func call(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("call", flag.ContinueOnError)
	address := flags.String("address", "", "host:port of a server that closes connections first")
	count := flags.Int("count", 1, "how many connections at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(agent.Call(ctx, *address, *count))
}

func collectNode(ctx context.Context, _ []string, _ io.Reader, out io.Writer) error {
	recycle, err := agent.RecycleSettings(ctx)
	if err != nil {
		return err
	}
	return collect.Node(ctx, out, recycle)
}

func record(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	part := flags.String("part", string(agent.All), "all; network alone, since a pod's other state is its node's; or tables")
	if err := flags.Parse(args); err != nil {
		return err
	}
	state, err := agent.Record(ctx, agent.Part(*part))
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(state)
}

func restore(ctx context.Context, _ []string, in io.Reader, out io.Writer) error {
	var want agent.Recorded
	if err := json.NewDecoder(in).Decode(&want); err != nil {
		return fmt.Errorf("recorded state: %w", err)
	}
	problems, err := agent.Restore(ctx, want)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(problems)
}
