// Package engine finds the container engine that kind clusters run on, as kind does, and sets Podman up where the
// machine needs it, by a containers.conf of the project's own.
package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/wait"
)

// Engine is a container engine that answers.
type Engine struct {
	// Name is the engine's program: docker, podman, nerdctl or finch.
	Name string
	// CgroupV1 is set if the machine that runs the containers, which may be a virtual one, has control groups v1.
	CgroupV1 bool
	// Hangs says which clients that were to be taken before this one do not answer; empty if none is like that.
	Hangs string
}

// NoEngineError says why there is no engine.
type NoEngineError struct {
	// Reasons has one for each client.
	Reasons []string
	// Hangs says which clients do not answer, with or without an engine behind them; empty if none is like that.
	Hangs string
}

func (e *NoEngineError) Error() string {
	return fmt.Sprintf("no container engine answers (%s); `netfault doctor --fix` installs Podman where there is none", strings.Join(e.Reasons, "; "))
}

// errHangs is a client that does not answer.
var errHangs = errors.New("hangs")

// ProviderVariable chooses the engine, as it does for kind's own command.
const ProviderVariable = "KIND_EXPERIMENTAL_PROVIDER"

// order is the one in which kind looks for engines (pkg/cluster/provider.go, v0.33.0).
var order = []string{"docker", "nerdctl", "podman"}

// answerLimit is how long an engine may take to answer. The first start of a machine's Podman takes a second or two, and
// more than 5 on two cores with fifty processes that want them; a client that takes longer hangs, mostly for want of its daemon, and
// people wait for it at each command.
const answerLimit = 10 * time.Second

// tellAfter is how long a client is waited for before people are told so: one that answers has mostly done so by then.
const tellAfter = 2 * time.Second

type tellingKey struct{}

// Telling returns a context in which Find tells what it waits for, once that takes long.
func Telling(ctx context.Context, tell func(string)) context.Context {
	return context.WithValue(ctx, tellingKey{}, tell)
}

func tell(ctx context.Context, what string) {
	if tell, ok := ctx.Value(tellingKey{}).(func(string)); ok {
		tell(what)
	}
}

// Find returns the first engine that answers, or the one that KIND_EXPERIMENTAL_PROVIDER names. kind takes the first one
// that is installed, which fails where a client has no daemon. For Podman, the environment of this process gets
// CONTAINERS_CONF if the machine needs it and the user did not set it. The error says of each engine why not.
func Find(ctx context.Context) (Engine, error) { return find(ctx, answerLimit) }

// find asks all candidates side by side, so that those that hang cost their time once.
func find(ctx context.Context, limit time.Duration) (Engine, error) {
	names, err := candidates(os.Getenv(ProviderVariable))
	if err != nil {
		return Engine{}, err
	}
	type answer struct {
		engine Engine
		err    error
	}
	var asked sync.WaitGroup
	asking, cancel := context.WithCancel(ctx)
	defer asked.Wait()
	defer cancel()
	said := make([]chan answer, len(names))
	for i, name := range names {
		said[i] = make(chan answer, 1)
		asked.Go(func() {
			e, err := answers(asking, name, limit)
			said[i] <- answer{e, err}
		})
	}
	var reasons, hang []string
	slow := time.NewTimer(min(tellAfter, limit/2))
	defer slow.Stop()
	for i, name := range names {
		var a answer
		select {
		case a = <-said[i]:
		case <-slow.C:
			tell(ctx, fmt.Sprintf("waiting for `%s info` to answer, for %v at most", name, limit))
			a = <-said[i]
		}
		if a.err == nil {
			a.engine.Hangs = strings.Join(hang, "; ")
			return a.engine, nil
		}
		reason := fmt.Sprintf("%s %v", name, a.err)
		reasons = append(reasons, reason)
		if errors.Is(a.err, errHangs) {
			hang = append(hang, reason)
		}
	}
	if ctx.Err() != nil {
		return Engine{}, context.Cause(ctx)
	}
	return Engine{}, &NoEngineError{Reasons: reasons, Hangs: strings.Join(hang, "; ")}
}

func candidates(provider string) ([]string, error) {
	switch {
	case provider == "":
		return order, nil
	case provider == "finch" || slices.Contains(order, provider):
		return []string{provider}, nil
	}
	return nil, fmt.Errorf("%s=%q: want docker, podman, nerdctl or finch", ProviderVariable, provider)
}

func answers(ctx context.Context, name string, limit time.Duration) (Engine, error) {
	if _, err := exec.LookPath(name); err != nil {
		return Engine{}, errors.New("is not installed")
	}
	format := "{{.CgroupVersion}}"
	if name == "podman" {
		format = "{{.Host.CgroupsVersion}}"
		if err := setUpPodman(); err != nil {
			return Engine{}, err
		}
	}
	limited, cancel := wait.Patience(ctx, limit)
	defer cancel()
	e := Engine{Name: name}
	out, err := e.Output(limited, "info", "--format", format)
	if limited.Err() != nil && ctx.Err() == nil {
		return Engine{}, fmt.Errorf("%w: `%s info` says nothing within %v", errHangs, name, limit)
	}
	if err != nil {
		return Engine{}, err
	}
	switch strings.TrimPrefix(strings.TrimSpace(string(out)), "v") {
	case "1":
		e.CgroupV1 = true
	case "2":
	default:
		return Engine{}, fmt.Errorf("info says %q for the version of control groups", bytes.TrimSpace(out))
	}
	return e, nil
}

// Output runs the engine's program and returns what it prints. An error quotes the end of its standard error.
func (e Engine) Output(ctx context.Context, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.Name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	machine.OwnGroup(cmd)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", e.Name, args[0], err, lastLine(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// ImageLabel returns a label of a local image. ok is false if the image is not there.
func (e Engine) ImageLabel(ctx context.Context, image, label string) (value string, ok bool) {
	out, err := e.Output(ctx, "image", "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", label), image)
	return strings.TrimSpace(string(out)), err == nil
}

// HasImage reports whether the image is there locally.
func (e Engine) HasImage(ctx context.Context, image string) bool {
	_, err := e.Output(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
