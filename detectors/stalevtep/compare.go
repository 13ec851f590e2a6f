package stalevtep

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
	"github.com/netfault/netfault/detectors/internal/parallel"
)

// comparison holds every VTEP and what each observer has for it. Indices are those of vteps throughout.
type comparison struct {
	b       *evidence.Bundle
	cluster *flannel.Cluster
	vteps   []flannel.VTEP
	// byAddr and byMAC find the first VTEP with an address or announced MAC, and nextAddr and nextMAC lead from each VTEP
	// to the next that shares it, -1 at the last.
	byAddr map[netip.Addr]int32
	byMAC  map[evidence.MAC]int32
	// cidrs are the VTEPs' pod CIDRs, and byCIDR finds one of those that have one.
	cidrs             []netip.Prefix
	byCIDR            map[netip.Prefix]int32
	nextAddr, nextMAC []int32
	observed          []observation
	tallies           []tally
}

// observation is what was found on one observer.
type observation struct {
	done bool
	// errs are why its entries, or some of them, could not be judged.
	errs []error
	// wrong counts the suspects by their kind, and suspects holds the first of them, maxPairs at most: all of them would
	// take O(pairs) memory where the whole cluster is broken.
	wrong    map[string]int
	suspects []suspect
	// flush is what its link has lost, which covers what is wrong or missing.
	flush *flush
	// routesUnread says that its routes could not be read, and were not needed for anything else.
	routesUnread bool
}

// total is how many entries are wrong or missing.
func (o *observation) total() int {
	sum := 0
	for _, n := range o.wrong {
		sum += n
	}
	return sum
}

// keep takes over what is suspected in the end.
func (o *observation) keep(suspects []suspect) {
	if len(suspects) == 0 {
		return
	}
	o.wrong = map[string]int{}
	for _, s := range suspects {
		o.wrong[s.kind]++
	}
	o.suspects = slices.Clone(suspects[:min(len(suspects), maxPairs)])
}

// suspect is an entry that is wrong or missing on an observer.
type suspect struct {
	peer int32
	// kind is ObserverStale, NeighbourMissing, FDBMissing, FDBElsewhere or RouteMissing.
	kind      string
	neighbour neighbour
	// row is where the FDB forwards to instead, for FDBElsewhere.
	row fdbRow
	// unrouted says that the observer has no route to the peer's pods either.
	unrouted bool
}

// fdbRow is a row of an observer's FDB that leads somewhere.
type fdbRow struct {
	mac evidence.MAC
	dst string
	pos evidence.Pos
}

// tally counts, for a VTEP that its observers cannot be held to, what their neighbour entries say of it.
type tally struct {
	asLease, asLink, other, missing int
	// follower is the first observer whose entry is the lease's, if asLease is not 0, and row its entry.
	follower int32
	row      neighbour
}

// neighbour is an observer's neighbour entry.
type neighbour struct {
	mac   evidence.MAC
	state evidence.NUD
	found bool
	pos   evidence.Pos
}

// resolved reports whether packets leave with the entry's address.
func (n neighbour) resolved() bool { return n.mac != 0 && n.state.Resolved() }

// forward is what an observer's FDB says of a MAC.
type forward struct {
	// right says that a row leads to a node that announces the MAC; elsewhere is the first row that does not.
	right     bool
	elsewhere fdbRow
}

func newComparison(b *evidence.Bundle, cluster *flannel.Cluster, vteps []flannel.VTEP) *comparison {
	c := &comparison{
		b:        b,
		cluster:  cluster,
		vteps:    vteps,
		byAddr:   make(map[netip.Addr]int32, len(vteps)),
		byMAC:    make(map[evidence.MAC]int32, len(vteps)),
		cidrs:    make([]netip.Prefix, len(vteps)),
		byCIDR:   make(map[netip.Prefix]int32, len(vteps)),
		nextAddr: make([]int32, len(vteps)),
		nextMAC:  make([]int32, len(vteps)),
		observed: make([]observation, len(vteps)),
		tallies:  make([]tally, len(vteps)),
	}
	for i := len(vteps) - 1; i >= 0; i-- {
		c.nextAddr[i] = first(c.byAddr, vteps[i].Addr)
		c.byAddr[vteps[i].Addr] = int32(i)
		c.nextMAC[i] = first(c.byMAC, vteps[i].Announced)
		c.byMAC[vteps[i].Announced] = int32(i)
		c.cidrs[i] = netip.MustParsePrefix(vteps[i].Lease.PodCIDR)
		c.byCIDR[c.cidrs[i]] = int32(i)
	}
	return c
}

