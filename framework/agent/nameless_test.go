package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestOtherNamesMoveNothing(t *testing.T) {
	for _, names := range otherNames {
		if len(names[0]) != len(names[1]) {
			t.Errorf("%q is longer or shorter than %q", names[1], names[0])
		}
	}
}

// A program without its names does what it did: this test's own lists its tests, and panics with what it is called now.
func TestNamelessProgramRuns(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	nameless := filepath.Join(t.TempDir(), "bin", "noded")
	if err := CopyNameless(self, nameless); err != nil {
		t.Fatal(err)
	}
	want, err := exec.CommandContext(t.Context(), self, "-test.list=.").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := exec.CommandContext(t.Context(), nameless, "-test.list=.").Output(); err != nil || !bytes.Equal(got, want) || len(want) == 0 {
		t.Errorf("%s%v, want %s", got, err, want)
	}
	program, err := os.ReadFile(nameless)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(program, []byte("github.com/"+"netfault/netfault/framework")) {
		t.Error("the path of its packages is in it")
	}
}
