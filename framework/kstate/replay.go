package kstate

import (
	"fmt"

	"github.com/netfault/netfault/framework/internal/rtnl"
)

// replays says for each kind of row how it is made and removed.
var replays = map[string]rtnl.Replay{
	KindQdisc:     rtnl.Qdisc,
	KindFilter:    rtnl.Filter,
	KindAddress:   rtnl.Address,
	KindRoute:     rtnl.Route,
	KindRule:      rtnl.Rule,
	KindNeighbour: rtnl.Neighbour,
	KindFDB:       rtnl.FDB,
}

// renumbering maps the numbers that links had in want to those that links of the same names have now.
func renumbering(want names, now []Link) func(int) (int, error) {
	byName := make(map[string]int, len(now))
	for _, l := range now {
		byName[l.Name] = l.Index
	}
	return func(old int) (int, error) {
		name, ok := want[old]
		if !ok {
			return 0, fmt.Errorf("no link with the number %d was recorded", old)
		}
		index, ok := byName[name]
		if !ok {
			return 0, fmt.Errorf("there is no link %s", name)
		}
		return index, nil
	}
}
