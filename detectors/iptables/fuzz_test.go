package iptables

import (
	"errors"
	"testing"
)

// FuzzParse holds that nothing makes the parser or the evaluator panic or hang, that what Parse refuses is refused with a
// line, and that every packet gets exactly one outcome.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "# a comment\n", "# Table `nat' is incompatible, use 'nft' tool.\n",
		ruleSet("*nat", "POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j MASQUERADE"),
		ruleSet("*nat", "POSTROUTING -g sub", "sub -p tcp -m multiport ! --ports 53,80:90 -j SNAT --to-source 1.2.3.4-1.2.3.5:10-20 --random"),
		ruleSet("*filter", "INPUT DROP", "INPUT -m limit --limit 1/s -j REJECT --reject-with tcp-reset", "*nat", "INPUT -j SNAT --to-source 1.2.3.4", "OUTPUT -j REDIRECT --to-ports 1-2", "*security", "INPUT -s 1.2.3.4 -j DROP"),
		ruleSet("*raw", "PREROUTING -p udp -j CT --notrack", "*mangle", "FORWARD DROP", "FORWARD -m mark ! --mark 0x1/0x3 -j CONNMARK --save-mark --nfmask 0x3 --ctmask 0xff"),
		ruleSet("*nat", "PREROUTING -i cni0 -m addrtype ! --dst-type LOCAL --limit-iface-in -j DNAT --to-destination 10.244.2.2:80", "POSTROUTING -m conntrack ! --ctstate DNAT,NEW -j REDIRECT"),
		ruleSet("*nat", `POSTROUTING -m comment --comment "a \"b\" c" -m statistic --mode random -j sub`, "sub -p tcp -m tcp --tcp-flags ALL SYN -j RETURN", "POSTROUTING -j MASQUERADE"),
		"*nat\n:POSTROUTING ACCEPT [0:0]\n[1:2] -A POSTROUTING -m comment --comment \"\n\" -j LOG\nCOMMIT",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, twice bool) {
		rules, err := Parse(NFT, text)
		if err != nil {
			if syntax, ok := errors.AsType[*SyntaxError](err); !ok || syntax.Line < 1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		worlds := []*Rules{rules}
		if twice {
			legacy, err := Parse(Legacy, text)
			if err != nil {
				t.Fatal(err)
			}
			worlds = append(worlds, legacy)
		}
		holdsOnce(t, podToPod(), Evaluate(podToPod(), worlds...))
		for _, state := range []State{New, Established, Stray} {
			for _, q := range []Query{podToPod(), toNode(), fromNode()} {
				q.State = state
				holdsOnce(t, q, Filter(q, worlds...))
			}
		}
	})
}

// holdsOnce holds that every packet of a query has one outcome.
func holdsOnce(t *testing.T, q Query, found []Outcome) {
	asked := full()
	asked[dimSrc] = newSide(q.From[0]).addrs
	asked[dimDst] = nil
	for _, to := range q.To {
		asked[dimDst] = asked[dimDst].or(newSide(to).addrs)
	}
	left := []box{asked}
	for i, o := range found {
		if o.Traffic.String() == "" || o.Verdict == Unknown && len(o.Doubts) == 0 {
			t.Errorf("%+v", o)
		}
		left = minusAll(left, o.Traffic.boxes)
		for _, p := range found[:i] {
			if parts := minusAll(o.Traffic.boxes, minusAll(o.Traffic.boxes, p.Traffic.boxes)); len(parts) > 0 {
				t.Errorf("%s has two outcomes: %s and %s", Traffic{boxes: parts, whole: asked}, p.Verdict, o.Verdict)
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("no outcome for %s", Traffic{boxes: left, whole: asked})
	}
}
