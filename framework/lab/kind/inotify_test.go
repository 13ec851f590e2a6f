package kind

import (
	"errors"
	"os"
	"strings"
	"testing"
)

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
