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

// findLoop returns a rule from which a chain leads back to itself, which the kernel never accepts, nil if there is none.
func (r *Rules) findLoop() *Rule {
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		for _, c := range r.tables[name].chains {
			if at := c.loop(0); at != nil {
				return at
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
		for _, next := range rule.chains() {
			if next.mark == noLoop {
				continue
			}
			if next.mark == onTheWay || depth == maxDepth {
				return rule
			}
			if at := next.loop(depth + 1); at != nil {
				return at
			}
		}
	}
	c.mark = noLoop
	return nil
}

// loopText says what is wrong with a rule that leads to a loop.
func (r *Rule) loopText() string {
	for _, next := range r.chains() {
		if next.mark == onTheWay {
			return fmt.Sprintf("the chains that lead to %s come back to it, or are too deep", clip(next.name))
		}
	}
	return "chains are too deep"
}

// chains are those that a rule leads to.
func (r *Rule) chains() (all []*chain) {
	if r.target.chain != nil {
		all = append(all, r.target.chain)
	}
	for i := range r.steps {
		for _, t := range r.steps[i].targets {
			if t.chain != nil {
				all = append(all, t.chain)
			}
		}
	}
	return all
}
