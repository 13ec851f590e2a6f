package podsnat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/rules"
	"github.com/netfault/netfault/detectors/iptables"
	"github.com/netfault/netfault/detectors/nftables"
)

// on makes a command for the node.
func (n *node) on(why string, argv ...string) detectors.Command {
	return detectors.Command{Node: n.name(), Argv: argv, Why: why}
}

// nat makes a command that changes the table nat of a world.
func (n *node) nat(w iptables.World, why string, args ...string) detectors.Command {
	return n.on(why, append([]string{rules.Program(w), "-w", "-t", "nat"}, args...)...)
}

// worldsOf returns the worlds in which outcomes have their rules.
func worldsOf(outcomes []iptables.Outcome) []iptables.World {
	var worlds []iptables.World
	for _, o := range outcomes {
		if !slices.Contains(worlds, o.Rule.World()) {
			worlds = append(worlds, o.Rule.World())
		}
	}
	return worlds
}

// The chains of the remedy: traffic is masqueraded if it leaves neither by the pods' bridge nor by flannel's device.
const (
	firstChain  = "POD-SNAT-1"
	secondChain = "POD-SNAT-2"
)

// withoutDockersMasquerade writes rules that leave out flannel's device, and takes the masquerading from Docker. Their order
// leaves no moment in which traffic to outside of the cluster is not masqueraded. The files are those of flannel's
// mk-docker-opts.sh and of the units that flannel's and docker's packages have.
func (n *node) withoutDockersMasquerade(caught []iptables.Outcome, concerned []int) []detectors.Command {
	// Where leases are annotations, flanneld is Kubernetes's, and its script has written no options for Docker.
	if n.lease.Source != evidence.FromEtcd || len(n.paths.query.To) != 1 || n.paths.query.To[0].Dev == n.paths.defaultDev || n.hasRemedyChains() {
		return n.shield(caught, concerned, nil)
	}
	cidr, bridge, flannel := n.lease.PodCIDR, n.paths.bridge, n.paths.query.To[0].Dev
	var commands []detectors.Command
	for _, w := range worldsOf(caught) {
		commands = append(commands,
			n.nat(w, "a chain for what does not stay on the bridge", "-N", firstChain),
			n.nat(w, "a chain for what does not go to other nodes", "-N", secondChain),
			n.nat(w, "off the bridge, all but traffic to pods is masqueraded", "-A", firstChain, "!", "-o", flannel, "-j", "MASQUERADE"),
			n.nat(w, "not to other nodes, all but traffic on the bridge is masqueraded", "-A", secondChain, "!", "-o", bridge, "-j", "MASQUERADE"),
			n.nat(w, "pods' traffic off the bridge goes there", "-A", "POSTROUTING", "-s", cidr, "!", "-o", bridge, "-j", firstChain),
			n.nat(w, "pods' traffic not to other nodes goes there", "-A", "POSTROUTING", "-s", cidr, "!", "-o", flannel, "-j", secondChain),
			n.deleteDockersRule(w),
		)
	}
	return append(commands,
		n.on("Docker is to start with --ip-masq=false; its options are taken to be where flannel's mk-docker-opts.sh writes them", "sed", "-i", "s/--ip-masq=true/--ip-masq=false/", "/run/flannel/docker"),
		n.restartDocker(),
	)
}

// restartDocker comes after its rule is deleted: dockerd 20.10 deletes the rule by itself when it starts without --ip-masq,
// others may leave it, and deleting what is not there is an error.
func (n *node) restartDocker() detectors.Command {
	return n.on("dockerd reads its options, and does not write its rule again", "systemctl", "restart", "docker")
}

func (n *node) deleteDockersRule(w iptables.World) detectors.Command {
	return n.nat(w, "dockerd's rule can go: now others masquerade what leaves the cluster",
		"-D", "POSTROUTING", "-s", n.lease.PodCIDR, "!", "-o", n.paths.bridge, "-j", "MASQUERADE")
}

// hasRemedyChains reports whether the remedy was run before.
func (n *node) hasRemedyChains() bool {
	return n.HasChain("nat", firstChain) || n.HasChain("nat", secondChain)
}

