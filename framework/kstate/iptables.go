package kstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// iptablesPrograms are the iptables worlds; PROGRAM-save and PROGRAM-restore are run.
var iptablesPrograms = []string{"iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"}

var counters = regexp.MustCompile(`\[\d+:\d+\]`)

// save is a running PROGRAM-save.
type save struct {
	program        string
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// startSaves starts the programs that the machine has, all at once; each costs some milliseconds.
func startSaves(ctx context.Context) ([]*save, error) {
	var saves []*save
	found := false
	for _, program := range iptablesPrograms {
		if _, err := exec.LookPath(program + "-save"); err != nil {
			continue
		}
		found = true
		if hasNoTables(program) {
			continue
		}
		s := &save{program: program, cmd: exec.CommandContext(ctx, program+"-save")}
		s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
		if err := s.cmd.Start(); err != nil {
			_, werr := wait(saves)
			return nil, errors.Join(err, werr)
		}
		saves = append(saves, s)
	}
	if !found {
		return nil, fmt.Errorf("none of %s is on the PATH with -save: install iptables", strings.Join(iptablesPrograms, ", "))
	}
	return saves, nil
}

// legacyTables are the files in which the kernel names the tables that a network namespace has of the legacy worlds; the programs
// read them, too, and print nothing where they are empty (iptables 1.8.9, iptables-save.c, for_each_table).
var legacyTables = map[string]string{
	"iptables-legacy":  "/proc/thread-self/net/ip_tables_names",
	"ip6tables-legacy": "/proc/thread-self/net/ip6_tables_names",
}

// hasNoTables says that the program would print nothing, so that it need not run: a record runs it in each namespace of a lab.
func hasNoTables(program string) bool {
	path, legacy := legacyTables[program]
	if !legacy {
		return false
	}
	// Those of the calling thread: /proc/net is of the process's first.
	names, err := os.ReadFile(path)
	return err == nil && len(names) == 0
}

// wait returns the tables that the programs printed; it waits for all, be there errors.
func wait(saves []*save) ([]Table, error) {
	tables := []Table{}
	var errs []error
	for _, s := range saves {
		if err := s.cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%s-save: %w: %s", s.program, err, strings.TrimSpace(s.stderr.String())))
			continue
		}
		tables = append(tables, splitTables(s.program, s.stdout.String())...)
	}
	return tables, errors.Join(errs...)
}

// splitTables reads the format of iptables-save(8) and leaves out tables in which there is nothing.
func splitTables(program, text string) []Table {
	var tables []Table
	var name string
	var body strings.Builder
	empty := true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '*':
			name, empty = line[1:], true
			body.Reset()
		case line[0] == ':':
			line = counters.ReplaceAllString(line, "[0:0]")
			empty = empty && strings.HasSuffix(line, " ACCEPT [0:0]")
		case line != "COMMIT":
			empty = false
		}
		body.WriteString(line + "\n")
		if line == "COMMIT" && !empty {
			tables = append(tables, Table{Program: program, Name: name, Text: body.String()})
		}
	}
	return tables
}

// emptied returns the text that empties a table: its built-in chains, which accept, and nothing else.
func (t Table) emptied() string {
	var b strings.Builder
	for line := range strings.Lines(t.Text) {
		switch {
		case line[0] == '*':
			b.WriteString(line)
		case line[0] == ':':
			if chain, policy, _ := strings.Cut(line, " "); !strings.HasPrefix(policy, "-") {
				b.WriteString(chain + " ACCEPT [0:0]\n")
			}
		}
	}
	return b.String() + "COMMIT\n"
}

// restoreTables replaces the tables in text, and no others.
func restoreTables(ctx context.Context, program, text string) error {
	args := []string{}
	if strings.HasSuffix(program, "-legacy") {
		args = append(args, "--wait", "5") // seconds, for the lock that kube-proxy and flanneld take too
	}
	cmd := exec.CommandContext(ctx, program+"-restore", args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s-restore: %w: %s", program, err, bytes.TrimSpace(out))
	}
	return nil
}

// diffIPTables tells the lines that differ of a table.
func diffIPTables(want, got []Table) []Difference {
	type key struct{ program, name string }
	index := make(map[key]string)
	for _, t := range got {
		index[key{t.Program, t.Name}] = t.Text
	}
	var diffs []Difference
	for _, w := range want {
		k := key{w.Program, w.Name}
		if d, differs := diffTable(w.Program+" "+w.Name, w.Text, index[k]); differs {
			diffs = append(diffs, d)
		}
		delete(index, k)
	}
	for _, g := range got {
		if text, extra := index[key{g.Program, g.Name}]; extra {
			d, _ := diffTable(g.Program+" "+g.Name, "", text)
			diffs = append(diffs, d)
		}
	}
	return diffs
}

func diffTable(object, want, got string) (d Difference, differs bool) {
	if want == got {
		return d, false
	}
	d = Difference{Kind: KindIPTables, Object: object, Want: strings.Join(linesNotIn(want, got), "; "), Got: strings.Join(linesNotIn(got, want), "; ")}
	if d.Want == "" && d.Got == "" {
		d.Want, d.Got = firstMoved(ruleLines(want), ruleLines(got))
	}
	return d, true
}

// firstMoved tells where the order of the same lines first differs.
func firstMoved(want, got []string) (string, string) {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			return want[i] + " first", "the same lines in another order, " + got[i] + " first"
		}
	}
	return fmt.Sprintf("%d lines", len(want)), fmt.Sprintf("%d lines, some of them twice", len(got))
}

// ruleLines returns the chains and rules of a table.
func ruleLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line[0] == ':' || line[0] == '-' {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func linesNotIn(a, b string) []string {
	count := make(map[string]int)
	for _, line := range ruleLines(b) {
		count[line]++
	}
	var rest []string
	for _, line := range ruleLines(a) {
		if count[line]--; count[line] < 0 {
			rest = append(rest, line)
		}
	}
	return rest
}
