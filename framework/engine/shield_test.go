package engine

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is started by the engine's name has a session of its own, out of the reach of Ctrl-C; afterwards nothing is changed.
func TestShield(t *testing.T) {
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("SUDO_UID", "")
	fakeEngine(t, "docker", "ps -o sid= -p $$; echo \"$@\"; exit 7\n")
	session := func() (id int, said string) {
		t.Helper()
		out, err := exec.Command("docker", "run", "a b").Output()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 7 {
			t.Errorf("the program's exit code 7 is told as %v", err)
		}
		sid, said, _ := strings.Cut(string(out), "\n")
		id, err = strconv.Atoi(strings.TrimSpace(sid))
		if err != nil {
			t.Fatal(err)
		}
		return id, strings.TrimSpace(said)
	}
	own, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	restore, err := Engine{Name: "docker"}.Shield()
	if err != nil {
		t.Fatal(err)
	}
	if id, said := session(); id == own || said != "run a b" {
		t.Errorf("session %d, which is this test's, or arguments are lost: %q", id, said)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if id, _ := session(); id != own {
		t.Errorf("session %d, want %d: the shield is still in force", id, own)
	}
}