// flanneldMasquerades lets flanneld do it: with --ip-masq it writes rules that know all pods, and FLANNEL_IPMASQ=true into
// its subnet file, of which mk-docker-opts.sh makes --ip-masq=false when docker starts. Where flanneld is run by Kubernetes,
// its options are not in this file.
func (n *node) flanneldMasquerades(caught []iptables.Outcome) []detectors.Alternative {
	if n.lease.Source != evidence.FromEtcd {
		return nil
	}
	commands := []detectors.Command{
		n.on("flanneld is to masquerade what leaves the cluster; its options are taken to be where CentOS's package has them", "sed", "-i", `s/^FLANNEL_OPTIONS="/&--ip-masq /`, "/etc/sysconfig/flanneld"),
		n.on("flanneld writes its rules, and Docker's options with --ip-masq=false", "systemctl", "restart", "flanneld"),
	}
	for _, w := range worldsOf(caught) {
		commands = append(commands, n.deleteDockersRule(w))
	}
	return []detectors.Alternative{{Name: FlanneldMasquerades, Remedy: append(commands, n.restartDocker())}}
}

// maxShields is from how many peers on one rule is written for all of the pods' network.
const maxShields = 16

// shield puts before all others a rule that lets the traffic pass as it is, in each place with a rule that catches it: to some
// peers, and from some. It returns nothing if that would not heal.
func (n *node) shield(caught []iptables.Outcome, to, from []int) []detectors.Command {
	specs, tops := n.shields(to, from), n.topsOf(caught)
	healed, err := n.withShields(tops, specs)
	if err != nil {
		return nil
	}
	if leaving, arriving := n.outcomes(healed); len(rewritten(leaving))+len(rewritten(arriving)) > 0 {
		return nil
	}
	return n.shieldCommands(tops, specs)
}

func (n *node) shieldCommands(tops []top, specs []shieldSpec) []detectors.Command {
	const why = "traffic to these pods keeps its source address, before any other rule is asked"
	var commands []detectors.Command
	for _, t := range tops {
		for _, s := range specs {
			if t.world == iptables.Native {
				family, table, _ := strings.Cut(t.table, " ")
				commands = append(commands, n.on(why, append([]string{"nft", "insert", "rule", family, table, t.chain}, s.words()...)...))
				continue
			}
			commands = append(commands, n.nat(t.world, why, append([]string{"-I", t.chain, "1"}, s.options()...)...))
		}
	}
	return commands
}

// hidden returns what else would catch the traffic if the rules that catch it now did not: rules elsewhere, which the kernel does
// not ask where one has decided.
func (n *node) hidden(out, in []iptables.Outcome, to, from []int) (moreOut, moreIn []iptables.Outcome) {
	tops := n.topsOf(slices.Concat(out, in))
	without, err := n.withShields(tops, n.shields(to, from))
	if err != nil {
		return nil, nil
	}
	elsewhere := func(outcomes []iptables.Outcome) []iptables.Outcome {
		return slices.DeleteFunc(rewritten(outcomes), func(o iptables.Outcome) bool {
			return slices.ContainsFunc(n.topsOf([]iptables.Outcome{o}), func(t top) bool { return slices.Contains(tops, t) })
		})
	}
	leaving, arriving := n.outcomes(without)
	return elsewhere(leaving), elsewhere(arriving)
}

// top is a base chain that rewrites sources: what stands first there is asked first.
type top struct {
	world        iptables.World
	table, chain string
}

// topsOf returns the base chains that lead to the rules of outcomes.
func (n *node) topsOf(outcomes []iptables.Outcome) []top {
	var tops []top
	add := func(t top) {
		if !slices.Contains(tops, t) {
			tops = append(tops, t)
		}
	}
	for _, o := range outcomes {
		w := o.Rule.World()
		if w != iptables.Native {
			add(top{w, "nat", "POSTROUTING"})
			continue
		}
		for _, r := range n.Worlds {
			for _, c := range r.SourceNATChains(o.Rule.Table()) {
				add(top{w, o.Rule.Table(), c})
			}
		}
	}
	return tops
}

