package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/detectortest"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/hack/mutants/mutant"
)

// patience is how long a mutant may take for all bundles: one that never ends is found out by that.
const patience = 60 * time.Second

// work breaks a part by one mutant after another, and says of each on standard output that it begins, and what became of it.
func work(ctx context.Context, name string, from, to int) error {
	list, err := chosen([]string{name})
	if err != nil {
		return err
	}
	p := list[0]
	bundles, err := load(p)
	if err != nil {
		return err
	}
	paths, err := p.cases()
	if err != nil {
		return err
	}
	for n := from; n <= to; n++ {
		fmt.Printf("%d begins\n", n)
		watchdog := time.AfterFunc(patience, func() { os.Exit(1) })
		mutant.Set(n)
		end, err := fate(ctx, p.detectors, bundles, paths)
		mutant.Set(0)
		watchdog.Stop()
		if err != nil {
			return err
		}
		fmt.Printf("%d %s\n", n, end)
	}
	return nil
}

// What becomes of a mutant.
const (
	byGate   = "killed by a cell"
	byText   = "killed by a text"
	survived = "survived"
)

// fate is what becomes of the mutant that is active: a cell of the gate is not as it should be, or else what is said of a case of the
// detectors' own differs from its part "want", which has the evidence and the remedies as well.
func fate(ctx context.Context, asked []detectors.Detector, bundles []bundle, paths []string) (string, error) {
	judge := gate.Ours(asked)
	for _, b := range bundles {
		answers, err := judge(ctx, gate.Given{Files: b.files})
		if err != nil {
			return "", err
		}
		for _, d := range asked {
			if !gate.Compare(b.Source, d.Name, answers[d.Name]).Right {
				return byGate, nil
			}
		}
	}
	for _, path := range paths {
		c, err := cases.Read(path)
		if err != nil {
			return "", err
		}
		own := slices.DeleteFunc(slices.Clone(asked), func(d detectors.Detector) bool {
			return strings.ReplaceAll(d.Name, "-", "") != filepath.Base(filepath.Dir(filepath.Dir(path)))
		})
		if detectortest.Render(detectors.Run(ctx, evidence.New(c.Files), own).Findings) != c.Want {
			return byText, nil
		}
	}
	return survived, nil
}

// bundle is one of the gate's, in memory.
type bundle struct {
	gate.Source
	files fstest.MapFS
}

// load reads the recorded bundles, the cases of the part's detector first: they kill most.
func load(p part) ([]bundle, error) {
	sources, _, err := gate.Recorded(".")
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(sources, func(a, b gate.Source) int {
		own := func(s gate.Source) int {
			if slices.Contains(p.folders, strings.Split(s.Name, "/")[0]) {
				return 0
			}
			return 1
		}
		return own(a) - own(b)
	})
	var bundles []bundle
	for _, s := range sources {
		files, err := inMemory(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		bundles = append(bundles, bundle{s, files})
	}
	return bundles, nil
}

func inMemory(s gate.Source) (fstest.MapFS, error) {
	source, err := s.Open()
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	err = fs.WalkDir(source, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(source, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	return files, err
}
