package iptables

import (
	"fmt"
	"maps"
	"slices"
)

type loopMark uint8

const (
	notSeen loopMark = iota
	onTheWay
	noLoop
)

// findLoop returns an error if a chain leads back to itself, which the kernel never accepts.
func (r *Rules) findLoop() error {
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		for _, c := range r.tables[name].chains {
			if at := c.loop(0); at != nil {
				name := clip(at.target.chain.name)
				return &SyntaxError{Line: at.Line, Reason: fmt.Sprintf("the chains that lead to %s come back to it, or are too deep", name)}
			}
		}
	}
	return nil
}

// maxDepth is the most chains that may be entered from one another. The kernel's own limit for nf_tables is 16 jumps
// (NFT_JUMP_STACK_SIZE); for xtables it is the number of chains.
const maxDepth = 1000

// loop returns a rule that leads to a chain which is on the way to c already.
func (c *chain) loop(depth int) *Rule {
	if c.mark == noLoop {
		return nil
	}
	c.mark = onTheWay
	for _, rule := range c.rules {
		next := rule.target.chain
		if next == nil || next.mark == noLoop {
			continue
		}
		if next.mark == onTheWay || depth == maxDepth {
			return rule
		}
		if at := next.loop(depth + 1); at != nil {
			return at
		}
	}
	c.mark = noLoop
	return nil
}
