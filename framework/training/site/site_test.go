package site

import (
	"reflect"
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	const seeds = 500
	firsts := map[int]int{}
	seen := map[string]uint64{}
	for seed := range uint64(seeds) {
		s := Of(seed, 3)
		if again := Of(seed, 3); !reflect.DeepEqual(s, again) {
			t.Fatalf("seed %d gives %+v, and then %+v", seed, s, again)
		}
		if err := s.Check(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if len(s.Nodes) != 3 {
			t.Errorf("seed %d has %d nodes", seed, len(s.Nodes))
		}
		firsts[slices.Index(s.Nodes, s.Parts[0])]++
		key := s.PodNetwork.String() + s.Underlay.String() + s.Nodes[0]
		if other, ok := seen[key]; ok {
			t.Errorf("seeds %d and %d give one site", other, seed)
		}
		seen[key] = seed
	}
	// Whoever guesses which node plays the first part is right about each third time.
	for place := range 3 {
		if n := firsts[place]; n < seeds/5 || n > seeds/2 {
			t.Errorf("the node at place %d plays the first part %d times in %d", place, n, seeds)
		}
	}
}

func TestLargestSite(t *testing.T) {
	s := Of(1, MaxNodes)
	if err := s.Check(); err != nil || len(s.Nodes) != MaxNodes {
		t.Errorf("%d nodes, %v", len(s.Nodes), err)
	}
}
