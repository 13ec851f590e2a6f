package evidence

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// TWRecycle is one entry of TWRecycleFile: a network namespace in which something stands in for the kernel's
// net.ipv4.tcp_tw_recycle.
type TWRecycle struct {
	// Source says what stands in and why, such as "emulated (Linux 6.18 has no such setting)".
	Source string `json:"source"`
	// Semantics is the kernel whose rules are followed: "3.10", "el7" or "4.x".
	Semantics string `json:"semantics"`
	// Value is that of the setting, 0 or 1.
	Value *int `json:"value"`
	// Scope names the network namespace, such as "pod-n1".
	Scope string `json:"scope"`
	// Dropped counts the SYNs that were dropped by it.
	Dropped uint64 `json:"dropped"`
	// Pos is its place in the file.
	Pos Pos `json:"-"`
}

// On reports whether the setting is 1.
func (e TWRecycle) On() bool { return *e.Value == 1 }

// twSemantics are the kernels whose rules differ.
var twSemantics = []string{"3.10", "el7", "4.x"}

// TWRecycle yields what stands in for net.ipv4.tcp_tw_recycle on a node, from TWRecycleFile, which is only where
// something does. An error is yielded last.
func (b *Bundle) TWRecycle(node string) iter.Seq2[TWRecycle, error] {
	return nodeEntries(b, node, TWRecycleFile, func(e *TWRecycle, at Pos) error {
		e.Pos = at
		switch {
		case e.Source == "" || e.Scope == "":
			return errors.New("an entry lacks source or scope")
		case !slices.Contains(twSemantics, e.Semantics):
			return fmt.Errorf("scope %.20q: semantics %.20q: want one of %q", e.Scope, e.Semantics, twSemantics)
		case e.Value == nil || *e.Value != 0 && *e.Value != 1:
			return fmt.Errorf("scope %.20q: value: want 0 or 1", e.Scope)
		}
		return nil
	})
}
