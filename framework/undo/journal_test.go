package undo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
)

type labIn struct {
	lab.Lab
	dir string
}

func (l labIn) Name() string     { return "netns:" + filepath.Base(l.dir) }
func (l labIn) StateDir() string { return l.dir }

// labWith is a lab named big with this journal, and its lock. It has no machines, and whoever asks for them panics.
func labWith(t *testing.T, journal string) *lock.Held {
	t.Helper()
	l := labIn{dir: filepath.Join(t.TempDir(), "big")}
	if err := os.Mkdir(l.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if journal != "" {
		if err := os.WriteFile(journalPath(l.dir), []byte(journal), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, err := lock.Take(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

const anothers = `{"version":1,"scenario":"stale-vtep","by":{"pid":1,"start":1},"before":{"machines":{"n1":{}}}}`

// A journal that cannot be used is never taken for none.
func TestUnusableJournal(t *testing.T) {
	for name, journal := range map[string]string{
		"cut off": anothers[:40], "empty": " ", "another version": `{"version":7}`, "of nothing": `{"version":1,"scenario":"x"}`,
	} {
		l := labWith(t, journal)
		_, beginErr := Begin(t.Context(), l, "x")
		for what, err := range map[string]error{"None": None(l), "Begin": beginErr, "Undo": Undo(t.Context(), l), "UndoOwn": UndoOwn(t.Context(), l)} {
			if err == nil || !strings.Contains(err.Error(), "`netfault lab down --lab=big` removes the lab") {
				t.Errorf("%s: %s says %v", name, what, err)
			}
		}
		if _, err := os.Stat(journalPath(l.StateDir())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingInForce(t *testing.T) {
	l := labWith(t, "")
	for _, err := range []error{None(l), Undo(t.Context(), l), UndoOwn(t.Context(), l)} {
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := Read(l); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// What another process has begun is neither recorded over nor undone by who failed to begin something.
func TestAnothersJournal(t *testing.T) {
	l := labWith(t, anothers)
	if err := UndoOwn(t.Context(), l); err != nil {
		t.Error(err)
	}
	_, err := Begin(t.Context(), l, "x")
	for _, want := range []string{"stale-vtep is in force", "`netfault fault heal --lab=big`", "`netfault reset --lab=big`"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if j, err := Read(l); err != nil || j.Scenario != "stale-vtep" {
		t.Errorf("the journal is %+v, %v", j, err)
	}
}

func TestOnlyWhoHoldsTheLockChangesALab(t *testing.T) {
	l := labWith(t, anothers)
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	_, beginErr := Begin(t.Context(), l, "x")
	for what, err := range map[string]error{"Begin": beginErr, "Undo": Undo(t.Context(), l), "Restore": Restore(t.Context(), l, Recorded{}, Recorded{})} {
		if err == nil || !strings.Contains(err.Error(), "was released") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
