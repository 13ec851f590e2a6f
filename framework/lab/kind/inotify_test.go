package kind

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// A cluster of two was measured to take 39. What docs/ARCHITECTURE.md says of Linux's default of 128 is held here, too.
func TestInotifyNeeded(t *testing.T) {
	if got := inotifyNeeded(2); got < 39 || got > 50 {
		t.Errorf("two nodes: %d", got)
	}
	if inotifyNeeded(8) > 128 || inotifyNeeded(9) <= 128 {
		t.Errorf("8 nodes: %d, 9 nodes: %d", inotifyNeeded(8), inotifyNeeded(9))
	}
}

func TestRoomForInotify(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := Room(2); !errors.Is(err, os.ErrPermission) {
			t.Errorf("without root: %v", err)
		}
		t.Skip("needs root, whose limit it is")
	}
	if got := instancesLeft(3); got != 3 {
		t.Skipf("this machine has %d inotify instances left", got)
	}
	err := Room(1_000_000)
	if err == nil || !strings.Contains(err.Error(), "sysctl -w fs.inotify.max_user_instances=") {
		t.Errorf("a million nodes: %v", err)
	}
	if got := instancesLeft(3); got != 3 {
		t.Errorf("%d of 3 are left: the look took some", got)
	}
}
