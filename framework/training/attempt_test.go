package training

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func created(t *testing.T, s Store) *Attempt {
	t.Helper()
	a, err := s.Create(Attempt{Code: "lisbon", Seed: 7, Lab: "site-1", Language: Chinese})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func logOf(t *testing.T, a *Attempt) Log {
	t.Helper()
	log, err := a.Log()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestOneAttemptRunsAtATime(t *testing.T) {
	s := Store{t.TempDir()}
	if _, err := s.Running(); !errors.Is(err, ErrNone) {
		t.Fatalf("nothing was begun, and: %v", err)
	}
	a := created(t, s)
	if _, err := s.Create(Attempt{Code: "oslo"}); err == nil {
		t.Error("a second one may run beside it")
	} else if running, ok := errors.AsType[*RunningError](err); !ok || running.Code != "lisbon" {
		t.Errorf("%v", err)
	}
	got, err := s.Running()
	if err != nil || got.Code != "lisbon" || got.Seed != 7 || got.Lab != "site-1" || got.Language != Chinese || got.Dir() != a.Dir() {
		t.Errorf("%+v, %v", got, err)
	}
	if err := a.Add(Entry{Kind: Stopped}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Running(); !errors.Is(err, ErrNone) {
		t.Errorf("it is stopped, and: %v", err)
	}
	created(t, s)
	if all, err := s.All(); err != nil || len(all) != 2 {
		t.Errorf("%d attempts, %v", len(all), err)
	}
}

// An attempt whose making was killed is none, and one that never began is forgotten.
func TestAttemptsThatWereNeverMadeAreNone(t *testing.T) {
	s := Store{t.TempDir()}
	if err := os.MkdirAll(filepath.Join(s.Dir, "20261126-lisbon", sessionsDir), 0o700); err != nil {
		t.Fatal(err)
	}
	a := created(t, s)
	if err := a.Forget(); err != nil {
		t.Fatal(err)
	}
	if all, err := s.All(); err != nil || len(all) != 0 {
		t.Errorf("%d attempts, %v", len(all), err)
	}
}

// Shells, checks and hints write into one log, and each may be killed while it does.
func TestTheLogIsWholeWhoeverWritesIt(t *testing.T) {
	a := created(t, Store{t.TempDir()})
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for range 10 {
				if err := a.Add(Entry{Kind: Ran, Machine: fmt.Sprint(i), Argv: []string{"ip", "neigh"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	f, err := os.OpenFile(a.file(logFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n" + `{"at":"2026-11-26T15:00:20Z","kind":"che`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := a.Add(Entry{Kind: Checked, Verdict: Healed}); err != nil {
		t.Fatal(err)
	}
	log := logOf(t, a)
	if len(log) != 81 || log.Healed() == nil {
		t.Errorf("%d entries, the last %+v", len(log), log[len(log)-1])
	}
}

func TestPointsAreForWhoHealed(t *testing.T) {
	alarm, hint, solution := Entry{Kind: Alarm}, Entry{Kind: Hinted, Finding: "f", Step: 1}, Entry{Kind: Solved}
	broken, healed := Entry{Kind: Checked, Verdict: Broken}, Entry{Kind: Checked, Verdict: Healed}
	for _, c := range []struct {
		name string
		log  Log
		want int
	}{
		{"not healed", Log{alarm, hint, broken}, 0},
		{"without help", Log{alarm, broken, broken, healed}, Full},
		{"two hints", Log{alarm, hint, hint, healed}, Full - 2*HintCost},
		{"the solution, twice", Log{alarm, solution, solution, healed}, Full - SolutionCost},
		{"help when it was healed", Log{alarm, healed, hint, solution, healed}, Full},
		{"more help than points", Log{alarm, hint, hint, hint, hint, hint, hint, solution, healed}, 0},
	} {
		if got := c.log.Points(); got != c.want {
			t.Errorf("%s: %d points, want %d", c.name, got, c.want)
		}
	}
}

func TestTheClockRunsFromTheFirstAlarmUntilItIsHealed(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	log := Log{
		{At: at(100), Kind: Alarm}, {At: at(150), Kind: Rebuilt}, {At: at(160), Kind: Alarm},
		{At: at(200), Kind: Checked, Verdict: Healed}, {At: at(900), Kind: Stopped},
	}
	if got := log.Took(); got != 100*time.Second {
		t.Errorf("it took %v", got)
	}
	if got := append(log[:3:3], log[4]).Took(); got != 800*time.Second {
		t.Errorf("one that was given up took %v", got)
	}
	if got := (Log{}).Took(); got != 0 {
		t.Errorf("one that never began took %v", got)
	}
}

// A second server of a store would take the first's attempts for left over.
func TestOneServesAStore(t *testing.T) {
	s := Store{t.TempDir()}
	release, err := s.Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Serving(t.Context()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d serves exercises of %s", os.Getpid(), s.Dir)) {
		t.Errorf("a second one: %v", err)
	}
	if all, err := s.All(); err != nil || len(all) != 0 {
		t.Errorf("attempts of a store that is served: %v, %v", all, err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = s.Serving(t.Context())
	if err != nil {
		t.Fatalf("after it has ended: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// An attempt that ended with a page that is gone is over; one that somebody has started by itself goes on.
func TestBeginEndsWhatAPageHasLeft(t *testing.T) {
	s := Store{t.TempDir()}
	left, err := s.Begin(Attempt{Code: "lisbon"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Begin(Attempt{Code: "oslo"})
	if err != nil {
		t.Fatal(err)
	}
	if logOf(t, left).last(Stopped) == nil || logOf(t, again).last(Stopped) != nil {
		t.Error("the one that was left is to be stopped, and the new one is not")
	}
	other := Store{t.TempDir()}
	own := created(t, other)
	if _, err := other.Begin(Attempt{Code: "oslo"}); err == nil || logOf(t, own).last(Stopped) != nil {
		t.Errorf("an attempt that stands on its own: %v", err)
	}
}
