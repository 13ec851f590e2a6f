package tcbpf

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPermitted(t *testing.T) {
	err := Permitted()
	// The machine's own root may; root of a user namespace, as which the test runs itself below, may not.
	content, readErr := os.ReadFile("/proc/self/uid_map")
	if readErr != nil {
		t.Fatal(readErr)
	}
	machines := strings.Join(strings.Fields(string(content)), " ") == "0 0 4294967295"
	switch {
	case os.Geteuid() == 0 && machines && err != nil:
		t.Errorf("root: %v", err)
	case (os.Geteuid() != 0 || !machines) && !errors.Is(err, unix.EPERM):
		t.Errorf("not the machine's root: %v; want EPERM", err)
	}
}

func TestPermittedInAUserNamespace(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=TestPermitted$", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES) {
		t.Skipf("no user namespaces here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "PASS: TestPermitted") {
		t.Errorf("%v: %s", err, out)
	}
}
