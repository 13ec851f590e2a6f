package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// side is one of the commits that are compared, with a folder of its own for all that is built from it.
type side struct {
	// dir is its checkout.
	dir, tmp string
	commit   string
	// asRoot begins the commands that root must run.
	asRoot []string

	values []value
}

// value is one measurement, or several of the same.
type value struct {
	part, what, unit string
	seen             []float64
}

func (s *side) add(part, what, unit string, seen float64) {
	same := func(v value) bool { return v.part == part && v.what == what && v.unit == unit }
	i := slices.IndexFunc(s.values, same)
	if i < 0 {
		i = len(s.values)
		s.values = append(s.values, value{part: part, what: what, unit: unit})
	}
	s.values[i].seen = append(s.values[i].seen, seen)
}

func (s *side) bin(name string) string { return filepath.Join(s.tmp, "bin", name) }

// env has caches of its own. Modules come from the user's, so that the network is not timed.
func (s *side) env() []string {
	return []string{"CGO_ENABLED=0", "GOCACHE=" + filepath.Join(s.tmp, "go-build"), s.toolsCache()}
}

func (s *side) toolsCache() string { return "NETFAULT_CACHE=" + filepath.Join(s.tmp, "cache") }

// firstRun builds everything with nothing built before, and times what a first run waits for.
func (s *side) firstRun(ctx context.Context) error {
	if err := os.MkdirAll(s.bin(""), 0o755); err != nil {
		return err
	}
	for _, part := range []struct {
		what string
		argv []string
	}{
		{"netfault and its agent", []string{"go", "build", "-trimpath", "-o", s.bin("") + "/", "./cmd/..."}},
		{"etcd, flanneld, CoreDNS", []string{s.bin("netfault"), "doctor", "--fix", "--lab=netns"}},
		{"the suite", []string{"go", "test", "-trimpath", "-c", "-o", s.bin("e2e.test"), "./scenarios"}},
	} {
		fmt.Fprintf(os.Stderr, "first run of %s: %s\n", s.commit, part.what)
		begun := time.Now()
		cmd := prepare(ctx, s.dir, s.env(), part.argv...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(part.argv, " "), err)
		}
		s.add("first run", part.what, "s", time.Since(begun).Seconds())
		s.add("first run", part.what, "processor-s", (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	}
	for _, pkg := range []string{"./framework/lab/netns", "./detectors/stalevtep", "./detectors/iptables"} {
		if _, err := command(ctx, s.dir, s.env(), "go", "test", "-trimpath", "-c", "-o", s.bin("")+"/", pkg); err != nil {
			return err
		}
	}
	return nil
}

// round times all the rest once.
func (s *side) round(ctx context.Context) error {
	for _, b := range []struct {
		part, program, dir, bench string
		root                      bool
	}{
		{"lab", "netns.test", "framework/lab/netns", "Lab", true},
		{"detectors", "stalevtep.test", "detectors/stalevtep", "StaleVTEP", false},
		{"detectors", "iptables.test", "detectors/iptables", "PodSNAT", true},
		{"training", "e2e.test", "scenarios", "Class", true},
	} {
		argv := []string{s.bin(b.program), "-test.run=none", "-test.bench=^Benchmark" + b.bench + "$", "-test.benchtime=1x", "-test.timeout=30m"}
		if b.root {
			argv = s.root(argv...)
		}
		list, err := command(ctx, s.dir, nil, s.bin(b.program), "-test.list=^Benchmark"+b.bench+"$")
		if err != nil {
			return err
		}
		if !strings.Contains(list, "Benchmark"+b.bench+"\n") {
			continue // a commit from before there was this benchmark
		}
		out, err := command(ctx, filepath.Join(s.dir, b.dir), nil, argv...)
		if err != nil {
			return err
		}
		metrics, err := benchmarks(out)
		if err != nil {
			return fmt.Errorf("%s: %w", b.program, err)
		}
		for _, m := range metrics {
			s.add(b.part, m.name, m.unit, m.value)
		}
	}
	return s.scenarios(ctx)
}

// scenarios runs the suite's scenarios, and reads from its report how long each step took.
func (s *side) scenarios(ctx context.Context) error {
	out, err := os.MkdirTemp(s.tmp, "suite-")
	if err != nil {
		return err
	}
	_, err = command(ctx, filepath.Join(s.dir, "scenarios"), nil, s.root(s.bin("e2e.test"), "-test.run=TestScenarios", "-test.timeout=30m",
		"-lab=netns", "-out="+out, "--ginkgo.succinct", "--ginkgo.no-color", "--ginkgo.fail-on-empty", "--ginkgo.label-filter=fault")...)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil {
		return err
	}
	var report struct {
		Scenarios []struct {
			Scenario, Skipped string
			Steps             []struct {
				Step    string
				Seconds float64
			}
		}
	}
	if err := json.Unmarshal(content, &report); err != nil {
		return fmt.Errorf("report.json: %w", err)
	}
	for _, scenario := range report.Scenarios {
		if scenario.Skipped != "" {
			continue
		}
		all := 0.0
		for _, step := range scenario.Steps {
			s.add(scenario.Scenario, step.Step, "s", step.Seconds)
			all += step.Seconds
		}
		s.add(scenario.Scenario, "all steps", "s", all)
	}
	return nil
}

// root is the command as root runs it, with the tools of this side.
func (s *side) root(argv ...string) []string {
	return slices.Concat(s.asRoot, []string{"env", s.toolsCache()}, argv)
}

// command runs one in a folder and returns its output; an error has the end of all that it says.
func command(ctx context.Context, dir string, env []string, argv ...string) (string, error) {
	cmd := prepare(ctx, dir, env, argv...)
	var out, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &all), &all
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(all.String()), "\n")
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
	return out.String(), nil
}

// prepare makes a command that clears up by itself when it is interrupted.
func prepare(ctx context.Context, dir string, env []string, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}
