package evidence

import (
	"iter"
	"strings"
)

// Routes yields the routes of a node, from RouteFile. An error is yielded last.
func (b *Bundle) Routes(node string) iter.Seq2[Route, error] {
	return func(yield func(Route, error) bool) {
		var seen families
		for r, err := range nodeEntries(b, node, RouteFile, func(r *Route, at Pos) error {
			r.Pos = at
			return require("dst", r.Dst)
		}) {
			if err == nil {
				r.IPv6 = seen.isIPv6(&r)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// IsUnicast reports whether the route leads somewhere. `ip` does not name that type unless it is asked for details.
func (r *Route) IsUnicast() bool { return r.Type == "" || r.Type == "unicast" }

// InMain reports whether the route is one of table main, which `ip` does not name either.
func (r *Route) InMain() bool { return r.Table == "" || r.Table == "main" }

// families tells a default route's family by what stands before it, since "default" has none: the kernel lists all IPv4 routes
// before those of IPv6, and of each family table main before table local.
type families struct {
	ipv6, mainFirst, localAfterMain bool
}

// isIPv6 returns the family of the next route of the list. `ip` prints a preference for IPv6's since Linux 4.1.
func (f *families) isIPv6(r *Route) bool {
	colon := func(s string) bool { return strings.Contains(s, ":") }
	main := r.InMain()
	switch {
	case colon(r.Dst) || colon(r.PrefSrc) || r.Pref != "" || r.Dst == "default" && colon(r.Gateway):
		f.ipv6 = true
	case r.Dst != "default":
		f.mainFirst = f.mainFirst || main
		f.localAfterMain = f.localAfterMain || f.mainFirst && r.Table == "local"
		return false
	case f.localAfterMain && main:
		f.ipv6 = true
	}
	return f.ipv6
}
