// Package rules is the rules of a node, those of iptables in both worlds and those of nft's own tables, and what there is besides
// that no file has.
package rules

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
	"github.com/netfault/netfault/detectors/nftables"
)

// File returns the file that holds a world's rules.
func File(w iptables.World) string {
	switch w {
	case iptables.NFT:
		return evidence.NFTFile
	case iptables.Legacy:
		return evidence.LegacyFile
	case iptables.Native:
		return evidence.NFTRulesetFile
	}
	return evidence.IPTablesFile
}

// Program returns the program that writes a world's rules.
func Program(w iptables.World) string {
	switch w {
	case iptables.NFT:
		return "iptables-nft"
	case iptables.Legacy:
		return "iptables-legacy"
	case iptables.Native:
		return "nft"
	}
	return "iptables"
}

// Node is what a bundle says of the rules of one node.
type Node struct {
	node string
	// Worlds are the rules that could be read.
	Worlds []*iptables.Rules
	// Doubts say which could not, and which are in no file.
	Doubts []detectors.Line
	// nft are those of Worlds that are nf_tables' table ip nat and its like, nil if there are none.
	nft *iptables.Rules
	// native is what nft printed, nil if there is no such file.
	native *nftables.Ruleset
}

// Len is how many rules there are.
func (n *Node) Len() int {
	sum := 0
	for _, w := range n.Worlds {
		sum += w.Len()
	}
	return sum
}

// HasChain reports whether a world has a chain.
func (n *Node) HasChain(table, chain string) bool {
	return slices.ContainsFunc(n.Worlds, func(r *iptables.Rules) bool { return r.HasChain(table, chain) })
}

// Quote quotes a rule that stands in one of a node's files.
func Quote(node string, r *iptables.Rule, text string) detectors.Line {
	return detectors.Line{
		File: evidence.NodeFile(node, File(r.World())), Line: r.Line, At: evidence.Pos(r.At), Text: detectors.OneLine(text),
	}
}

// Read reads the rules of both worlds of iptables, or of the only one that an old machine can print, and of nft's own tables. A world that could not be
// read is in doubt: its rules may be in force although the machine has no program to print them, since programs in
// containers bring their own.
func Read(b *evidence.Bundle, node string) *Node {
	n := &Node{node: node}
	chains := n.readChains(b)
	nft := n.readWorld(b, iptables.NFT, chains)
	legacy := n.readWorld(b, iptables.Legacy, chains)
	if errors.Is(nft, fs.ErrNotExist) && errors.Is(legacy, fs.ErrNotExist) {
		only := n.readWorld(b, iptables.Only, chains)
		if errors.Is(only, fs.ErrNotExist) {
			n.doubt(evidence.NodeFile(node, evidence.NFTFile), "missing, and so are "+evidence.LegacyFile+" and "+evidence.IPTablesFile)
		} else if only != nil {
			n.Doubts = append(n.Doubts, detectors.Unreadable("", only))
		}
	} else {
		for _, err := range []error{n.worldMissing(b, iptables.NFT, nft), n.worldMissing(b, iptables.Legacy, legacy)} {
			if err != nil {
				n.Doubts = append(n.Doubts, detectors.Unreadable("", err))
			}
		}
	}
	n.readNative(b)
	n.judgeChains(chains)
	return n
}

func (n *Node) doubt(file, text string) {
	n.Doubts = append(n.Doubts, detectors.Line{File: file, Text: detectors.OneLine(text)})
}

// readWorld adds the rules of one world.
func (n *Node) readWorld(b *evidence.Bundle, w iptables.World, chains []evidence.NFTChain) error {
	text, err := b.RuleFile(n.node, File(w))
	if err != nil {
		return err
	}
	rules, err := iptables.Parse(w, text)
	if err != nil {
		return &evidence.FileError{File: evidence.NodeFile(n.node, File(w)), Err: err}
	}
	n.Worlds = append(n.Worlds, rules)
	if w == iptables.NFT || w == iptables.Only && printsNFT(text, rules, chains) {
		n.nft = rules
	}
	return nil
}
