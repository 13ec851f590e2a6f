package iptables

import (
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/netfault/netfault/detectors/nftables"
)

// TestKernelNFT is TestKernel with tables of nft's own beside those of iptables, or alone.
func TestKernelNFT(t *testing.T) {
	needNFT(t)
	overRuleSets(t, func(k *kernelNet, r *rand.Rand, number uint64, counts map[string]int) {
		g := forwardMaker(r)
		g.native = true
		k.tryRuleSet(g, number, counts)
	})
}

// TestKernelFilterNFT is TestKernelFilter with them.
func TestKernelFilterNFT(t *testing.T) {
	needNFT(t)
	overRuleSets(t, func(k *kernelNet, r *rand.Rand, number uint64, counts map[string]int) {
		g := filterMaker(r)
		g.native = true
		k.tryFilter(g, number, counts)
	})
}

func needNFT(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip(err)
	}
}

func (k *kernelNet) parseNFT(text string, nft *Rules) *Rules {
	set, err := nftables.Parse(text)
	if err != nil {
		k.t.Errorf("%v in\n%s", err, text)
		return nil
	}
	r, err := FromNFT(set, nft.HasChain)
	if err != nil {
		k.t.Errorf("%v in\n%s", err, text)
		return nil
	}
	return r
}
