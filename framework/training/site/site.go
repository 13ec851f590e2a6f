// Package site makes up the data centre in which an exercise happens: what its machines are called, their networks, and which of
// them plays which part. All of it follows from a seed, so that one attempt stays as it is, and the solution of another does not paste.
package site

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/framework/lab"
)

// MaxNodes is how many nodes a site can have: each has a number of two digits of its own.
const MaxNodes = 90

// places are codes of airports, after which many name their data centres, and roles what machines are there for. Neither says
// anything of networks or faults.
var (
	places = []string{"arn", "bru", "cph", "dub", "fra", "gig", "hel", "icn", "jnb", "kix", "lhr", "mad", "nrt", "osl", "prg", "sin", "syd", "vie", "waw", "yul", "zrh"}
	roles  = []string{"app", "batch", "cache", "db", "feed", "mail", "media", "queue", "shop", "store", "web", "work"}
)

// Of is the site of a seed with so many nodes, up to MaxNodes.
func Of(seed uint64, nodes int) lab.Site {
	random := rand.New(rand.NewPCG(seed, 0x73697465)) // "site": other things that follow from the seed are not drawn alike
	place, numbers := pick(random, places), random.Perm(MaxNodes)
	var s lab.Site
	for _, number := range numbers[:min(nodes, MaxNodes)] {
		s.Nodes = append(s.Nodes, fmt.Sprintf("%s-%s%d", place, pick(random, roles), 10+number))
	}
	s.Parts = slices.Clone(s.Nodes)
	random.Shuffle(len(s.Parts), func(i, j int) { s.Parts[i], s.Parts[j] = s.Parts[j], s.Parts[i] })
	// The three cannot overlap: they are in networks of their own (RFC 1918), or in other parts of one.
	s.Underlay = network(24, 172, byte(16+random.IntN(16)), byte(random.IntN(256)))
	s.PodNetwork = network(16, 10, byte(random.IntN(128)), 0)
	s.ServiceNetwork = network(16, 10, byte(128+random.IntN(128)), 0)
	return s
}

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }

func network(bits int, a, b, c byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c}), bits)
}
