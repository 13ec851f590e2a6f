package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// What becomes of TCP that must have neither of two ports to be dropped.
func TestNeitherPort(t *testing.T) {
	const drop = "INPUT -p tcp -m tcp ! --sport 443 ! --dport 80 -j DROP"
	for _, c := range []struct {
		name    string
		world   World
		rule    string
		unknown string
	}{
		{"by iptables-nft", NFT, drop, "tcp from port 443 to ports 0-79, 81-65535; tcp from ports 0-442, 444-65535 to port 80"},
		{"by who knows what", Only, drop, "tcp from port 443 to ports 0-79, 81-65535; tcp from ports 0-442, 444-65535 to port 80"},
		{"by iptables-legacy", Legacy, drop, ""},
		{"one negated", NFT, "INPUT -p tcp -m tcp --sport 443 ! --dport 80 -j DROP", ""},
		{"a range", NFT, "INPUT -p tcp -m tcp ! --sport 443:444 ! --dport 80 -j DROP", ""},
		{"another extension", NFT, "INPUT -p tcp -m multiport ! --sports 443 -m tcp ! --dport 80 -j DROP", ""},
		{"another protocol", NFT, "INPUT -p sctp -m sctp ! --sport 443 ! --dport 80 -j DROP", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := toNode()
			query.To = query.To[:1]
			var unknown []string
			for _, o := range Filter(query, mustParse(t, c.world, ruleSet("*filter", c.rule))) {
				if o.Verdict != Unknown {
					continue
				}
				unknown = append(unknown, o.Traffic.String())
				if !strings.Contains(fmt.Sprint(o.Doubts), mergedPorts) {
					t.Errorf("for another reason: %v", o.Doubts)
				}
			}
			slices.Sort(unknown)
			if got := strings.Join(unknown, "; "); got != c.unknown {
				t.Errorf("unknown: %q, want %q", got, c.unknown)
			}
		})
	}
}

// Of several ports that a packet must not have, nft may merge any with that of the other side; which, is not to be seen.
func TestNeitherOfThreePorts(t *testing.T) {
	rule := "post " + compare(payload("tcp", "sport"), "!=", "443") + "," + compare(payload("tcp", "dport"), "!=", "53") + "," +
		compare(payload("tcp", "dport"), "!=", "80") + "," + masquerade
	rules := native(t, post, rule)
	for _, c := range []struct {
		sport, dport uint16
		want         Verdict
	}{
		{1000, 90, Rewritten}, {1000, 53, Unknown}, {1000, 80, Unknown}, {443, 90, Unknown}, {443, 53, Kept}, {443, 80, Kept},
	} {
		query := podToPod()
		query.Only = &Packet{Src: netip.MustParseAddr("10.244.1.2"), Dst: netip.MustParseAddr("10.244.2.2"), Proto: protoTCP, Sport: c.sport, Dport: c.dport}
		if got := Evaluate(query, rules); len(got) != 1 || got[0].Verdict != c.want {
			t.Errorf("from port %d to port %d: %v, want %s", c.sport, c.dport, got, c.want)
		}
	}
}

// nft prints a rule that asks for UDP first, and one that asks for it behind the map, the same: what the map does to other protocols is
// not known.
func TestProtocolBeforeAMapOfVerdicts(t *testing.T) {
	const vmap = `{"vmap":{"key":{"meta":{"key":"mark"}},"data":{"set":[[0,{"accept":null}]]}}}`
	query := podToPod()
	for _, c := range []struct {
		rule     string
		udp, tcp Verdict
	}{
		{vmap + "," + compare(payload("udp", "dport"), "==", "80") + `,{"accept":null}`, Kept, Unknown},
		{vmap + `,{"counter":null},` + compare(payload("udp", "dport"), "==", "80") + `,{"accept":null}`, Kept, Kept},
		{compare(meta("l4proto"), "==", `"udp"`) + "," + vmap + "," + compare(payload("udp", "dport"), "==", "80") + `,{"accept":null}`, Kept, Rewritten},
		{vmap + "," + compare(payload("th", "dport"), "==", "80") + `,{"accept":null}`, Kept, Kept},
	} {
		rules := native(t, post, "post "+c.rule, "post "+masquerade)
		for proto, want := range map[uint8]Verdict{protoUDP: c.udp, protoTCP: c.tcp} {
			query.Only = &Packet{Src: netip.MustParseAddr("10.244.1.2"), Dst: netip.MustParseAddr("10.244.2.2"), Proto: proto, Sport: 1000, Dport: 53}
			if got := Evaluate(query, rules); len(got) != 1 || got[0].Verdict != want {
				t.Errorf("%s: protocol %d: %v, want %s", c.rule, proto, got, want)
			}
		}
	}
}
