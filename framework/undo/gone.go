package undo

import "slices"

// Gone lists, one line each, what was there before and while a fault was in force, and is not there now: whoever healed the fault has
// taken it away. What only has changed is none of that, nor what the fault itself took away.
func Gone(before, faulty, now Recorded) []string {
	then, left := things(faulty), things(now)
	var gone []string
	for _, thing := range things(before) {
		if slices.Contains(then, thing) && !slices.Contains(left, thing) {
			gone = append(gone, thing)
		}
	}
	return slices.Compact(gone)
}

// things names what is on all machines, sorted.
func things(r Recorded) []string {
	var all []string
	for name, m := range r.Machines {
		for _, thing := range m.Network.Things() {
			all = append(all, name+": "+thing)
		}
		for _, process := range m.Processes {
			all = append(all, name+": process "+process)
		}
		for path := range m.Options {
			all = append(all, name+": options "+path)
		}
	}
	for _, node := range r.Flannel {
		all = append(all, "flanneld on "+node)
	}
	for _, l := range r.Leases {
		all = append(all, "lease of "+l.Node+" for "+l.PodCIDR)
	}
	slices.Sort(all)
	return all
}
