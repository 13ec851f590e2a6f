package iptables

import (
	"fmt"
	"strings"
)

// World is one of the kernel's two places for iptables rules. Each has tables of its own, and packets meet both.
type World string

const (
	// NFT is nf_tables: what iptables-nft writes and iptables-nft-save prints.
	NFT World = "nft"
	// Legacy is xtables: what iptables-legacy writes and iptables-legacy-save prints.
	Legacy World = "legacy"
	// Native is nf_tables, too: the tables that nft itself prints.
	Native World = "nftables"
	// Only is the one world of a machine that has a plain iptables-save and neither of the two above.
	Only World = "iptables"
)

// Rules is what iptables-save printed of one world. It is not changed once parsed, and may be used by several goroutines.
type Rules struct {
	world  World
	tables map[string]*table
	// foreign names the tables that have rules which iptables-nft-save cannot print.
	foreign map[string]bool
	count   int
	// bases are the chains of Native that the kernel hands packets of IPv4 to, and native names its tables.
	bases  []*chain
	native map[string]bool
	// services are those of kube-proxy's nftables mode.
	services []Service
}

// World returns the world to which the rules belong.
func (r *Rules) World() World { return r.world }

// Len returns how many rules there are.
func (r *Rules) Len() int { return r.count }

type table struct {
	name   string
	chains map[string]*chain
}

// chain is a list of rules. Only base chains have a policy.
type chain struct {
	world  World
	table  string
	name   string
	policy string
	// line is where it is declared, from 1; 0 for a chain that is in no file.
	line  int
	rules []*Rule
	// kind, hook (as iptables names it) and prio are those of Native's base chains, and at is the place of any in its file.
	kind, hook string
	prio       int
	at         int64
	// mark is used by the search for loops.
	mark loopMark
}

// base reports whether the kernel hands packets to the chain, as opposed to other rules only.
func (c *chain) base() bool { return c.policy != noPolicy }

const (
	policyAccept = "ACCEPT"
	policyDrop   = "DROP"
	noPolicy     = "-"
)

// Rule is one rule.
type Rule struct {
	chain *chain
	// Line is its line in the file, from 1; 0 for Native's.
	Line int
	// At, in a file of JSON as Native's is, is the offset of its object's first byte, plus 1.
	At int64
	// Handle is the number by which nft deletes a rule of Native.
	Handle uint64
	// Text is the rule as it stands in the file, without counters, and for Native as nft prints it without -j.
	Text string

	src, dst addrMatch
	in, out  ifMatch
	proto    protoMatch
	// matches are the other conditions that are understood.
	matches []match
	// unclear quotes the conditions that are not understood, "" if there are none.
	unclear string
	target  target
	// steps are what Native's rules do instead of all that.
	steps []step
}

// World returns the world in which the rule stands.
func (r *Rule) World() World { return r.chain.world }

// Table returns the table in which the rule stands; for Native with its family, such as "inet firewalld".
func (r *Rule) Table() string { return r.chain.table }

// Chain returns the chain in which the rule stands.
func (r *Rule) Chain() string { return r.chain.name }

// Place names the rule by its world, table, chain, and its line or handle.
func (r *Rule) Place() string {
	if r.World() == Native {
		return fmt.Sprintf("%s %s %s, handle %d", r.World(), r.Table(), r.Chain(), r.Handle)
	}
	return fmt.Sprintf("%s %s %s, line %d", r.World(), r.Table(), r.Chain(), r.Line)
}

// String names the rule by its place, and quotes it.
func (r *Rule) String() string { return r.Place() + ": " + r.Text }

// Policy is what a base chain does with packets that come back from its rules.
type Policy struct{ chain *chain }

// World returns the world in which the chain stands.
func (p *Policy) World() World { return p.chain.world }

// Table returns the table in which the chain stands.
func (p *Policy) Table() string { return p.chain.table }

// Chain returns the chain that has the policy.
func (p *Policy) Chain() string { return p.chain.name }

// Line returns the chain's line in the file, from 1; 0 for Native's.
func (p *Policy) Line() int { return p.chain.line }