// first returns the index that m has for key, -1 if none.
func first[K comparable](m map[K]int32, key K) int32 {
	if i, ok := m[key]; ok {
		return i
	}
	return -1
}

// observeAll fills observed and tallies, several observers side by side, each with tables of its own to read into.
func (c *comparison) observeAll(ctx context.Context) {
	n := len(c.vteps)
	tables := make([]table, parallel.Workers(n))
	parallel.Do(n, func(worker, i int) {
		t := &tables[worker]
		if t.neighbours == nil {
			*t = table{neighbours: make([]neighbour, n), forwards: make([]forward, n), routed: make([]bool, n), tallies: make([]tally, n)}
		}
		c.observe(ctx, i, t)
	})
	for w := range tables {
		for i, t := range tables[w].tallies {
			c.tallies[i].add(t)
		}
	}
}

// table is what a worker reads one observer's entries into, under the index of the VTEP that they are about, and what it
// makes of them.
type table struct {
	neighbours []neighbour
	forwards   []forward
	// routed says to whose pods the observer has a route.
	routed   []bool
	suspects []suspect
	tallies  []tally
}

func (c *comparison) observe(ctx context.Context, i int, t *table) {
	o, v := &c.observed[i], &c.vteps[i]
	if ctx.Err() != nil {
		return
	}
	o.done = true
	if !v.Collected {
		return
	}
	neighErr := c.readNeighbours(ctx, v, t.neighbours)
	fdbErr := c.readFDB(ctx, v, t.forwards)
	if ctx.Err() != nil {
		o.done = false
		return
	}
	for _, err := range []error{neighErr, fdbErr} {
		if err != nil {
			o.errs = append(o.errs, err)
		}
	}
	if neighErr != nil {
		return
	}
	c.judge(i, t, fdbErr == nil)
	if o.flush = c.flushed(i, t); o.flush != nil {
		return
	}
	c.dropByRoutes(i, t, fdbErr == nil)
	o.routesUnread = !c.suspectRoutes(ctx, i, t)
	o.keep(t.suspects)
}

// parseAddr reads an address as `ip` writes it; those of IPv4 are the most, and read without allocating.
func parseAddr(s []byte) (netip.Addr, bool) {
	if a, ok := evidence.ParseIPv4(s); ok {
		return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}), true
	}
	a, err := netip.ParseAddr(string(s))
	return a, err == nil
}

// readNeighbours reads an observer's entries for the VTEPs into table.
func (c *comparison) readNeighbours(ctx context.Context, v *flannel.VTEP, table []neighbour) error {
	clear(table)
	for row, err := range c.b.Neighbours(v.Node()) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if string(row.Dev) != v.Dev {
			continue
		}
		addr, ok := parseAddr(row.Dst)
		if !ok {
			return c.badRow(v, evidence.NeighFile, "%q is not an IP address", row.Dst)
		}
		n := neighbour{state: row.State, found: true, pos: row.Pos}
		if len(row.LLAddr) > 0 {
			if n.mac, err = evidence.ParseMAC(row.LLAddr); err != nil {
				return c.badRow(v, evidence.NeighFile, "of %s, %w", addr, err)
			}
		}
		for p := first(c.byAddr, addr); p >= 0; p = c.nextAddr[p] {
			if table[p].found {
				return c.badRow(v, evidence.NeighFile, "two entries for %s on %s", addr, v.Dev)
			}
			table[p] = n
		}
	}
	return nil
}

