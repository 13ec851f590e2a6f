package evidence

import (
	"fmt"
	"iter"
	"strings"
)

// Module is one line of /proc/modules.
type Module struct {
	Name string
	// State is "Live", "Loading" or "Unloading".
	State string
	// Pos is its place in the file.
	Pos Pos
}

// Modules yields the kernel modules in a node's ModulesFile: br_netfilter, where it is loaded, or more. What is built into
// the kernel is not among them. Comments are passed over. An error is yielded last.
func (b *Bundle) Modules(node string) iter.Seq2[Module, error] {
	return func(yield func(Module, error) bool) {
		err := b.lines(node, ModulesFile, func(line string, at Pos) error {
			if strings.HasPrefix(line, "#") {
				return nil
			}
			// NAME SIZE USERS DEPENDENTS STATE, and the address, which is left out of bundles.
			fields := strings.Fields(line)
			if len(fields) < 5 {
				return fmt.Errorf("want a line of /proc/modules, found %.40q", line)
			}
			if !yield(Module{Name: fields[0], State: fields[4], Pos: at}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil {
			yield(Module{}, err)
		}
	}
}
