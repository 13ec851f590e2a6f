package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/labs"
)

// check returns the check of that name among those for a kind of lab, on a machine without any program.
func check(t *testing.T, lab labs.Kind, name string) (Check, bool) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "")
	all := Run(t.Context(), lab)
	i := slices.IndexFunc(all, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{}, false
	}
	return all[i], true
}

func TestChecksOfEachKind(t *testing.T) {
	if _, ok := check(t, labs.Netns, "container engine"); ok {
		t.Error("an embedded lab asks for a container engine")
	}
	if _, ok := check(t, labs.KIND, "kernel"); ok {
		t.Error("a kind lab asks for what an embedded one needs of the kernel")
	}
	engine, ok := check(t, labs.KIND, "container engine")
	if !ok || engine.Missing == nil || engine.Optional != "" || !slices.Contains(engine.Packages, "podman") {
		t.Errorf("a kind lab without an engine: %+v", engine)
	}
	// `netfault doctor` by itself: embedded labs will do, so that nothing is lacking, and --fix brings Podman.
	engine, ok = check(t, "", "container engine")
	if !ok || engine.Missing == nil || engine.Optional == "" || !slices.Contains(engine.Packages, "podman") {
		t.Errorf("for both kinds, without an engine: %+v", engine)
	}
}

// What is optional and cannot be had stops nothing; what is needed does.
func TestFixWithoutAptGet(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	checks := []Check{{Name: "x", Missing: context.Canceled, Packages: []string{"x"}, Optional: "it goes on"}}
	var log bytes.Buffer
	if err := Fix(t.Context(), &log, checks); err != nil || !strings.Contains(log.String(), "going on without it") {
		t.Errorf("optional: %v, %s", err, log.String())
	}
	checks[0].Optional = ""
	if err := Fix(t.Context(), &log, checks); err == nil {
		t.Error("what is needed is missing, and that is no error")
	}
}

// What a lab shares with the machine is looked at for the kind of lab that takes it, and is unknown where only root can look.
func TestLimitsOfTheMachine(t *testing.T) {
	for _, c := range []struct {
		name string
		lab  labs.Kind
		not  labs.Kind
	}{{"neighbour table", labs.Netns, labs.KIND}, {"inotify instances", labs.KIND, labs.Netns}} {
		if _, ok := check(t, c.lab, c.name); !ok {
			t.Errorf("a lab of the kind %s does not look at %s", c.lab, c.name)
		}
		if _, ok := check(t, c.not, c.name); ok {
			t.Errorf("a lab of the kind %s looks at %s", c.not, c.name)
		}
	}
	if err := known(fmt.Errorf("other namespaces: %w", os.ErrPermission)); !errors.Is(err, ErrUnknown) {
		t.Errorf("what only root can see: %v", err)
	}
	if err := known(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("another error: %v", err)
	}
}
