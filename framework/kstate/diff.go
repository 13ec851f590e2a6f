package kstate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Kinds of differences.
const (
	KindVersion   = "version"
	KindLink      = "link"
	KindAddress   = "address"
	KindRoute     = "route"
	KindNeighbour = "neighbour"
	KindFDB       = "fdb"
	KindRule      = "rule"
	KindQdisc     = "qdisc"
	KindFilter    = "filter"
	KindIPTables  = "iptables"
	KindSysctl    = "sysctl"
	KindOffload   = "offload"
	// KindState is of problems alone: the state as a whole could not be read.
	KindState = "state"
)

// Difference is one object that is not as it was.
type Difference struct {
	// Kind is one of the Kind constants.
	Kind string `json:"kind"`
	// Object names what differs, such as "flannel.1" or "10.244.2.0 dev flannel.1".
	Object string `json:"object"`
	// Want is how it was, and Got how it is; empty if it was or is not there.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
}

// String returns a line such as `neighbour 10.244.2.0 dev flannel.1: want permanent lladdr …, is missing`.
func (d Difference) String() string {
	switch {
	case d.Want == "":
		return fmt.Sprintf("%s %s: was not there before, is %s", d.Kind, d.Object, d.Got)
	case d.Got == "":
		return fmt.Sprintf("%s %s: want %s, is missing", d.Kind, d.Object, d.Want)
	}
	return fmt.Sprintf("%s %s: want %s, is %s", d.Kind, d.Object, d.Want, d.Got)
}

// Diff returns what differs in got from want, by kind and in the order of want's rows; nothing if the two are equal.
//
// An IPv6 link-local address on a link that had none is no difference: the kernel makes it when the carrier comes.
// Neither is a sysctl that was not there: it comes with a kernel module. The sysctls of a link that only one of the two has
// are told by the link alone.
func Diff(want, got State) []Difference {
	if want.Version != got.Version {
		return []Difference{{KindVersion, "state", fmt.Sprint(want.Version), fmt.Sprint(got.Version)}}
	}
	diffs := diffLinks(want.Links, got.Links)
	for _, t := range tables {
		diffs = append(diffs, diffRows(t.kind, *t.rows(&want), t.comparable(&want, &got))...)
	}
	diffs = append(diffs, diffIPTables(want.IPTables, got.IPTables)...)
	diffs = append(diffs, diffSysctls(want, got)...)
	return append(diffs, diffOffloads(want, got)...)
}

// table is one of the kernel's tables in a State.
type table struct {
	kind string
	rows func(*State) *[]Row
}

// tables are in the order in which they can be filled: routes need addresses.
var tables = []table{
	{KindQdisc, func(s *State) *[]Row { return &s.Qdiscs }},
	{KindFilter, func(s *State) *[]Row { return &s.Filters }},
	{KindAddress, func(s *State) *[]Row { return &s.Addresses }},
	{KindRoute, func(s *State) *[]Row { return &s.Routes }},
	{KindRule, func(s *State) *[]Row { return &s.Rules }},
	{KindNeighbour, func(s *State) *[]Row { return &s.Neighbours }},
	{KindFDB, func(s *State) *[]Row { return &s.FDB }},
}

// comparable returns got's rows without link-local addresses on links that have none in want.
func (t table) comparable(want, got *State) []Row {
	rows := *t.rows(got)
	if t.kind != KindAddress {
		return rows
	}
	had := make(map[string]bool)
	for _, r := range *t.rows(want) {
		if dev, ok := linkLocal(r); ok {
			had[dev] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		dev, ok := linkLocal(r)
		return ok && !had[dev]
	})
}

// linkLocal returns the link of a row that is an IPv6 link-local address ("flannel.1 fe80::1/64").
func linkLocal(r Row) (dev string, ok bool) {
	dev, addr, _ := strings.Cut(r.Object, " ")
	prefix, err := netip.ParsePrefix(addr)
	return dev, err == nil && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast()
}

// subtract returns the rows of a that are not in b; a row that is twice in a must be twice in b.
func subtract(a, b []Row) []Row {
	type key struct{ object, text string }
	count := make(map[key]int, len(b))
	for _, r := range b {
		count[key{r.Object, r.Text}]++
	}
	var rest []Row
	for _, r := range a {
		k := key{r.Object, r.Text}
		if count[k] > 0 {
			count[k]--
			continue
		}
		rest = append(rest, r)
	}
	return rest
}

// diffRows makes one difference of all the rows about one object.
func diffRows(kind string, want, got []Row) []Difference {
	missing, extra := subtract(want, got), subtract(got, want)
	var diffs []Difference
	at := make(map[string]int)
	for i, r := range slices.Concat(missing, extra) {
		j, ok := at[r.Object]
		if !ok {
			j = len(diffs)
			at[r.Object] = j
			diffs = append(diffs, Difference{Kind: kind, Object: r.Object})
		}
		side := &diffs[j].Want
		if i >= len(missing) {
			side = &diffs[j].Got
		}
		if *side != "" {
			*side += "; "
		}
		*side += r.Text
	}
	return diffs
}

// properties are what is compared of a link, by name.
func (l Link) properties() [][2]string {
	return [][2]string{
		{"kind", cmp.Or(l.Kind, "device")}, {"index", fmt.Sprint(l.Index)}, {"address", l.MAC}, {"mtu", fmt.Sprint(l.MTU)},
		{"txqlen", fmt.Sprint(l.TxQLen)}, {"flags", "<" + strings.Join(l.Flags, ",") + ">"},
		{"master", cmp.Or(l.Master, "none")}, {"attributes", "(" + l.Attributes + ")"}, {"port", "(" + l.Port + ")"},
	}
}

func diffLinks(want, got []Link) []Difference {
	index := make(map[string]Link, len(got))
	for _, l := range got {
		index[l.Name] = l
	}
	var diffs []Difference
	for _, w := range want {
		g, ok := index[w.Name]
		delete(index, w.Name)
		d := Difference{Kind: KindLink, Object: w.Name}
		if !ok {
			d.Want = linkText(w)
			diffs = append(diffs, d)
			continue
		}
		var ws, gs []string
		gp := g.properties()
		for i, p := range w.properties() {
			if p != gp[i] {
				ws, gs = append(ws, p[0]+" "+p[1]), append(gs, p[0]+" "+gp[i][1])
			}
		}
		if ws != nil {
			d.Want, d.Got = strings.Join(ws, " "), strings.Join(gs, " ")
			diffs = append(diffs, d)
		}
	}
	for _, g := range got {
		if _, extra := index[g.Name]; extra {
			diffs = append(diffs, Difference{Kind: KindLink, Object: g.Name, Got: linkText(g)})
		}
	}
	return diffs
}

func linkText(l Link) string {
	var words []string
	for _, p := range l.properties() {
		if p[1] != "()" {
			words = append(words, p[0]+" "+p[1])
		}
	}
	return strings.Join(words, " ")
}
