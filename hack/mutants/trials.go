package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/detectortest"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/hack/mutants/mutant"
)

// bundle is one before which detectors are tried, and what is right there.
type bundle struct {
	name string
	// source is the gate's; nil for a case that is none of the gate's, since a hostile text is in it.
	source *gate.Source
	// path is the file of a case, and folder that of its detector; both are empty for other bundles.
	path, folder string
	// files and want, which is the case's part of that name, are read when they are needed first.
	files fstest.MapFS
	want  string
}

// bundles are all those of the gate in this checkout, and all cases of all detectors.
func bundles() ([]*bundle, error) {
	paths, err := filepath.Glob(filepath.Join("detectors", "*", "testdata", "*.txtar"))
	if err != nil {
		return nil, err
	}
	byName := map[string]*bundle{}
	var list []*bundle
	for _, path := range paths {
		folder := filepath.Base(filepath.Dir(filepath.Dir(path)))
		b := &bundle{name: folder + "/" + strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, folder: folder}
		byName[b.name] = b
		list = append(list, b)
	}
	sources, _, err := gate.Recorded(".")
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.Kind == gate.Case {
			byName[s.Name].source = &s
			continue
		}
		list = append(list, &bundle{name: s.String(), source: &s})
	}
	return list, nil
}

// open reads the bundle into memory.
func (b *bundle) open() error {
	if b.files != nil {
		return nil
	}
	if b.path != "" {
		c, err := cases.Read(b.path)
		b.files, b.want = c.Files, c.Want
		return err
	}
	source, err := b.source.Open()
	if err != nil {
		return err
	}
	b.files = fstest.MapFS{}
	return gate.EachFile(source, func(path string, data []byte) { b.files[path] = &fstest.MapFile{Data: data} })
}

// What becomes of a mutant.
const (
	byGate   = "killed by a cell"
	byText   = "killed by a text"
	byTest   = "killed by a unit test"
	survived = "survived"
)

// fate is what becomes of the mutant that is active, if the detector is all that is asked, and this bundle: a cell of the gate is not as
// it should be, or else what is said of a case of the detector's own differs from its part "want", which has evidence and remedies.
func (b *bundle) fate(ctx context.Context, d detectors.Detector) (string, error) {
	if err := b.open(); err != nil {
		return "", fmt.Errorf("%s: %w", b.name, err)
	}
	report := detectors.Run(ctx, evidence.New(b.files), []detectors.Detector{d})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case b.source != nil && !gate.Compare(*b.source, d.Name, gate.AnswersIn(report)[d.Name]).Right:
		return byGate, nil
	case b.folder == folderOf(d) && detectortest.Render(report.Findings) != b.want:
		return byText, nil
	}
	return survived, nil
}

func folderOf(d detectors.Detector) string { return strings.ReplaceAll(d.Name, "-", "") }

// rank says how much a detector's trial before a bundle tells.
type rank int

const (
	ownCase      rank = iota // a case of its own
	recorded                 // from a scenario or from the field
	anothersCase             // made for another detector
)

func (b *bundle) rank(d detectors.Detector) rank {
	switch b.folder {
	case folderOf(d):
		return ownCase
	case "":
		return recorded
	}
	return anothersCase
}

// seen is the same for bundles that look the same to the detector, which reads nothing but what it needs and which nodes there are.
func (b *bundle) seen(d detectors.Detector) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintln(h, d.Name)
	for _, path := range slices.Sorted(maps.Keys(b.files)) {
		node := strings.SplitN(path, "/", 3)
		if node[0]+"/" == strings.Split(detectors.NodeFiles, "*")[0] && len(node) == 3 {
			fmt.Fprintf(h, "node %q\n", node[1])
		}
		if path == evidence.InfoFile || slices.ContainsFunc(d.Needs, func(n detectors.Need) bool { return needed(n.File, path) }) {
			fmt.Fprintf(h, "file %q %q\n", path, b.files[path].Data)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// needed reports whether the path is that of the file, or of one in it, if it is a folder.
func needed(file, path string) bool {
	want, have := strings.Split(file, "/"), strings.Split(path, "/")
	return len(have) >= len(want) && slices.EqualFunc(want, have[:len(want)], func(w, h string) bool { return w == "*" || w == h })
}

// trial is one detector before one bundle.
type trial struct {
	// Bundle and Detector are places in bundles() and all.Detectors().
	Bundle, Detector int
	// Rank is what kind of trial it is; the lower, the more it tells.
	Rank rank
	// Took is how long it takes when nothing is broken.
	Took time.Duration
	// Reached are the mutants that could make a difference.
	Reached []int
}

// reach tries every detector before every bundle with nothing broken, and writes down which mutants could make a difference where.
// What is not right then is an error: nothing could be told from it.
func reach(ctx context.Context, limit int, out io.Writer) error {
	list, err := bundles()
	if err != nil {
		return err
	}
	var trials []trial
	same := map[[sha256.Size]byte]bool{}
	for i, b := range list {
		for j, d := range all.Detectors() {
			if b.source == nil && b.folder != folderOf(d) {
				continue
			}
			if err := b.open(); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			t := trial{Bundle: i, Detector: j, Rank: b.rank(d)}
			key := b.seen(d)
			if t.Rank > ownCase && same[key] {
				continue
			}
			same[key] = true
			var end string
			begun := time.Now()
			t.Reached = mutant.Reached(limit, func() { end, err = b.fate(ctx, d) })
			t.Took = time.Since(begun)
			if err != nil {
				return err
			}
			if end != survived {
				return fmt.Errorf("%s before %s is wrong already when nothing is broken: make gate test", d.Name, b.name)
			}
			trials = append(trials, t)
		}
		b.files = nil
	}
	slices.SortStableFunc(trials, func(a, b trial) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Took, b.Took))
	})
	return json.NewEncoder(out).Encode(trials)
}
