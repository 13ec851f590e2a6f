package scenarios_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/undo"
)

// toKeep is the lab on which a spec failed, where failures are to be kept for a look (make e2e KEEP=1).
var toKeep *lock.Held

// undoOrKeep registers the undo of what a spec is about to do to the lab. Where failures are kept, a spec that failed is not
// undone; one that somebody interrupted is.
func undoOrKeep(l *lock.Held) {
	DeferCleanup(func(ctx context.Context) {
		if r := CurrentSpecReport(); *keep && r.Failed() && !r.State.Is(types.SpecStateInterrupted) {
			toKeep = l
			return
		}
		Expect(undo.Undo(ctx, l)).To(Succeed())
	})
}

// keepLab lets the lab outlive the suite, and says how to enter and how to remove it.
func keepLab(l *lock.Held) {
	_, name, _ := strings.Cut(l.Name(), ":")
	Expect(owner.Keep(l.StateDir())).To(Succeed())
	Expect(l.Release()).To(Succeed())
	state := "no fault is in force"
	if j, err := undo.Read(l); err == nil {
		state = j.Scenario + " is in force"
	}
	fmt.Printf("\nlab %s is kept as it was when the suite failed; %s\n", name, state)
	fmt.Printf("  look around:  sudo bin/%s\n", lab.Command(name, "lab shell", l.Nodes()[0].Name()))
	if l.API() != nil {
		fmt.Printf("                sudo kubectl --kubeconfig=%s get pods --all-namespaces\n", filepath.Join(l.StateDir(), "kubeconfig"))
	}
	fmt.Printf("  judge it:     sudo bin/%s\n", lab.Command(name, "detect"))
	fmt.Printf("  undo:         sudo bin/%s\n", lab.Command(name, "reset"))
	fmt.Printf("  remove it:    sudo bin/%s\n", lab.Command(name, "lab down"))
}
