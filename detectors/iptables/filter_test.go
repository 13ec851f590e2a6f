package iptables

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// toNode asks for packets of other nodes for this one, and for those that it forwards to its pods; fromNode for packets that
// it makes for them.
func toNode() Query {
	return Query{
		From: []Side{{Addrs: prefixes("192.168.100.0/24"), Except: prefixes("192.168.100.11/32"), Dev: "eth0"}},
		To:   []Side{{Addrs: prefixes("192.168.100.11/32")}, {Addrs: prefixes("10.244.1.2/32"), Dev: "cni0"}},
		LocalRoutes: []LocalRoute{
			{Dst: prefixes("192.168.100.11/32")[0], Type: "local", Dev: "eth0"},
			{Dst: prefixes("10.244.1.1/32")[0], Type: "local", Dev: "cni0"},
		},
	}
}

func fromNode() Query {
	q := toNode()
	q.From, q.To = q.To[:1], q.From
	return q
}

func TestFilter(t *testing.T) {
	vxlan := toNode()
	vxlan.Proto, vxlan.Dport, vxlan.To = protoUDP, 8472, vxlan.To[:1]
	established := toNode()
	established.State = Established
	for _, test := range []struct {
		name  string
		query Query
		rules []string
		// want are all outcomes but those that pass.
		want []string
	}{
		{"nothing", toNode(), nil, nil},
		{"a port that is dropped", vxlan, []string{"*filter", "INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP"},
			[]string{"dropped: all traffic by -A INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP"}},
		{"from one node", vxlan, []string{"*filter", "INPUT -s 192.168.100.12/32 -p udp -j DROP"},
			[]string{"dropped: from 192.168.100.12 by -A INPUT -s 192.168.100.12/32 -p udp -j DROP"}},
		{"another port", vxlan, []string{"*filter", "INPUT -p udp -m udp --dport 4789 -j DROP"}, nil},
		{"another hook", vxlan, []string{"*filter", "FORWARD DROP", "OUTPUT DROP"}, nil},
		{"shielded by ACCEPT", vxlan, []string{"*filter", "INPUT DROP", "INPUT -p udp -m udp --dport 8472 -j ACCEPT"}, nil},
		{"ACCEPT shields its own table only", vxlan, []string{"*filter", "INPUT -j ACCEPT", "*security", "INPUT -p udp -j DROP"},
			[]string{"dropped: all traffic by -A INPUT -p udp -j DROP"}},
		{"a policy", vxlan, []string{"*filter", "INPUT DROP", "INPUT -s 192.168.100.128/25 -j ACCEPT"},
			[]string{"dropped: from 192.168.100.0-192.168.100.10, 192.168.100.12-192.168.100.127 by :INPUT DROP"}},
		{"a rejection", vxlan, []string{"*filter", "INPUT -j REJECT --reject-with icmp-host-prohibited"},
			[]string{"rejected with icmp-host-prohibited: all traffic by -A INPUT -j REJECT --reject-with icmp-host-prohibited"}},
		{"before routing", vxlan, []string{"*raw", "PREROUTING -p udp -j DROP"}, []string{"dropped: all traffic by -A PREROUTING -p udp -j DROP"}},
		{"not understood", vxlan, []string{"*filter", "INPUT -m limit --limit 5/min -j ACCEPT", "INPUT -j DROP"}, []string{"unknown: all traffic"}},
		{"not understood, but all the same", vxlan, []string{"*filter", "INPUT DROP", "INPUT -m limit --limit 5/min -j DROP"},
			[]string{"dropped: all traffic by -A INPUT -m limit --limit 5/min -j DROP"}},
		{"dropped or rejected", vxlan, []string{"*filter", "INPUT DROP", "INPUT -m limit --limit 5/min -j REJECT --reject-with icmp-port-unreachable"},
			[]string{"dropped: all traffic by :INPUT DROP"}},
		{"INPUT does not see what DNAT sends on", toNode(), []string{"*nat", "PREROUTING -d 192.168.100.11/32 -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.244.1.2:80",
			"*filter", "INPUT -p tcp -j DROP", "FORWARD -p tcp -m tcp --dport 80 -m conntrack --ctstate DNAT -j DROP"},
			[]string{"dropped: tcp to port 30080, to 192.168.100.11 by -A FORWARD -p tcp -m tcp --dport 80 -m conntrack --ctstate DNAT -j DROP",
				"dropped: tcp to ports 0-30079, 30081-65535, to 192.168.100.11 by -A INPUT -p tcp -j DROP"}},
		{"DNAT to elsewhere", vxlan, []string{"*nat", "PREROUTING -j DNAT --to-destination 9.9.9.9", "*filter", "INPUT DROP"},
			[]string{"redirected: all traffic by -A PREROUTING -j DNAT --to-destination 9.9.9.9"}},
		{"REDIRECT to another port", vxlan, []string{"*nat", "PREROUTING -p udp -j REDIRECT --to-ports 53", "*filter", "INPUT -p udp -m udp --dport 53 -j DROP"},
			[]string{"dropped: all traffic by -A INPUT -p udp -m udp --dport 53 -j DROP"}},
		{"new connections only", established, []string{"*filter", "INPUT -m conntrack --ctstate NEW -j DROP"}, nil},
		{"established connections pass", toNode(), []string{"*filter", "INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "INPUT -p tcp -j DROP"},
			[]string{"dropped: tcp, to 192.168.100.11 by -A INPUT -p tcp -j DROP"}},
		{"nat tables are not asked again", established, []string{"*nat", "PREROUTING -j DNAT --to-destination 9.9.9.9"}, nil},
		{"an unknown connection mark", established, []string{"*mangle", "INPUT -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf",
			"*filter", "INPUT -m mark --mark 0x10/0x10 -j DROP", "INPUT -p tcp -m mark --mark 0x1/0x1 -j DROP"},
			[]string{"unknown: tcp, to 192.168.100.11"}},
		{"out", fromNode(), []string{"*filter", "OUTPUT -o eth0 -p udp -m udp --dport 8472 -j DROP", "INPUT DROP", "FORWARD DROP"},
			[]string{"dropped: udp to port 8472 by -A OUTPUT -o eth0 -p udp -m udp --dport 8472 -j DROP"}},
		{"out, at the last hook", fromNode(), []string{"*mangle", "POSTROUTING -p udp -j DROP", "PREROUTING DROP"},
			[]string{"dropped: udp by -A POSTROUTING -p udp -j DROP"}},
		{"out to itself", fromNode(), []string{"*nat", "OUTPUT -p udp -j REDIRECT"}, []string{"redirected: udp by -A OUTPUT -p udp -j REDIRECT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := tellStopped(Filter(test.query, mustParse(t, NFT, ruleSet(test.rules...))))
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

// tellStopped writes the outcomes that do not pass.
func tellStopped(outcomes []Outcome) (all []string) {
	for _, o := range outcomes {
		if o.Verdict == Passed {
			continue
		}
		text := string(o.Verdict)
		if o.Verdict == Rejected {
			text += " with " + o.To
		}
		text += ": " + o.Traffic.String()
		if o.Rule != nil {
			text += " by " + o.Rule.Text
		}
		if o.Policy != nil {
			text += " by " + o.Policy.Text()
		}
		all = append(all, text)
	}
	return all
}

// A detector asks which nodes' packets are stopped, and reads where the policy stands.
func TestFilterNamesNodeAndPolicy(t *testing.T) {
	text := ruleSet("*filter", "INPUT DROP", "INPUT -s 192.168.100.12/32 -j ACCEPT")
	for _, o := range Filter(toNode(), mustParse(t, Legacy, strings.ReplaceAll(text, "[0:0]", "[7:420]"))) {
		if o.Policy == nil {
			continue
		}
		if got, want := o.Policy.String(), "legacy filter INPUT, line 2: :INPUT DROP"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if o.Traffic.ComesFrom(prefixes("192.168.100.12/32")[0]) || !o.Traffic.ComesFrom(prefixes("192.168.100.13/32")[0]) {
			t.Errorf("dropped: %s", o.Traffic)
		}
		return
	}
	t.Error("no policy has dropped anything")
}

// What the order of worlds decides is in doubt, and what it does not is not.
func TestFilterBothWorlds(t *testing.T) {
	for _, test := range []struct {
		name        string
		nft, legacy []string
		want        []string
		doubts      bool
	}{
		{"ACCEPT shields its own world only", []string{"*filter", "INPUT -j ACCEPT"}, []string{"*filter", "INPUT DROP"},
			[]string{"dropped: to 192.168.100.11 by :INPUT DROP"}, false},
		{"both, but not the same", []string{"*filter", "INPUT -p udp -j DROP"}, []string{"*filter", "INPUT -p tcp -j DROP"},
			[]string{"dropped: tcp, to 192.168.100.11 by -A INPUT -p tcp -j DROP", "dropped: udp, to 192.168.100.11 by -A INPUT -p udp -j DROP"}, false},
		{"dropped or rejected", []string{"*filter", "INPUT -p udp -j DROP"}, []string{"*filter", "INPUT -p udp -j REJECT --reject-with icmp-port-unreachable"},
			[]string{"dropped: udp, to 192.168.100.11 by -A INPUT -p udp -j DROP"}, true},
		{"marked by the other", []string{"*filter", "INPUT -p udp -m mark --mark 0x0 -j DROP"}, []string{"*filter", "INPUT -j MARK --set-xmark 0x1/0x1"},
			[]string{"unknown: udp, to 192.168.100.11"}, true},
		{"nat INPUT before or after security", []string{"*security", "INPUT -p udp -m mark --mark 0x1 -j DROP"}, []string{"*nat", "INPUT -j MARK --set-xmark 0x1/0x1"},
			[]string{"unknown: udp, to 192.168.100.11"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			nft, legacy := mustParse(t, NFT, ruleSet(test.nft...)), mustParse(t, Legacy, ruleSet(test.legacy...))
			for _, worlds := range [][]*Rules{{nft, legacy}, {legacy, nft}} {
				outcomes := Filter(toNode(), worlds...)
				got := slices.Sorted(slices.Values(tellStopped(outcomes)))
				if !slices.Equal(got, test.want) {
					t.Errorf("%s first: got %q, want %q", worlds[0].World(), got, test.want)
				}
				doubts := slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Verdict != Passed && len(o.Doubts) > 0 })
				if doubts != test.doubts {
					t.Errorf("%s first: doubts: %v", worlds[0].World(), outcomes)
				}
			}
		})
	}
}

// Packets from the machine to itself are on no way that is followed.
func TestFilterToItself(t *testing.T) {
	q := toNode()
	q.From = q.To[:1]
	got := tellStopped(Filter(q))
	if want := []string{"unknown: to 192.168.100.11"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleFilter() {
	rules, err := Parse(NFT, `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [12:720]
:OUTPUT ACCEPT [0:0]
-A INPUT -s 192.168.100.12/32 -p udp -m udp --dport 8472 -j DROP
COMMIT
`)
	if err != nil {
		panic(err)
	}
	// VXLAN packets of the other nodes, for this node.
	for _, o := range Filter(Query{
		From:  []Side{{Addrs: prefixes("192.168.100.12/32", "192.168.100.13/32"), Dev: "eth0"}},
		To:    []Side{{Addrs: prefixes("192.168.100.11/32")}},
		Proto: 17, Dport: 8472,
	}, rules) {
		fmt.Println(o.Verdict, o.Traffic)
		if o.Rule != nil {
			fmt.Println("  by", o.Rule)
		}
	}
	// Output:
	// dropped from 192.168.100.12
	//   by nft filter INPUT, line 5: -A INPUT -s 192.168.100.12/32 -p udp -m udp --dport 8472 -j DROP
	// passed from 192.168.100.13
}
