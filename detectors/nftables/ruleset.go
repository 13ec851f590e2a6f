package nftables

import (
	"fmt"
	"regexp"
	"slices"
)

// Ruleset is what nft printed. It is not changed once parsed.
type Ruleset struct {
	Tables []*Table
}

// Table returns a table, nil if it is not there.
func (r *Ruleset) Table(family, name string) *Table {
	for _, t := range r.Tables {
		if t.Family == family && t.Name == name {
			return t
		}
	}
	return nil
}

// Table is a table with all that is in it.
type Table struct {
	Family, Name string
	// Dormant tables have no effect.
	Dormant bool
	// Chains stand in the order of the file, which is the one in which they were made.
	Chains []*Chain

	chains map[string]*Chain
	sets   map[string]*Set
}

// String names the table as nft does.
func (t *Table) String() string { return t.Family + " " + t.Name }

// Chain returns a chain, nil if it is not there.
func (t *Table) Chain(name string) *Chain { return t.chains[name] }

// Set returns a set or map, nil if it is not there.
func (t *Table) Set(name string) *Set { return t.sets[name] }

// Listed reports whether the elements of the table's sets are in the file. `nft -t` leaves them out, and the file does not say
// so; but where one set has elements, the others without have none.
func (t *Table) Listed() bool {
	for _, s := range t.sets {
		if len(s.Elems) > 0 {
			return true
		}
	}
	return false
}

// Chain is a list of rules.
type Chain struct {
	Table *Table
	Name  string
	// Type, Hook, Prio and Policy are those of base chains, which the kernel hands packets to; the others have Hook "".
	Type, Hook string
	Prio       int
	Policy     string
	Rules      []*Rule
	// At is the offset of its object's first byte in the file, plus 1.
	At int64
}

// Rule is a rule.
type Rule struct {
	Chain *Chain
	// Handle is the rule's number in its table, by which it can be deleted.
	Handle  uint64
	Comment string
	// Statements are done in this order.
	Statements []Statement
	// At is the offset of its object's first byte in the file, plus 1.
	At int64
}

// Statement is a condition or an action. Arg is what JSON has for it: nil, a bool, float64, string, []any or map[string]any.
type Statement struct {
	Name string
	Arg  any
}

// Set is a named set or map.
type Set struct {
	Name string
	// Type is that of the keys, with several parts if they are concatenations.
	Type []string
	// Flags may be "interval", "timeout", "dynamic" and others.
	Flags []string
	// Elems are keys, as JSON has them; those of maps have values.
	Elems []Elem
}

// Changes reports whether packets and time change what is in the set.
func (s *Set) Changes() bool {
	return slices.Contains(s.Flags, "dynamic") || slices.Contains(s.Flags, "timeout")
}

// Elem is an element of a set or, with a value, of a map.
type Elem struct {
	Key, Value any
}

var name = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9/_.-]*$`)

// IsName reports whether nft's command line takes s as a name. The kernel lets names have any characters.
func IsName(s string) bool { return name.MatchString(s) }

// SyntaxError says where a file is not what nft prints.
type SyntaxError struct {
	// At is the offset of the object in the file, plus 1; 0 for none.
	At int64
	// Reason says what is wrong there.
	Reason string
}

// Error returns the reason.
func (e *SyntaxError) Error() string {
	if e.At == 0 {
		return e.Reason
	}
	return fmt.Sprintf("byte %d: %s", e.At, e.Reason)
}
