package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/hack/mutants/mutant"
)

const (
	// patience is how much of a processor's time a detector may take for one bundle, of which it needs milliseconds: a mutant that never
	// ends is found out by that. It is no time by the clock, which runs on while others use the processor.
	patience = 3 * time.Second
	// remembered is how many of the trials that killed last are tried first: what kills a mutant often kills the next line's as well.
	remembered = 12
)

// work breaks what is to be broken by one mutant after another, and says of each on standard output that it begins, and what became of
// it. Where trying it is of use stands in the file.
func work(ctx context.Context, file string, from, to int) error {
	if err := mutant.LimitMemory(); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	w := worker{}
	if err := json.Unmarshal(text, &w.trials); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if w.bundles, err = bundles(); err != nil {
		return err
	}
	of := map[int][]int{}
	for i, t := range w.trials {
		for _, n := range t.Reached {
			if from <= n && n <= to {
				of[n] = append(of[n], i)
			}
		}
	}
	for n := from; n <= to; n++ {
		fmt.Printf("%d begins\n", n)
		mutant.Set(n)
		end, err := w.fate(ctx, of[n])
		mutant.Set(0)
		if err != nil {
			// No number begins this line, so that it is no mutant's end.
			fmt.Println(err)
			return err
		}
		fmt.Printf("%d %s\n", n, end)
	}
	return nil
}

type worker struct {
	bundles []*bundle
	trials  []trial
	// killers are the trials that killed last, the last one first.
	killers []int
}

// fate is what becomes of the mutant that is active, in these trials. Where a text tells, a cell may as well: those are asked on, but not
// those of bundles that were made for another detector.
func (w *worker) fate(ctx context.Context, where []int) (string, error) {
	first := slices.DeleteFunc(slices.Clone(w.killers), func(i int) bool { return !slices.Contains(where, i) })
	rest := slices.DeleteFunc(slices.Clone(where), func(i int) bool { return slices.Contains(first, i) })
	worst := survived
	for _, i := range slices.Concat(first, rest) {
		t := w.trials[i]
		if worst == byText && t.Rank == anothersCase {
			continue
		}
		stop := endless()
		end, err := w.bundles[t.Bundle].fate(ctx, all.Detectors()[t.Detector])
		stop()
		if err != nil {
			return "", err
		}
		if end == byGate {
			others := slices.DeleteFunc(w.killers, func(k int) bool { return k == i })
			w.killers = slices.Insert(others, 0, i)
			w.killers = w.killers[:min(len(w.killers), remembered)]
			return byGate, nil
		}
		if end == byText {
			worst = byText
		}
	}
	return worst, nil
}

// endless ends this process when it has used up its patience from now on, until what it returns is called.
func endless() func() {
	begun := processor()
	var timer *time.Timer
	timer = time.AfterFunc(patience, func() {
		if processor()-begun > patience {
			os.Exit(1)
		}
		timer.Reset(patience)
	})
	return func() { timer.Stop() }
}

// processor is how long this process has had a processor.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