// At returns the place of Native's chain in its file, as Rule.At.
func (p *Policy) At() int64 { return p.chain.at }

// Text returns the policy as it stands in the file, without counters.
func (p *Policy) Text() string {
	if p.World() == Native {
		return "policy drop"
	}
	return ":" + p.chain.name + " " + p.chain.policy
}

// String names the policy by its world, table, chain and line, and quotes it.
func (p *Policy) String() string {
	if p.World() == Native {
		return fmt.Sprintf("%s %s %s: %s", p.World(), p.Table(), p.Chain(), p.Text())
	}
	return fmt.Sprintf("%s %s %s, line %d: %s", p.World(), p.Table(), p.Chain(), p.Line(), p.Text())
}

// addrMatch is -s or -d.
type addrMatch struct {
	used, not bool
	span      span
}

// ifMatch is -i or -o.
type ifMatch struct {
	used, not bool
	// name is the whole name or, with prefix, its beginning (`eth+`).
	name   string
	prefix bool
}

// matches reports whether an interface's name fits; the kernel compares with "" where a hook has none.
func (m *ifMatch) matches(name string) bool {
	fits := name == m.name || m.prefix && strings.HasPrefix(name, m.name)
	return fits != m.not
}

// protoMatch is -p.
type protoMatch struct {
	used, not bool
	number    uint8
}

type matchKind uint8

const (
	matchSport matchKind = iota
	matchDport
	matchEitherPort
	matchFlags
	matchMark
	matchConnmark
	matchState
	matchAddrType
	matchSet
	matchRPFilter
	matchSrcRange
	matchDstRange
)

// match is one condition of a rule beyond those of iptables itself.
type match struct {
	kind matchKind
	not  bool
	// ports are those of matchSport, matchDport and matchEitherPort.
	ports set
	// mergeable says of matchSport and matchDport that it may be merged with the other, and merged is the other's port if there is one.
	mergeable bool
	merged    set
	// addrs are those of matchSrcRange and matchDstRange.
	addrs set
	// value and mask are those of marks, and of matchFlags the TCP flags that must be set among those looked at.
	value, mask uint32
	states      ctState
	addr        *addrType
	ipset       *ipset
}

// addrType is the condition of `-m addrtype`.
type addrType struct {
	src, dst          typeMask // 0 if not asked for
	srcNot, dstNot    bool
	limitIn, limitOut bool
}

type targetKind uint8

const (
	// targetNone changes nothing and lets the packet go on: a rule without -j, LOG and the like.
	targetNone targetKind = iota
	targetAccept
	targetDrop
	targetReject
	targetReturn
	targetJump
	targetGoto
	targetMark
	targetSetConnmark
	targetSaveMark
	targetRestoreMark
	targetNotrack
	targetMasquerade
	targetSNAT
	targetDNAT
	targetRedirect
	// targetNetmap exchanges the first bits of an address for those of a network.
	targetNetmap
	targetUnclear
)

// target is what a rule does.
type target struct {
	kind targetKind
	// chain is that of targetJump and targetGoto.
	chain *chain
	// Marks are set by (mark &^ mask) ^ value. SaveMark and RestoreMark take mask for connection marks (--ctmask) and
	// packetMask for packets (--nfmask).
	value, mask, packetMask uint32
	nat                     *natTo
	// text says what is not understood of targetUnclear, and is what the sender is told by targetReject.
	text string
}

// natTo is where SNAT and DNAT lead.
type natTo struct {
	text string
	// addrs is empty if only ports are given, ports if only addresses are.
	addrs, ports set
	// random means that a port is drawn even if the packet's own would do.
	random bool
}

// HasTable reports whether there is a table of that name.
func (r *Rules) HasTable(table string) bool { return r.tables[table] != nil }

// Chains returns how many chains there are in all tables.
func (r *Rules) Chains() int {
	n := 0
	for _, t := range r.tables {
		n += len(t.chains)
	}
	return n
}

// HasChain reports whether a table has a chain of that name.
func (r *Rules) HasChain(table, chain string) bool {
	t := r.tables[table]
	return t != nil && t.chains[chain] != nil
}
