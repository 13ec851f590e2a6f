package kstate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/collect/procsys"
)

// readSysctls reads the writable sysctls. What a namespace cannot write is the whole machine's (nf_conntrack_max), a count
// (nf_conntrack_count), or a list of what the kernel knows.
func readSysctls(ctx context.Context) (map[string]string, error) {
	entries, err := procsys.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sysctls: %w", err)
	}
	m := make(map[string]string, len(entries))
	for _, e := range entries {
		if e.Writable {
			m[e.Key] = e.Value
		}
	}
	return m, nil
}

// sysctlLink returns the link that a sysctl is of: net.ipv4.conf.NAME.forwarding, net.ipv6.neigh.NAME.gc_stale_time. The
// result is empty for a sysctl of the whole namespace, "all" and "default" among them.
func sysctlLink(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) != 5 || parts[2] != "conf" && parts[2] != "neigh" || parts[3] == "all" || parts[3] == "default" {
		return ""
	}
	return strings.ReplaceAll(parts[3], "/", ".")
}

// sysctls sets what differs: first the namespace's, since "all", "default" and ip_forward set those of the links, then the
// links', as far as they differ then. The error is that they could not be read.
func (r *restorer) sysctls() error {
	for _, ofLinks := range []bool{false, true} {
		wrote := false
		for _, d := range diffSysctls(r.want, r.got) {
			if ofLinks == (sysctlLink(d.Object) != "") {
				r.failed(d.Kind, d.Object, procsys.Write(d.Object, r.want.Sysctls[d.Object]))
				wrote = true
			}
		}
		if wrote && !ofLinks {
			if err := r.readSysctls(); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSysctls brings got's sysctls up to date.
func (r *restorer) readSysctls() (err error) {
	r.got.Sysctls, err = readSysctls(r.ctx)
	return err
}

func diffSysctls(want, got State) []Difference {
	onBoth := func(key string) bool {
		name := sysctlLink(key)
		if name == "" {
			return true
		}
		_, inWant := want.link(name)
		_, inGot := got.link(name)
		return inWant && inGot
	}
	var diffs []Difference
	for _, key := range slices.Sorted(maps.Keys(want.Sysctls)) {
		w := want.Sysctls[key]
		g, there := got.Sysctls[key]
		if there && w == g || !onBoth(key) {
			continue
		}
		diffs = append(diffs, Difference{Kind: KindSysctl, Object: key, Want: valueText(w, true), Got: valueText(g, there)})
	}
	return diffs
}

// valueText tells an empty value from none.
func valueText(v string, there bool) string {
	if there && v == "" {
		return `""`
	}
	return v
}