// readFDB reads where an observer forwards the MACs that leases announce into table. Rows of other MACs are orphans, but for
// those of the MAC 0: where they lead, the kernel forwards every MAC that has no row of its own (vxlan_xmit in
// drivers/net/vxlan/vxlan_core.c).
func (c *comparison) readFDB(ctx context.Context, v *flannel.VTEP, table []forward) error {
	clear(table)
	var defaults []fdbRow
	for row, err := range c.b.FDB(v.Node()) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if string(row.Dev) != v.Dev {
			continue
		}
		mac, err := evidence.ParseMAC(row.MAC)
		if err != nil {
			return c.badRow(v, evidence.FDBFile, "%w", err)
		}
		dst, ok := parseAddr(row.Dst)
		if !ok && len(row.Dst) > 0 {
			return c.badRow(v, evidence.FDBFile, "%s: dst %q is not an IP address", mac, row.Dst)
		}
		if mac == 0 && len(row.Dst) > 0 {
			defaults = append(defaults, fdbRow{mac, string(row.Dst), row.Pos})
			continue
		}
		start := first(c.byMAC, mac)
		right := false
		for p := start; p >= 0; p = c.nextMAC[p] {
			right = right || ok && c.vteps[p].PublicIP == dst
		}
		for p := start; p >= 0; p = c.nextMAC[p] {
			switch f := &table[p]; {
			case right:
				f.right = true
			case f.elsewhere.dst == "":
				f.elsewhere = fdbRow{mac, string(row.Dst), row.Pos}
			}
		}
	}
	if len(defaults) > 0 {
		c.forwardByDefault(table, defaults)
	}
	return nil
}

// forwardByDefault fills the MACs that have no row of their own. Every default gets a copy of the frame.
func (c *comparison) forwardByDefault(table []forward, defaults []fdbRow) {
	leads := map[string]bool{}
	for _, d := range defaults {
		leads[d.dst] = true
	}
	for p := range table {
		f := &table[p]
		switch {
		case f.right || f.elsewhere.dst != "":
		case leads[c.vteps[p].PublicIP.String()]:
			f.right = true
		default:
			f.elsewhere = defaults[0]
		}
	}
}

func (c *comparison) badRow(v *flannel.VTEP, file, format string, args ...any) error {
	return &evidence.FileError{File: evidence.NodeFile(v.Node(), file), Err: fmt.Errorf(format, args...)}
}

// judge compares observer i's entries with each peer's link and lease.
func (c *comparison) judge(i int, t *table, haveFDB bool) {
	t.suspects = t.suspects[:0]
	for p := range c.vteps {
		peer := &c.vteps[p]
		if p == i || peer.Addr == c.vteps[i].Addr {
			continue
		}
		n := t.neighbours[p]
		s := suspect{peer: int32(p), neighbour: n}
		switch {
		case peer.Drifted():
			t.tallies[p].count(i, n, peer)
			continue
		case !n.resolved():
			s.kind = NeighbourMissing
		case n.mac != peer.Announced:
			if c.announcedAt(peer.Addr, n.mac) {
				continue
			}
			if peer.State == flannel.LinkUnread && !peer.Unseen() {
				t.tallies[p].count(i, n, peer)
				continue
			}
			s.kind = ObserverStale
		case !haveFDB || c.sharesMAC(p) || !s.judgeForward(t.forwards[p]):
			continue
		}
		t.suspects = append(t.suspects, s)
	}
}

// sharesMAC reports whether another lease announces the same MAC: where its one FDB row is to lead belongs to that finding.
func (c *comparison) sharesMAC(p int) bool {
	return c.nextMAC[first(c.byMAC, c.vteps[p].Announced)] != -1
}

// announcedAt reports whether any lease of that VTEP IP announces mac.
func (c *comparison) announcedAt(addr netip.Addr, mac evidence.MAC) bool {
	for p := first(c.byAddr, addr); p >= 0; p = c.nextAddr[p] {
		if c.vteps[p].Announced == mac {
			return true
		}
	}
	return false
}

// judgeForward sets what is wrong with the FDB for a suspect's peer; ok is false if nothing is.
func (s *suspect) judgeForward(f forward) (ok bool) {
	switch {
	case f.right:
		return false
	case f.elsewhere.dst == "":
		s.kind = FDBMissing
	default:
		s.kind, s.row = FDBElsewhere, f.elsewhere
	}
	return true
}

// dropByRoutes takes back what is suspected of peers that observer i reaches by another device, and judges by their FDB rows alone
// those that it reaches by misses. Where the routes cannot be read, entries that are wrong stay, and those that are missing are in
// doubt.
func (c *comparison) dropByRoutes(i int, t *table, haveFDB bool) {
	v := &c.vteps[i]
	if len(t.suspects) == 0 {
		return
	}
	ways, err := c.waysTo(v, t.suspects)
	byMiss := map[string]bool{}
	if err == nil {
		byMiss, err = c.missPeers(v, t.suspects)
	}
	kept := t.suspects[:0]
	doubted := false
	for _, s := range t.suspects {
		missing := s.kind == NeighbourMissing || s.kind == FDBMissing
		cidr := c.vteps[s.peer].Lease.PodCIDR
		s.unrouted = err == nil && ways[cidr] == 0
		switch {
		case ways[cidr] == byOther:
		case byMiss[cidr]:
			if haveFDB && s.judgeForward(t.forwards[s.peer]) {
				kept = append(kept, s)
			}
		case err != nil && missing && !v.Broken():
			doubted = true
		default:
			kept = append(kept, s)
		}
	}
	if doubted {
		c.observed[i].errs = append(c.observed[i].errs, err)
	}
	t.suspects = kept
}

