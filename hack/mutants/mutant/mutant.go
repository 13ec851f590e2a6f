// Package mutant is what broken detectors ask whether they are to be broken, and where: hack/mutants writes the questions into them.
package mutant

import (
	"cmp"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// Variable holds the number of the mutant that a program is from its beginning on: tests are told so.
const Variable = "NETFAULT_MUTANT"

// active is the number of the mutant that is to be broken; 0 for none.
var active, _ = strconv.Atoi(os.Getenv(Variable))

// memory is how many bytes of data a mutant may have: one that collects without end ends by that.
const memory = 3 << 30

func init() {
	if active != 0 {
		_ = LimitMemory() // where it cannot be limited, the test's time ends it
	}
}

// LimitMemory limits this process.
func LimitMemory() error {
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: memory, Max: memory})
}

// asked are the mutants that asked whether it is them, while that is noted.
var asked []atomic.Bool

// Set says which mutant is to be broken from now on. Nothing may run meanwhile.
func Set(number int) { active = number }

// Reached returns which mutants could make a difference to what do does: no others need be tried there. It knows those below limit.
func Reached(limit int, do func()) []int {
	asked = make([]atomic.Bool, limit)
	do()
	var all []int
	for n := range asked {
		if asked[n].Load() {
			all = append(all, n)
		}
	}
	asked = nil
	return all
}

// On reports whether it is this one.
func On(number int) bool {
	if number < len(asked) {
		asked[number].Store(true)
	}
	return active == number
}

// Compare is a OP b, or, for a mutant that is to be broken, the comparison next to it: < for <=, and the like. Equal values alone make
// a difference.
func Compare[T cmp.Ordered](number int, a T, op string, b T) bool {
	c := cmp.Compare(a, b)
	shifted := c == 0 && On(number)
	switch op {
	case "<":
		return c < 0 || shifted
	case "<=":
		return c < 0 || c == 0 && !shifted
	case ">":
		return c > 0 || shifted
	default: // ">="
		return c > 0 || c == 0 && !shifted
	}
}