// withShields returns the node's rules as they would be with shields in some places.
func (n *node) withShields(tops []top, specs []shieldSpec) ([]*iptables.Rules, error) {
	all := slices.Clone(n.Worlds)
	for _, t := range tops {
		_, table, _ := strings.Cut(t.table, " ")
		i := slices.IndexFunc(all, func(r *iptables.Rules) bool { return r.World() == t.world })
		for _, s := range specs {
			var err error
			if t.world != iptables.Native {
				all[i], err = all[i].WithFirst(t.table, t.chain, strings.Join(s.options(), " "))
			} else if !nftables.IsName(table) || !nftables.IsName(t.chain) || s.dev != "" && !nftables.IsName(s.dev) {
				err = fmt.Errorf("nft's command line cannot name %s %s", t.table, t.chain)
			} else {
				all[i], err = all[i].WithFirstNative(t.table, t.chain, s.statements()...)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// shieldSpec is a rule for packets between pods, out by dev if it is not "".
type shieldSpec struct{ src, dst, dev string }

// options are the rule for iptables' command line.
func (s shieldSpec) options() []string {
	options := []string{"-s", s.src, "-d", s.dst}
	if s.dev != "" {
		options = append(options, "-o", s.dev)
	}
	return append(options, "-j", "ACCEPT")
}

// words are the rule for nft's command line.
func (s shieldSpec) words() []string {
	words := []string{"ip", "saddr", s.src, "ip", "daddr", s.dst}
	if s.dev != "" {
		words = append(words, "oifname", `"`+s.dev+`"`)
	}
	return append(words, "accept")
}

// statements are the rule as nft -j prints it.
func (s shieldSpec) statements() []nftables.Statement {
	match := func(left map[string]any, right any) nftables.Statement {
		return nftables.Statement{Name: "match", Arg: map[string]any{"op": "==", "left": left, "right": right}}
	}
	field := func(name string) map[string]any {
		return map[string]any{"payload": map[string]any{"protocol": "ip", "field": name}}
	}
	network := func(cidr string) any {
		p := netip.MustParsePrefix(cidr)
		return map[string]any{"prefix": map[string]any{"addr": p.Addr().String(), "len": float64(p.Bits())}}
	}
	statements := []nftables.Statement{match(field("saddr"), network(s.src)), match(field("daddr"), network(s.dst))}
	if s.dev != "" {
		statements = append(statements, match(map[string]any{"meta": map[string]any{"key": "oifname"}}, s.dev))
	}
	return append(statements, nftables.Statement{Name: "accept"})
}

// shields returns a rule for what leaves to each of some peers, or for each way out if it is all of them or many; and the same for
// what arrives from some.
func (n *node) shields(to, from []int) (specs []shieldSpec) {
	add := func(src, dst, dev string) {
		if s := (shieldSpec{src, dst, dev}); !slices.Contains(specs, s) {
			specs = append(specs, s)
		}
	}
	network, ok := n.podNetwork()
	// All pods' network is shorter than a rule for each peer.
	together := func(concerned []int) bool {
		return ok && len(concerned) > 1 && (len(concerned) == len(n.paths.peers) || len(concerned) > maxShields)
	}
	for _, i := range to {
		dst := n.paths.peers[i].PodCIDR
		if together(to) {
			dst = network.String()
		}
		for _, side := range n.paths.query.To {
			if slices.ContainsFunc(side.Addrs, netip.MustParsePrefix(n.paths.peers[i].PodCIDR).Overlaps) {
				add(n.lease.PodCIDR, dst, side.Dev)
			}
		}
	}
	if together(from) {
		for _, src := range allBut(network, netip.MustParsePrefix(n.lease.PodCIDR)) {
			add(src.String(), n.lease.PodCIDR, n.paths.bridge)
		}
		return specs
	}
	for _, i := range from {
		add(n.paths.peers[i].PodCIDR, n.lease.PodCIDR, n.paths.bridge)
	}
	return specs
}

// allBut returns the networks that together are all of one but for a part of it. What the node's own pods send each other is none of
// a shield's: a pod that calls its own Service must be masqueraded.
func allBut(network, part netip.Prefix) (rest []netip.Prefix) {
	for bits := network.Bits() + 1; bits <= part.Bits(); bits++ {
		addr := part.Masked().Addr().As4()
		addr[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		sibling, _ := netip.AddrFrom4(addr).Prefix(bits)
		rest = append(rest, sibling)
	}
	return rest
}

// podNetwork returns the smallest network with the pods of all nodes; ok is false if it is so large that it has others.
func (n *node) podNetwork() (network netip.Prefix, ok bool) {
	network = netip.MustParsePrefix(n.lease.PodCIDR)
	for _, p := range n.paths.peers {
		for addr := netip.MustParsePrefix(p.PodCIDR).Addr(); !network.Contains(addr); {
			network, _ = network.Addr().Prefix(network.Bits() - 1)
		}
	}
	return network, network.Bits() >= 8
}