// way says by which devices an observer routes a peer's pods: byFlannel, byOther, both, or neither.
type way uint8

const (
	byFlannel way = 1 << iota
	byOther
)

// waysTo returns by which devices an observer routes the pod CIDRs of suspects.
func (c *comparison) waysTo(v *flannel.VTEP, suspects []suspect) (map[string]way, error) {
	ways := make(map[string]way, len(suspects))
	for _, s := range suspects {
		ways[c.vteps[s.peer].Lease.PodCIDR] = 0
	}
	for r, err := range c.b.Routes(v.Node()) {
		if err != nil {
			return nil, err
		}
		w, wanted := ways[r.Dst]
		if !wanted || r.Dev == "" || !r.IsUnicast() || !r.InMain() {
			continue
		}
		if v.IsLikeDev(r.Dev) {
			ways[r.Dst] = w | byFlannel
		} else {
			ways[r.Dst] = w | byOther
		}
	}
	return ways, nil
}

// missPeers returns which pod CIDRs of suspects an observer reaches by L3 misses, as flannel up to v0.8 works: a route by its flannel
// link without a gateway makes each pod's own address the neighbour, which flanneld tells the kernel when it asks. Then the VTEP
// address needs no entry, and whatever entry it has decides nothing for pods.
func (c *comparison) missPeers(v *flannel.VTEP, suspects []suspect) (map[string]bool, error) {
	routes, err := v.Routes(c.b)
	if err != nil {
		return nil, err
	}
	byMiss := map[string]bool{}
	for _, s := range suspects {
		cidr := c.vteps[s.peer].Lease.PodCIDR
		r, ok := routes.Covering(netip.MustParsePrefix(cidr))
		byMiss[cidr] = ok && r.Unicast && r.Gateway == "" && v.IsLikeDev(r.Dev)
	}
	return byMiss, nil
}

// count adds observer i's entry for v.
func (t *tally) count(i int, n neighbour, v *flannel.VTEP) {
	switch {
	case !n.resolved():
		t.missing++
	case n.mac == v.Announced:
		if t.asLease == 0 || int32(i) < t.follower {
			t.follower, t.row = int32(i), n
		}
		t.asLease++
	case n.mac == v.Live:
		t.asLink++
	default:
		t.other++
	}
}

// add adds what another worker counted.
func (t *tally) add(u tally) {
	if u.asLease > 0 && (t.asLease == 0 || u.follower < t.follower) {
		t.follower, t.row = u.follower, u.row
	}
	t.asLease += u.asLease
	t.asLink += u.asLink
	t.other += u.other
	t.missing += u.missing
}

// observers counts the nodes whose entries were judged.
func (c *comparison) observers() int {
	n := 0
	for i := range c.vteps {
		if c.vteps[i].Collected {
			n++
		}
	}
	return n
}

// addDoubts adds why some observers or peers could not be judged.
func (c *comparison) addDoubts(ctx context.Context, why *detectors.Doubts) {
	undone := 0
	for i := range c.observed {
		v := &c.vteps[i]
		for _, err := range c.observed[i].errs {
			why.AddError(v.Node(), err)
		}
		if v.State == flannel.LinkUnread && !v.Unseen() && c.tallies[i].other > 0 {
			why.Add(v.Node(), detectors.Line{
				File: evidence.NodeFile(v.Node(), evidence.LinkFile),
				Text: fmt.Sprintf("without it, it cannot be told whether %s's lease or the entries of %d other nodes are stale", v.Node(), c.tallies[i].other),
			})
		}
		if !c.observed[i].done {
			undone++
		}
	}
	if err := context.Cause(ctx); undone > 0 {
		why.Add("", detectors.Line{File: "nodes", Text: fmt.Sprintf("stopped before %d of %d nodes were judged: %v", undone, len(c.observed), err)})
	}
}
