// Package mutant is what broken detectors ask whether they are to be broken, and where: hack/mutants writes the questions into them.
package mutant

import "cmp"

// active is the number of the mutant that is to be broken; 0 for none.
var active int

// Set says which mutant is to be broken from now on. Nothing may run meanwhile.
func Set(number int) { active = number }

// On reports whether it is this one.
func On(number int) bool { return active == number }

// Compare is a OP b, or, for a mutant that is to be broken, the comparison next to it: < for <=, and the like.
func Compare[T cmp.Ordered](number int, a T, op string, b T) bool {
	c := cmp.Compare(a, b)
	shifted := On(number)
	switch op {
	case "<":
		return c < 0 || shifted && c == 0
	case "<=":
		return c < 0 || !shifted && c == 0
	case ">":
		return c > 0 || shifted && c == 0
	default: // ">="
		return c > 0 || !shifted && c == 0
	}
}
