package netns

import (
	"context"
	"fmt"
	"time"

	"github.com/netfault/netfault/framework/lab"
)

// partLimit is how long the first process of a machine may take to say which pods it keeps.
const partLimit = 5 * time.Second

// OpenPartly returns the lab of that name, of which machines and pods may have ended: they are among its machines all the same,
// and whoever runs a command there is told that they do not run. It is for those who only look.
func OpenPartly(ctx context.Context, name string) (*Lab, error) {
	r, err := readRecord(name)
	if err != nil {
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	first, err := firstProcesses(name)
	if err != nil {
		return nil, err
	}
	if first[switchName] == 0 {
		return nil, fmt.Errorf("lab %s does not run any more: `netfault lab down --lab=%s` removes what is left of it", name, name)
	}
	l := newLab(r)
	// A machine without a first process has the number 0, which no process has: its namespaces cannot be opened.
	at := func(p *place) *place {
		p.root = fmt.Sprintf("/proc/%d", first[p.name])
		p.net = p.root
		return p
	}
	l.switch_ = at(&place{name: switchName})
	l.root = l.switch_.root
	l.outside = lab.Host{Machine: at(&place{name: outsideName}), Address: outsideAddress}
	for _, n := range l.nodes {
		at(n.place)
		if first[n.name] == 0 {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, partLimit)
		// What its pods are called on says that they do not run.
		_ = n.findPods(limited)
		cancel()
	}
	return l, nil
}
