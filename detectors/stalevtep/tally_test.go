package stalevtep

import "testing"

// What the workers counted adds up the same in whatever order they are taken.
func TestTally(t *testing.T) {
	a, b := tally{asLease: 2, asLink: 1, follower: 7}, tally{asLease: 1, other: 1, missing: 3, follower: 4}
	want := tally{asLease: 3, asLink: 1, other: 1, missing: 3, follower: 4}
	for _, order := range [][]tally{{a, b, {}}, {b, a, {}}, {{}, a, b}} {
		var sum tally
		for _, u := range order {
			sum.add(u)
		}
		if sum != want {
			t.Errorf("got %+v, want %+v", sum, want)
		}
	}
}
