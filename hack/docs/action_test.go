package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is what is looked at of a composite action.
type action struct {
	Inputs map[string]struct {
		Required bool
		Default  *string
	}
	Runs struct {
		Using string
		Steps []struct {
			Name, Uses, Run, Shell string
			Env                    map[string]string
		}
	}
}

func gateAction(t *testing.T) action {
	t.Helper()
	text, err := os.ReadFile("../../.github/actions/gate/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// What others run with our action is pinned by digest, and no input stands in a script, where it would be a part of it.
func TestGateActionIsPinned(t *testing.T) {
	a := gateAction(t)
	if a.Runs.Using != "composite" || len(a.Runs.Steps) == 0 {
		t.Fatalf("%+v", a.Runs)
	}
	digest := regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	for _, s := range a.Runs.Steps {
		if s.Uses != "" && !digest.MatchString(s.Uses) {
			t.Errorf("%s is not pinned by digest", s.Uses)
		}
		if strings.Contains(s.Run, "${{") || s.Run != "" && s.Shell != "bash" {
			t.Errorf("step %q: an expression in a script, or no shell: %s", s.Name, s.Run)
		}
	}
	for name, i := range a.Inputs {
		if i.Required == (i.Default != nil) {
			t.Errorf("input %s is either required or has a default", name)
		}
	}
}

// The action's last step, as bash runs it on GitHub, calls the netfault beside it with what it was given.
func TestGateActionCallsTheGate(t *testing.T) {
	steps := gateAction(t).Runs.Steps
	judge := steps[len(steps)-1]
	for _, c := range []struct {
		names string
		exit  string
		want  []string
	}{
		{"", "0", []string{"gate", "--checkout=TOP", "--detector-cmd=a 'b c' $(touch x) {bundle}", "--rounds=2", "--out=an out"}},
		{"my names", "1", []string{"gate", "--checkout=TOP", "--detector-cmd=a 'b c' $(touch x) {bundle}", "--rounds=2", "--out=an out", "--map=my names"}},
	} {
		top, work := t.TempDir(), t.TempDir()
		at := filepath.Join(top, ".github", "actions", "gate")
		program := filepath.Join(top, "bin", "netfault")
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit "+c.exit+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", judge.Run)
		cmd.Dir = work
		given := map[string]string{
			"${{ inputs.detector-cmd }}": "a 'b c' $(touch x) {bundle}", "${{ inputs.map }}": c.names, "${{ inputs.rounds }}": "2", "${{ inputs.out }}": "an out",
		}
		cmd.Env = append(os.Environ(), "GITHUB_ACTION_PATH="+at)
		for name, expression := range judge.Env {
			value, ok := given[expression]
			if !ok {
				t.Fatalf("%s is %s, which is no input", name, expression)
			}
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.Output()
		if failed := err != nil; failed != (c.exit == "1") {
			t.Errorf("%v", err)
		}
		got := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(out), top, "TOP")), "\n")
		if !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
			t.Errorf("something ran: %v, %v", left, err)
		}
	}
}
