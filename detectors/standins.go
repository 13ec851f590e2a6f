package detectors

import (
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// standIns says what played the part of something real where the bundle comes from: by its bundle.json, and by what its nodes have in
// the place of a setting that their kernel lacks. What cannot be read is for the detectors to say.
func standIns(b *evidence.Bundle, info evidence.Info) (all []string) {
	add := func(what string) {
		if what = OneLine(what); what != "" && !slices.Contains(all, what) {
			all = append(all, what)
		}
	}
	for _, s := range info.StandIns {
		add(s)
	}
	nodes, err := b.Nodes()
	if err != nil {
		return all
	}
	for _, node := range nodes {
		for e, err := range b.TWRecycle(node) {
			if err != nil {
				break
			}
			if strings.HasPrefix(e.Source, "emulated") {
				add("tcp_tw_recycle, " + e.Source)
			}
		}
	}
	return all
}
