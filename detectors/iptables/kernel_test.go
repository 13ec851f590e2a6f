package iptables

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// TestKernel holds the evaluator to a live kernel: random rule sets of both worlds are loaded into a network namespace,
// packets are sent through it, and what a receiver sees of them must be what Evaluate says of what iptables-save prints.
// NETFAULT_RULESETS sets how many rule sets (200), NETFAULT_SEED the seed of a run that is to be repeated, and
// NETFAULT_FIRST the number of the first rule set.
func TestKernel(t *testing.T) {
	overRuleSets(t, func(k *kernelNet, r *rand.Rand, number uint64, counts map[string]int) {
		k.tryRuleSet(forwardMaker(r), number, counts)
	})
}

func forwardMaker(r *rand.Rand) *ruleMaker {
	return &ruleMaker{Rand: r, chains: forwardChains, fill: 100, srcs: podNets, dsts: peerNets, devs: inDevs}
}

// overRuleSets calls try for each rule set, with a kernelNet of its worker.
func overRuleSets(t *testing.T, try func(k *kernelNet, r *rand.Rand, number uint64, counts map[string]int)) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	for _, program := range []string{"iptables-nft-restore", "iptables-legacy-restore"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	if err := canMakeNamespaces(); err != nil {
		t.Skipf("cannot make a network namespace: %v", err)
	}
	sets := number(t, "NETFAULT_RULESETS", 200)
	seed := number(t, "NETFAULT_SEED", int(time.Now().UnixNano()%1_000_000_000))
	t.Logf("NETFAULT_SEED=%d NETFAULT_RULESETS=%d", seed, sets)

	var next atomic.Int64
	next.Store(int64(number(t, "NETFAULT_FIRST", 0)))
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := map[string]int{}
	// Loading rules is mostly waiting for the kernel, so there are more workers than processors.
	for worker := range workersPerCPU * runtime.NumCPU() {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil && !t.Failed() {
					panic(p)
				}
			}()
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and its namespaces with it
			k := newKernelNet(t, worker%runtime.NumCPU(), worker)
			defer k.close()
			counts := map[string]int{}
			for i := next.Add(1) - 1; i < int64(sets) && !t.Failed(); i = next.Add(1) - 1 {
				try(k, rand.New(rand.NewPCG(uint64(seed), uint64(i))), uint64(i), counts)
			}
			mu.Lock()
			defer mu.Unlock()
			for what, n := range counts {
				total[what] += n
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return // counts would bury what failed
	}
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%7d %s", total[what], what)
	}
}

// canMakeNamespaces tries it on a thread of its own.
func canMakeNamespaces() error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.New()
		if err == nil {
			err = ns.Close()
		}
		failed <- err
	}()
	return <-failed
}

