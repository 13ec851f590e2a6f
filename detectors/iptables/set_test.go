package iptables

import (
	"math/rand/v2"
	"testing"
)

// smallSet returns a set of numbers below 16, and the same as bits.
func smallSet(r *rand.Rand) (s set, bits uint16) {
	for range r.IntN(4) {
		lo := uint32(r.IntN(16))
		hi := min(lo+uint32(r.IntN(5)), 15)
		s = newSet(append(s, span{lo, hi})...)
		for n := lo; n <= hi; n++ {
			bits |= 1 << n
		}
	}
	return s, bits
}

func TestSets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		a, abits := smallSet(r)
		b, bbits := smallSet(r)
		for name, test := range map[string]struct {
			got  set
			want uint16
		}{"and": {a.and(b), abits & bbits}, "minus": {a.minus(b), abits &^ bbits}, "or": {a.or(b), abits | bbits}} {
			for i, p := range test.got {
				if p.lo > p.hi || i > 0 && p.lo <= test.got[i-1].hi+1 {
					t.Fatalf("%v %s %v = %v is not in order", a, name, b, test.got)
				}
			}
			for n := range uint32(16) {
				if test.got.has(n) != (test.want>>n&1 == 1) {
					t.Fatalf("%v %s %v = %v: %d is wrong", a, name, b, test.got, n)
				}
			}
		}
		if a.within(b) != (abits&^bbits == 0) {
			t.Fatalf("%v within %v", a, b)
		}
	}
	if rest := all.minus(set{{5, 1<<32 - 1}}).minus(set{{0, 3}}); len(rest) != 1 || rest[0] != (span{4, 4}) {
		t.Errorf("at the ends: %v", rest)
	}
}

// What is taken out of a box is out, the rest is there once, and joining puts together no more and no less.
func TestBoxes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func() (b box) {
		for d := range b {
			for b[d] == nil {
				b[d], _ = smallSet(r)
			}
		}
		return b
	}
	has := func(boxes []box, point [dims]uint32) (times int) {
		for _, b := range boxes {
			in := true
			for d, s := range b {
				in = in && s.has(point[d])
			}
			if in {
				times++
			}
		}
		return times
	}
	for range 500 {
		a, b := random(), random()
		rest := a.minus(&b)
		joined := joinBoxes(append([]box{}, rest...))
		for range 300 {
			var point [dims]uint32
			for d := range point {
				point[d] = uint32(r.IntN(16))
			}
			want := has([]box{a}, point)
			if has([]box{b}, point) == 1 {
				want = 0
			}
			if has(rest, point) != want || has(joined, point) != want {
				t.Fatalf("%v minus %v: %v has %v %d times, joined %d times", a, b, rest, point, has(rest, point), has(joined, point))
			}
		}
	}
}
