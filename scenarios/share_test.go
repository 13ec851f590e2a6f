package scenarios_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
)

var share = flag.Int("share", 1, "of the specs that take long, about one in so many is run; the seed draws which")

// inLines is the label of a spec that is too long to be drawn as a whole: it asks for each of its lines.
const inLines = "in-lines"

// Of the specs that take long, a run may do a share: who runs the suite often has seen all of them before long.
var _ = BeforeEach(func() {
	spec := CurrentSpecReport()
	has := func(label string) bool { return slices.Contains(spec.Labels(), label) }
	if (has(thorough) || has("sigkill")) && !has(inLines) && !drawnNow(spec.FullText()) {
		Skip(fmt.Sprintf("not in this run's share: about one in %d, drawn by the seed", *share))
	}
})

// drawnNow says whether the seed of this run draws it.
func drawnNow(text string) bool { return drawn(text, *share, GinkgoRandomSeed()) }

// drawn says whether the seed draws a spec: each process of a suite asks, and all must be told the same.
func drawn(text string, share int, seed int64) bool {
	h := fnv.New64a()
	fmt.Fprint(h, seed, text)
	return h.Sum64()%uint64(share) == 0
}

func TestDrawn(t *testing.T) {
	const specs, seeds, share = 40, 100, 4
	all := 0
	for spec := range specs {
		text := fmt.Sprintf("spec %d", spec)
		times := 0
		for seed := range int64(seeds) {
			if drawn(text, share, seed) {
				times++
			}
			if !drawn(text, 1, seed) {
				t.Fatalf("%s is not drawn where all are", text)
			}
		}
		if times == 0 {
			t.Errorf("%s is never drawn", text)
		}
		all += times
	}
	if want := specs * seeds / share; all < want*9/10 || all > want*11/10 {
		t.Errorf("%d are drawn in all, want about %d", all, want)
	}
}
