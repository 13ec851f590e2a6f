package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copyOf is this module as git has it and as it is changed now, in a folder of its own.
func copyOf(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("git", "-C", "../..", "ls-files", "-co", "--exclude-standard", "-z", "--", "*.go", "go.mod", "go.sum", "detectors",
		"scenarios", "framework", "kind-configs", "docs", "fixtures").Output()
	if err != nil {
		t.Skipf("no git checkout: %v", err)
	}
	root := t.TempDir()
	for _, file := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join("../..", file))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// What is made builds, stands in its lists, and fails its tests until it is filled in.
func TestNewFaultBuildsAndFailsUntilItIsFilledIn(t *testing.T) {
	root := copyOf(t)
	if _, err := create(root, "udp-8472-blocked", ""); err != nil {
		t.Fatal(err)
	}
	inside := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		// As make build does it, so that what was built before need not be built again in another folder.
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := inside("build", "./scenarios", "./detectors/all"); err != nil {
		t.Fatalf("it does not build: %s", out)
	}
	if out, err := inside("test", "./detectors/all"); err != nil {
		t.Errorf("the list of detectors is not right: %s", out)
	}
	out, err := inside("test", "./detectors/udp8472blocked")
	if err == nil || !strings.Contains(out, "FILL IN") {
		t.Errorf("the detector passes, or fails for another reason: %s", out)
	}
	// The test of the scenarios, which takes long to build, looks for the same words.
	for _, file := range []string{"scenario.go", "README.md", "README.zh.md"} {
		text, err := os.ReadFile(filepath.Join(root, "scenarios/udp-8472-blocked", file))
		if err != nil || !strings.Contains(string(text), "FILL IN") {
			t.Errorf("%s does not say that it is to be filled in, %v", file, err)
		}
	}
	if _, err := create(root, "udp-8472-blocked", ""); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("made a second time: %v", err)
	}
}

func TestNewFaultOfAnExistingDetector(t *testing.T) {
	root := copyOf(t)
	made, err := create(root, "flannel-bounced", "stale-vtep")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range made {
		if strings.HasPrefix(file, "detectors/") {
			t.Errorf("made %s", file)
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"", "../x", "UDP", "a b", "a--b", "-a"} {
		if _, err := create(t.TempDir(), name, ""); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if _, err := create(t.TempDir(), "a", "no-such-detector"); err == nil {
		t.Error("a detector that is not there is taken")
	}
}