func number(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

const workersPerCPU = 3

// packetsPerSet is how many packets are sent through each rule set.
const packetsPerSet = 24

// tryRuleSet compares one rule set's outcomes.
func (k *kernelNet) tryRuleSet(g *ruleMaker, number uint64, counts map[string]int) {
	g.mayBeVague = g.chance(25)
	worlds := k.load(g)
	if worlds == nil {
		return
	}

	packets := g.packets(packetsPerSet)
	saw := k.exchange(packets)
	// The nft tables are made anew with each set, so they are registered last, and come first.
	all := evaluate(k.query(), nftFirst, worlds)
	anyOrder := Evaluate(k.query(), worlds...)
	for i, p := range packets {
		only := k.query()
		only.Only = &p
		one := evaluate(only, nftFirst, worlds)
		fail := func(format string, args ...any) {
			k.t.Errorf("rule set %d, %s: seen: %s: %s\nalone: %v\n%s", number, p, saw[i], fmt.Sprintf(format, args...), one, k.allRules(g))
		}
		if len(one) != 1 {
			fail("%d outcomes for one packet", len(one))
			return
		}
		for name, o := range map[string][]Outcome{"of all packets": all, "in any order": anyOrder} {
			found := outcomesOf(o, p)
			if len(found) != 1 {
				fail("the outcomes %s have the packet %d times", name, len(found))
				return
			}
			if why := disagrees(found[0], p, saw[i]); why != "" {
				fail("the outcomes %s say %v: %s", name, found[0], why)
				return
			}
			if name == "of all packets" && found[0].Verdict != one[0].Verdict {
				fail("the outcomes %s say %v", name, found[0])
				return
			}
			if name == "in any order" && found[0].Verdict == Unknown {
				counts["unknown, without the order of worlds"]++
			}
		}
		if why := disagrees(one[0], p, saw[i]); why != "" {
			fail("%s", why)
			return
		}
		if one[0].Verdict == Unknown && !g.vague {
			fail("unknown, but nothing in the rules is so by design")
			return
		}
		counts[string(one[0].Verdict)]++
		if g.vague {
			counts["of rule sets with something that is not understood by design"]++
		}
	}
	counts["rule sets"]++
	k.record(g, nil, number, packets, saw)
}

// load loads random rules into both of iptables' worlds, or one, and into tables of nft's own if g has them. It returns them as
// they are saved, nil if they cannot be read.
func (k *kernelNet) load(g *ruleMaker) []*Rules {
	onlyNFT, onlyLegacy := g.chance(30), g.chance(40)
	if g.native && g.chance(60) {
		onlyNFT, onlyLegacy = true, true
	}
	legacyText, nftText := g.ruleSet(onlyNFT), g.ruleSet(onlyLegacy && (g.native || !onlyNFT))
	k.run(legacyText, "iptables-legacy-restore")
	k.run(nftText, "iptables-nft-restore")
	if g.native {
		k.run(g.nftTables(), "nft", "-f", "-")
	}
	k.must(k.node.ConntrackTableFlush(netlink.ConntrackTable))
	worlds := []*Rules{k.parse(Legacy, k.run("", "iptables-legacy-save")), k.parse(NFT, k.run("", "iptables-nft-save"))}
	if g.native {
		worlds = append(worlds, k.parseNFT(k.run("", "nft", "-j", "list", "ruleset"), worlds[1]))
	}
	if slices.Contains(worlds, nil) {
		return nil
	}
	return worlds
}

// allRules writes all rules as they are in force.
func (k *kernelNet) allRules(g *ruleMaker) string {
	text := "nft:\n" + numbered(k.run("", "iptables-nft-save", "-c")) + "\nlegacy:\n" + numbered(k.run("", "iptables-legacy-save", "-c"))
	if g.native {
		text += "\nnft's own:\n" + k.run("", "nft", "list", "table", "ip", "alpha") + k.run("", "nft", "list", "table", "inet", "beta")
	}
	return text
}

func (k *kernelNet) parse(world World, text string) *Rules {
	r, err := Parse(world, text)
	if err != nil {
		k.t.Errorf("%s: %v in\n%s", world, err, numbered(text))
		return nil
	}
	return r
}

func (k *kernelNet) query() Query {
	return Query{
		From: []Side{{Addrs: prefixes("10.244.1.0/24"), Dev: "cni0"}},
		To: []Side{
			{Addrs: prefixes("10.244.2.0/24", "10.244.3.0/24"), Dev: "flannel.1"},
			{Addrs: prefixes("10.244.4.0/24"), Dev: "eth0"},
		},
		LocalRoutes:     k.localAddresses,
		InAtPostrouting: true,
	}
}

// outcomesOf returns the outcomes whose traffic has p.
func outcomesOf(outcomes []Outcome, p Packet) (found []Outcome) {
	for _, o := range outcomes {
		if slices.ContainsFunc(o.Traffic.boxes, func(b box) bool { return len(minusAll([]box{p.box()}, []box{b})) == 0 }) {
			found = append(found, o)
		}
	}
	return found
}

// disagrees says why an outcome is not what the receiver saw, or "".
func disagrees(o Outcome, p Packet, saw seen) string {
	nothing := !saw.src.IsValid() || ofHost(saw.dst)
	own := !nothing && saw.src == p.Src
	if nothing && len(o.Doubts) > 0 {
		return ""
	}
	switch {
	case o.Verdict == Unknown:
	case o.Verdict == Kept && !own:
		return "want its own source"
	case o.Verdict == Rewritten && (nothing || own):
		return "want another source"
	case o.Verdict == Rewritten && len(o.Doubts) == 0 && !toText(o.To, saw.src):
		return "want a source of " + o.To
	case o.Verdict == Dropped && !nothing, o.Verdict == Redirected && !nothing:
		return "want nothing"
	}
	return ""
}

// toText reports whether addr is what Outcome.To says.
func toText(to string, addr netip.Addr) bool {
	switch to {
	case "the address of flannel.1":
		return addr.String() == flannelAddr
	case "the address of eth0":
		return addr.String() == ethAddr
	}
	if network, err := netip.ParsePrefix(to); err == nil {
		return network.Contains(addr)
	}
	addrs, _, _ := strings.Cut(to, ":")
	from, last, isRange := strings.Cut(addrs, "-")
	if !isRange {
		last = from
	}
	return addr.Compare(netip.MustParseAddr(from)) >= 0 && addr.Compare(netip.MustParseAddr(last)) <= 0
}
