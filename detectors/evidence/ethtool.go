package evidence

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Feature is one line of `ethtool -k`: something that a link's driver may do in the kernel's place.
type Feature struct {
	Dev string
	// Name is as ethtool prints it, such as "tx-udp_tnl-csum-segmentation".
	Name string
	On   bool
	// Fixed says that it cannot be changed.
	Fixed bool
	// Pos is its place in the file.
	Pos Pos
}

// Features yields the features of a node's VXLAN links, of the links they go out by, and of its bridges, from EthtoolFile:
// what `ethtool -k` printed of one link after the other. Comments are passed over. An error is yielded last.
func (b *Bundle) Features(node string) iter.Seq2[Feature, error] {
	return func(yield func(Feature, error) bool) {
		dev := ""
		err := b.lines(node, EthtoolFile, func(line string, at Pos) error {
			if strings.HasPrefix(line, "#") {
				return nil
			}
			if title, ok := strings.CutPrefix(line, "Features for "); ok {
				if dev, ok = strings.CutSuffix(title, ":"); !ok || dev == "" {
					return fmt.Errorf(`want "Features for LINK:", found %.40q`, line)
				}
				return nil
			}
			if dev == "" {
				return errors.New(`want "Features for LINK:" first, as ethtool -k prints it`)
			}
			f := Feature{Dev: dev, Pos: at}
			name, state, ok := strings.Cut(strings.TrimPrefix(line, "\t"), ": ")
			// The state may be followed by "[fixed]", "[requested on]" or "[requested off]".
			state, note, _ := strings.Cut(state, " ")
			if !ok || name == "" || state != "on" && state != "off" {
				return fmt.Errorf(`want "FEATURE: on" or "FEATURE: off", found %.40q`, line)
			}
			f.Name, f.On, f.Fixed = name, state == "on", note == "[fixed]"
			if !yield(f, nil) {
				return errStop
			}
			return nil
		})
		if err != nil {
			yield(Feature{}, err)
		}
	}
}
