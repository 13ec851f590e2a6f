package netns

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Where too few files may be open, etcd ends, and all that could be seen of it later is a connection that is refused.
func TestTooFewFiles(t *testing.T) {
	if err := Files(); err != nil {
		t.Skip(err)
	}
	var had unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &had); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: had.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &had); err != nil {
			t.Error(err)
		}
	}()
	err := Files()
	if os.Geteuid() == 0 {
		_, err = Up(t.Context(), Options{Name: fmt.Sprintf("test-%d-files", os.Getpid())})
	}
	for _, want := range []string{"only 64 files", "--nofile=1024:1024"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
