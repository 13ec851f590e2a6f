package netns

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/lab"
)

// Who is not root and may not become it can have a lab all the same, and is told how.
func TestUpWithoutRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root is not refused")
	}
	_, err := Up(t.Context(), Options{Name: lab.DefaultName})
	if err == nil || !strings.Contains(err.Error(), "sudo") || !strings.Contains(err.Error(), "hack/rootless bash") {
		t.Errorf("%v; want both ways", err)
	}
}

// Root of a container without --privileged is told so, before anything is made.
func TestUpWithoutCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to lose what root has")
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with what it has lost
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0); err != nil {
			failed <- err
			return
		}
		_, err := Up(t.Context(), Options{Name: lab.DefaultName})
		failed <- err
	}()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "--privileged") {
		t.Errorf("%v; want what to do", err)
	}
	if err := NeedRoot(); err != nil {
		t.Errorf("with all of them: %v", err)
	}
}
