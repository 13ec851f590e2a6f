package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// podToPod asks for packets from 10.244.1.0/24 behind cni0 to two peers behind flannel.1.
func podToPod() Query {
	return Query{
		From: []Side{{Addrs: prefixes("10.244.1.0/24"), Dev: "cni0"}},
		To:   []Side{{Addrs: prefixes("10.244.2.0/24", "10.244.3.0/24"), Dev: "flannel.1"}},
		LocalRoutes: []LocalRoute{
			{Dst: netip.MustParsePrefix("10.244.1.0/32"), Type: "local", Dev: "flannel.1"},
			{Dst: netip.MustParsePrefix("10.244.1.1/32"), Type: "local", Dev: "cni0"},
			{Dst: netip.MustParsePrefix("10.244.1.255/32"), Type: "broadcast", Dev: "cni0"},
			{Dst: netip.MustParsePrefix("10.244.3.77/32"), Type: "local", Dev: "odd0"},
		},
	}
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// ruleSet writes rules as iptables-save does: a line "*nat" begins a table, "CHAIN -j …" is a rule, "CHAIN DROP" a policy.
// Chains of other names than the kernel's are declared where they are first used.
func ruleSet(lines ...string) string {
	var out strings.Builder
	base := map[string][]string{
		"raw": {"PREROUTING", "OUTPUT"}, "filter": {"INPUT", "FORWARD", "OUTPUT"}, "security": {"INPUT", "FORWARD", "OUTPUT"},
		"nat": {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, "mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	}
	flush := func(table string, policies map[string]string, rules []string) {
		fmt.Fprintf(&out, "*%s\n", table)
		for _, c := range base[table] {
			policy := policies[c]
			if policy == "" {
				policy = "ACCEPT"
			}
			fmt.Fprintf(&out, ":%s %s [0:0]\n", c, policy)
		}
		var user []string
		for _, r := range rules {
			for _, field := range []string{strings.Fields(r)[0], targetOf(r)} {
				if field == strings.ToLower(field) && field != "" && !slices.Contains(user, field) {
					user = append(user, field)
					fmt.Fprintf(&out, ":%s - [0:0]\n", field)
				}
			}
		}
		for _, r := range rules {
			fmt.Fprintf(&out, "-A %s\n", r)
		}
		out.WriteString("COMMIT\n")
	}
	table, policies, rules := "", map[string]string{}, []string(nil)
	for _, l := range append(lines, "*") {
		if name, ok := strings.CutPrefix(l, "*"); ok {
			if table != "" {
				flush(table, policies, rules)
			}
			table, policies, rules = name, map[string]string{}, nil
			continue
		}
		if chain, policy, _ := strings.Cut(l, " "); policy == "DROP" || policy == "ACCEPT" {
			policies[chain] = policy
			continue
		}
		rules = append(rules, l)
	}
	return out.String()
}

// targetOf returns the chain after -j or -g: user chains of tests are in lower case.
func targetOf(rule string) string {
	f := strings.Fields(rule)
	for i, w := range f[:len(f)-1] {
		if w == "-j" || w == "-g" {
			return f[i+1]
		}
	}
	return ""
}

func mustParse(t testing.TB, world World, text string) *Rules {
	t.Helper()
	r, err := Parse(world, text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return r
}

// tell writes outcomes as "verdict: traffic", without those that are kept or dropped.
func tell(outcomes []Outcome, verdicts ...Verdict) (all []string) {
	for _, o := range outcomes {
		if slices.Contains(verdicts, o.Verdict) {
			all = append(all, fmt.Sprintf("%s: %s", o.Verdict, o.Traffic))
		}
	}
	return all
}

func TestEvaluate(t *testing.T) {
	for _, test := range []struct {
		name  string
		rules []string
		// want are the outcomes that are neither kept nor dropped.
		want []string
	}{
		{"nothing", nil, nil},
		{"dockerd's", []string{"*nat", "POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j MASQUERADE"}, []string{"rewritten: all traffic"}},
		{"not that interface", []string{"*nat", "POSTROUTING -s 10.244.1.0/24 ! -o flannel.1 -j MASQUERADE"}, nil},
		{"wildcard", []string{"*nat", "POSTROUTING -o flannel+ -j MASQUERADE"}, []string{"rewritten: all traffic"}},
		{"wildcard of all", []string{"*nat", "POSTROUTING ! -o + -j MASQUERADE"}, nil},
		{"incident's remedy", []string{"*nat", "POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j one", "POSTROUTING -s 10.244.1.0/24 ! -o flannel.1 -j two",
			"one ! -o flannel.1 -j MASQUERADE", "two ! -o docker0 -j MASQUERADE"}, nil},
		{"shielded by ACCEPT", []string{"*nat", "POSTROUTING -d 10.244.0.0/16 -j ACCEPT", "POSTROUTING -j MASQUERADE"}, nil},
		{"RETURN of a user chain shields nothing", []string{"*nat", "POSTROUTING -j sub", "POSTROUTING -j MASQUERADE", "sub -d 10.244.0.0/16 -j RETURN"},
			[]string{"rewritten: all traffic"}},
		{"RETURN of the base chain", []string{"*nat", "POSTROUTING -d 10.244.2.0/24 -j RETURN", "POSTROUTING -j MASQUERADE"},
			[]string{"rewritten: to 10.244.3.0/24"}},
		{"goto does not come back", []string{"*nat", "POSTROUTING -g sub", "POSTROUTING -j MASQUERADE", "sub -d 1.2.3.4/32 -j ACCEPT"}, nil},
		{"goto comes back to the caller", []string{"*nat", "POSTROUTING -j sub", "POSTROUTING -p tcp -j MASQUERADE",
			"sub -g other", "sub -j MASQUERADE", "other -d 1.2.3.4/32 -j ACCEPT"}, []string{"rewritten: tcp"}},
		{"one port", []string{"*nat", "POSTROUTING -d 10.244.3.0/24 -p tcp -m tcp --dport 80 -j MASQUERADE"},
			[]string{"rewritten: tcp to port 80, to 10.244.3.0/24"}},
		{"all but one port", []string{"*nat", "POSTROUTING -p tcp -m tcp ! --dport 80 -j MASQUERADE"}, []string{"rewritten: tcp to ports 0-79, 81-65535"}},
		{"multiport", []string{"*nat", "POSTROUTING -p udp -m multiport --ports 53,1000:2000 -j MASQUERADE"},
			[]string{"rewritten: udp from ports 53, 1000-2000; udp from ports 0-52, 54-999, 2001-65535 to ports 53, 1000-2000"}},
		{"half the source", []string{"*nat", "POSTROUTING -s 10.244.1.128/25 -j MASQUERADE"}, []string{"rewritten: from 10.244.1.128/25"}},
		{"all but a source", []string{"*nat", "POSTROUTING ! -s 10.244.1.0/24 -j MASQUERADE"}, nil},
		{"all but tcp", []string{"*nat", "POSTROUTING ! -p tcp -j MASQUERADE"}, []string{"rewritten: all but tcp"}},
		{"mark set for some", []string{"*mangle", "FORWARD -d 10.244.2.0/24 -p tcp -j MARK --set-xmark 0x4000/0x4000",
			"*nat", "POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE"}, []string{"rewritten: tcp, to 10.244.2.0/24"}},
		{"no mark set", []string{"*nat", "POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE"}, nil},
		{"kube-proxy", []string{"*nat", "POSTROUTING -j kube", "kube -m mark ! --mark 0x4000/0x4000 -j RETURN",
			"kube -j MARK --set-xmark 0x4000/0x0", "kube -j MASQUERADE --random-fully"}, nil},
		{"connmark and back", []string{"*mangle", "PREROUTING -j MARK --set-xmark 0x7/0xf", "PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
			"PREROUTING -j MARK --set-xmark 0x0/0xffffffff", "FORWARD -j CONNMARK --restore-mark --nfmask 0x3 --ctmask 0xffffffff",
			"*nat", "POSTROUTING -m mark --mark 0x7 -m connmark --mark 0x7 -j MASQUERADE"}, []string{"rewritten: all traffic"}},
		{"notrack", []string{"*raw", "PREROUTING -p udp -j CT --notrack", "*nat", "POSTROUTING -j MASQUERADE"}, []string{"rewritten: all but udp"}},
		{"dropped before", []string{"*filter", "FORWARD DROP", "FORWARD -p icmp -j ACCEPT", "*nat", "POSTROUTING -j MASQUERADE"}, []string{"rewritten: icmp"}},
		{"states", []string{"*filter", "FORWARD -m conntrack --ctstate INVALID -j DROP", "FORWARD -m state --state ESTABLISHED,RELATED -j DROP",
			"*nat", "POSTROUTING -m conntrack --ctstate NEW -j MASQUERADE"}, []string{"rewritten: all traffic"}},
		{"invalid before tracking", []string{"*raw", "PREROUTING -m conntrack --ctstate INVALID -j DROP", "*nat", "POSTROUTING -j MASQUERADE"}, nil},
		{"dnat elsewhere", []string{"*nat", "PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 9.9.9.9:80", "POSTROUTING -j MASQUERADE"},
			[]string{"redirected: tcp to port 80", "rewritten: all but tcp; tcp to ports 0-79, 81-65535"}},
		{"dnat to a peer, then masquerade", []string{"*nat", "PREROUTING -d 10.244.3.0/24 -j DNAT --to-destination 10.244.2.9", "POSTROUTING -d 10.244.2.9/32 -j MASQUERADE"},
			[]string{"rewritten: to 10.244.2.9, 10.244.3.0/24"}},
		{"dnat makes a state", []string{"*nat", "PREROUTING -d 10.244.3.0/24 -j DNAT --to-destination 10.244.3.9", "POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE"},
			[]string{"rewritten: to 10.244.3.0-10.244.3.8, 10.244.3.10-10.244.3.255"}},
		{"dnat to itself draws ids of ICMP", []string{"*nat", "PREROUTING -d 10.244.3.9/32 -j DNAT --to-destination 10.244.3.9 --random", "POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE"},
			[]string{"rewritten: icmp, to 10.244.3.9"}},
		{"snat to itself", []string{"*nat", "POSTROUTING -j SNAT --to-source 10.244.1.9"}, []string{"rewritten: from 10.244.1.0-10.244.1.8, 10.244.1.10-10.244.1.255"}},
		{"a range of senders", []string{"*nat", "POSTROUTING -m iprange --src-range 10.244.1.10-10.244.1.20 ! --dst-range 10.244.3.0-10.244.3.255 -j MASQUERADE"},
			[]string{"rewritten: from 10.244.1.10-10.244.1.20, to 10.244.2.0/24"}},
		{"another network's addresses", []string{"*nat", "POSTROUTING -d 10.244.3.0/24 -j NETMAP --to 10.245.1.0/24"}, []string{"rewritten: to 10.244.3.0/24"}},
		{"its own network's addresses", []string{"*nat", "POSTROUTING -j NETMAP --to 10.244.1.0/25"}, []string{"rewritten: from 10.244.1.128/25"}},
		{"another network's destinations", []string{"*nat", "PREROUTING -d 10.244.3.0/24 -j NETMAP --to 10.245.1.0/24", "POSTROUTING -d 10.244.2.0/24 -j NETMAP --to 10.244.1.0/24"},
			[]string{"redirected: to 10.244.3.0/24"}},
		{"its own network's destinations", []string{"*nat", "PREROUTING -d 10.244.3.0/24 -j NETMAP --to 10.244.3.0/24", "POSTROUTING -j MASQUERADE"},
			[]string{"rewritten: all traffic"}},
		{"neither of two ports", []string{"*nat", "POSTROUTING -p tcp -m tcp ! --sport 80 ! --dport 443 -j MASQUERADE"}, []string{
			"rewritten: tcp from ports 0-79, 81-65535 to ports 0-442, 444-65535",
			"unknown: tcp from ports 0-79, 81-65535 to port 443; tcp from port 80 to ports 0-442, 444-65535"}},
		{"no port of two ranges", []string{"*nat", "POSTROUTING -p tcp -m tcp ! --sport 80:81 ! --dport 443 -j MASQUERADE"},
			[]string{"rewritten: tcp from ports 0-79, 82-65535 to ports 0-442, 444-65535"}},
		{"no port of one and of a range", []string{"*nat", "POSTROUTING -p tcp -m tcp ! --sport 80 ! --dport 443:444 -j MASQUERADE"},
			[]string{"rewritten: tcp from ports 0-79, 81-65535 to ports 0-442, 445-65535"}},
		{"one port, and not the other", []string{"*nat", "POSTROUTING -p tcp -m tcp --sport 80 ! --dport 443 -j MASQUERADE"},
			[]string{"rewritten: tcp from port 80 to ports 0-442, 444-65535"}},
		{"not one port, and the other", []string{"*nat", "POSTROUTING -p tcp -m tcp ! --sport 80 --dport 443 -j MASQUERADE"},
			[]string{"rewritten: tcp from ports 0-79, 81-65535 to port 443"}},
		{"an input interface behind the routing", []string{"*nat", "POSTROUTING -i cni0 -p tcp -j MASQUERADE", "POSTROUTING -i eth9 -j MASQUERADE"}, []string{"unknown: tcp"}},
		{"a time to live", []string{"*mangle", "FORWARD -j TTL --ttl-inc 1"}, nil},
		{"addrtype", []string{"*nat", "POSTROUTING -m addrtype --dst-type LOCAL -j MASQUERADE", "POSTROUTING -m addrtype ! --src-type UNICAST -j MASQUERADE"},
			[]string{"rewritten: to 10.244.3.77", "rewritten: from 10.244.1.0/31, 10.244.1.255, to 10.244.2.0-10.244.3.76, 10.244.3.78-10.244.3.255"}},
		{"addrtype on another interface", []string{"*mangle", "FORWARD -m addrtype --dst-type LOCAL --limit-iface-in -j MARK --set-xmark 0x1/0x1",
			"FORWARD -m addrtype ! --dst-type UNICAST -j MARK --set-xmark 0x2/0x2", "*nat", "POSTROUTING -m mark ! --mark 0x0 -j MASQUERADE"},
			[]string{"rewritten: to 10.244.3.77"}},
		{"limited to an interface that has the address", []string{"*mangle", "FORWARD -m addrtype --src-type LOCAL --limit-iface-in -j MARK --set-xmark 0x1/0x1",
			"*nat", "POSTROUTING -m mark --mark 0x1 -j MASQUERADE"}, []string{"rewritten: from 10.244.1.1"}},
		{"not understood", []string{"*nat", "POSTROUTING -d 10.244.2.0/24 -m statistic --mode random --probability 0.5 -j MASQUERADE"},
			[]string{"unknown: to 10.244.2.0/24"}},
		{"not understood, but for others", []string{"*nat", "POSTROUTING -d 10.96.0.1/32 -m statistic --mode random --probability 0.5 -j MASQUERADE"}, nil},
		{"not understood, but all the same", []string{"*nat", "POSTROUTING -m limit --limit 5/min -j sub", "POSTROUTING -j MASQUERADE", "sub -d 1.2.3.4/32 -j RETURN"},
			[]string{"rewritten: all traffic"}},
		{"not understood, but harmless", []string{"*filter", "FORWARD -m limit --limit 5/min -j DROP"}, nil},
		{"not understood, and shields", []string{"*nat", "POSTROUTING -m set --match-set pods dst -j ACCEPT", "POSTROUTING -p tcp -j MASQUERADE"}, []string{"unknown: tcp"}},
		{"a target that is not understood", []string{"*filter", "FORWARD -p udp -j NFQUEUE --queue-num 1"}, []string{"unknown: udp"}},
		{"a log", []string{"*nat", `POSTROUTING -m limit --limit 5/min -j LOG --log-prefix "a b"`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules := mustParse(t, NFT, ruleSet(test.rules...))
			got := tell(Evaluate(podToPod(), rules), Rewritten, Redirected, Unknown)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

// However rules multiply what must be told apart, the answer comes soon, and is no clean one.
func TestTooManyCasesAreUnknown(t *testing.T) {
	doubling := []string{"*nat", "POSTROUTING -j c0"}
	for i := range 60 {
		doubling = append(doubling, fmt.Sprintf("c%d -j c%d", i, i+1), fmt.Sprintf("c%d -j c%d", i, i+1))
	}
	doubling = append(doubling, "c60 -p tcp -j ACCEPT")
	flows, ends := []string{"*mangle"}, []string{"*filter"}
	for i := range 3000 {
		flows = append(flows, fmt.Sprintf("FORWARD -p tcp -m tcp --dport %d:%d -m length --length 0:10 -j MARK --set-xmark %d", i, i+100, i))
		ends = append(ends, fmt.Sprintf("FORWARD -p tcp -m tcp --dport %d:%d -m length --length 0:10 -j ACCEPT", i, i+100))
	}
	for name, rules := range map[string][]string{"chains": doubling, "flows": flows, "ends": ends} {
		t.Run(name, func(t *testing.T) {
			parsed := mustParse(t, NFT, ruleSet(rules...))
			start := time.Now()
			if got := tell(Evaluate(podToPod(), parsed), Kept, Rewritten, Unknown); len(got) != 1 || got[0] != "unknown: all traffic" {
				t.Errorf("%q", got)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Both worlds are asked at every hook. Which is first is not known, and matters only sometimes.
func TestEvaluateBothWorlds(t *testing.T) {
	for _, test := range []struct {
		name        string
		nft, legacy []string
		want        []string
	}{
		{"ACCEPT shields its own world only", []string{"*nat", "POSTROUTING -j ACCEPT"}, []string{"*nat", "POSTROUTING -p tcp -j MASQUERADE"}, []string{"rewritten: tcp"}},
		{"dropped by the other", []string{"*filter", "FORWARD -p tcp -j DROP"}, []string{"*nat", "POSTROUTING -j MASQUERADE"}, []string{"rewritten: all but tcp"}},
		{"marked by the other, elsewhere", []string{"*mangle", "FORWARD -p tcp -j MARK --set-xmark 0x1"}, []string{"*nat", "POSTROUTING -m mark --mark 0x1 -j MASQUERADE"},
			[]string{"rewritten: tcp"}},
		{"marked by the other, at the same hook", []string{"*nat", "POSTROUTING -p tcp -j MARK --set-xmark 0x1"}, []string{"*nat", "POSTROUTING -m mark --mark 0x1 -j MASQUERADE"},
			[]string{"unknown: tcp"}},
		{"whoever is first", []string{"*nat", "POSTROUTING -p tcp -j MASQUERADE"}, []string{"*nat", "POSTROUTING -p tcp -j SNAT --to-source 9.9.9.9"},
			[]string{"rewritten: tcp"}},
		{"the other binds it to its own address", []string{"*nat", "POSTROUTING -s 10.244.1.9/32 -j SNAT --to-source 10.244.1.9"},
			[]string{"*nat", "POSTROUTING -s 10.244.1.9/32 -j MASQUERADE"}, []string{"unknown: from 10.244.1.9"}},
		{"dropped unless the other marks it first", []string{"*mangle", "FORWARD -p tcp -m mark --mark 0x0 -j DROP", "*nat", "POSTROUTING -j MASQUERADE"},
			[]string{"*mangle", "FORWARD -j MARK --set-xmark 0x1/0x1"}, []string{"rewritten: all traffic"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			nft, legacy := mustParse(t, NFT, ruleSet(test.nft...)), mustParse(t, Legacy, ruleSet(test.legacy...))
			for _, worlds := range [][]*Rules{{nft, legacy}, {legacy, nft}} {
				got := tell(Evaluate(podToPod(), worlds...), Rewritten, Redirected, Unknown)
				slices.Sort(got)
				want := slices.Sorted(slices.Values(test.want))
				if !slices.Equal(got, want) {
					t.Errorf("%s first: got %q, want %q", worlds[0].World(), got, want)
				}
			}
		})
	}
}

// iptables-legacy compares two ports one by one, and iptables-nft both at once.
func TestNeitherOfTwoPortsInTheWorldOfLegacy(t *testing.T) {
	rules := mustParse(t, Legacy, ruleSet("*nat", "POSTROUTING -p tcp -m tcp ! --sport 80 ! --dport 443 -j MASQUERADE"))
	got := tell(Evaluate(podToPod(), rules), Rewritten, Unknown)
	if want := []string{"rewritten: tcp from ports 0-79, 81-65535 to ports 0-442, 444-65535"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A question about one packet has one answer.
func TestEvaluateOnePacket(t *testing.T) {
	rules := mustParse(t, NFT, ruleSet("*nat", "POSTROUTING -d 10.244.3.0/24 -p tcp -m tcp --dport 80 -j MASQUERADE"))
	for _, test := range []struct {
		packet Packet
		want   Verdict
	}{
		{Packet{Src: netip.MustParseAddr("10.244.1.2"), Dst: netip.MustParseAddr("10.244.3.2"), Proto: 6, Sport: 40000, Dport: 80}, Rewritten},
		{Packet{Src: netip.MustParseAddr("10.244.1.2"), Dst: netip.MustParseAddr("10.244.2.2"), Proto: 6, Sport: 40000, Dport: 80}, Kept},
		{Packet{Src: netip.MustParseAddr("10.244.1.2"), Dst: netip.MustParseAddr("10.244.3.2"), Proto: 17, Sport: 40000, Dport: 80}, Kept},
	} {
		q := podToPod()
		q.Only = &test.packet
		if got := Evaluate(q, rules); len(got) != 1 || got[0].Verdict != test.want || !got[0].Traffic.All() {
			t.Errorf("%s: %v, want %s", test.packet, got, test.want)
		}
	}
}
