package detectors

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
)

// ruleFile returns the file that holds a world's rules.
func ruleFile(w iptables.World) string {
	switch w {
	case iptables.NFT:
		return evidence.NFTFile
	case iptables.Legacy:
		return evidence.LegacyFile
	}
	return evidence.IPTablesFile
}

// ruleProgram returns the program that writes a world's rules.
func ruleProgram(w iptables.World) string {
	switch w {
	case iptables.NFT:
		return "iptables-nft"
	case iptables.Legacy:
		return "iptables-legacy"
	}
	return "iptables"
}

// readRules reads the rules of both worlds, or of the only one that an old machine can print. A world that could not be
// read is in doubt: its rules may be in force although the machine has no program to print them, since programs in
// containers bring their own.
func (n *snatNode) readRules(b *evidence.Bundle) {
	nft := n.readWorld(b, iptables.NFT)
	legacy := n.readWorld(b, iptables.Legacy)
	if errors.Is(nft, fs.ErrNotExist) && errors.Is(legacy, fs.ErrNotExist) {
		only := n.readWorld(b, iptables.Only)
		if errors.Is(only, fs.ErrNotExist) {
			n.doubt(evidence.NodeFile(n.name(), evidence.NFTFile), "missing, and so are "+evidence.LegacyFile+" and "+evidence.IPTablesFile)
		} else if only != nil {
			n.doubts = append(n.doubts, unusable("", only))
		}
		return
	}
	for _, err := range []error{nft, legacy} {
		if err != nil {
			n.doubts = append(n.doubts, unusable("", err))
		}
	}
}

// readWorld adds the rules of one world.
func (n *snatNode) readWorld(b *evidence.Bundle, w iptables.World) error {
	text, err := b.RuleFile(n.name(), ruleFile(w))
	if err != nil {
		return err
	}
	rules, err := iptables.Parse(w, text)
	if err != nil {
		return &evidence.FileError{File: evidence.NodeFile(n.name(), ruleFile(w)), Err: err}
	}
	n.worlds = append(n.worlds, rules)
	n.rules += rules.Len()
	if w == iptables.NFT || w == iptables.Only && printsNFT(text) {
		n.nft = rules
	}
	return nil
}

// printsNFT reports whether a plain iptables-save says in its first line that it printed nf_tables' rules. Where it does not,
// they may be those of legacy, which is all that iptables before 1.8 knows.
func printsNFT(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return strings.Contains(first, "(nf_tables)")
}
