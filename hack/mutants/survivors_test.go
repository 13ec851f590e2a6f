package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whoever changes what an explanation is about has to look at it again.
func TestEverySurvivorIsAMutant(t *testing.T) {
	why, err := explained(survivorsText)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("..", ".."))
	var sites []site
	for _, p := range parts() {
		files, err := p.sources(".")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if _, err := mutate(p.name, file, &sites); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(sites) < 500 {
		t.Errorf("there are only %d mutants", len(sites))
	}
	for _, mutant := range slices.Sorted(maps.Keys(why)) {
		if !slices.ContainsFunc(sites, func(s site) bool { return s.String() == mutant }) {
			t.Errorf("survivors.txt explains what is no mutant: %s", mutant)
		}
		if len(why[mutant]) < 20 {
			t.Errorf("%s: %q explains nothing", mutant, why[mutant])
		}
	}
}

func TestExplained(t *testing.T) {
	why, err := explained("# x\na: b: c\nd: e: f\n= they are equal\n\ng: h: i\n= so is this\n")
	if err != nil || len(why) != 3 || why["d: e: f"] != "they are equal" || why["g: h: i"] != "so is this" {
		t.Errorf("%q, %v", why, err)
	}
	for text, want := range map[string]string{
		"= nothing\n":           "reason for nothing",
		"a\n":                   "no reason for a",
		"a\n= b\n\na\n= c\n":    "twice",
		"a\n= b\n\n# x\n\n= c":  "reason for nothing",
		"a\n\nb\n= c\n\nd\n\n#": "no reason for d",
	} {
		if _, err := explained(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What all mutants are in is a program: nothing that the detectors have may be broken in a way that does not compile.
func TestMutantsCanBeBuilt(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the detectors")
	}
	t.Chdir(filepath.Join("..", ".."))
	dir := t.TempDir()
	if _, err := build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mutants")); err != nil {
		t.Error(err)
	}
}
