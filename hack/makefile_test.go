package hack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// make asks for root by sudo. Who may not use it is told what there is without, before anything is built.
func TestMakeWithoutLeaveToUseSudo(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{
		"id":   `echo 1000`,
		"sudo": `echo "sudo: alice is not in the sudoers file" >&2; exit 1`,
		"go":   `echo "go $*"`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"e2e", "chaos", "test-lab", "test-root", "evaluator"} {
		cmd := exec.Command("make", "--no-print-directory", target, "LAB=netns", "ROOTLESS=")
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("make %s ends well without sudo", target)
		}
		for _, want := range []string{"alice is not in the sudoers file", "ROOTLESS=1"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("make %s does not say %q: %s", target, want, out)
			}
		}
		if strings.Contains(string(out), "go build") {
			t.Errorf("make %s builds before it is known whether it can go on: %s", target, out)
		}
	}
}
