package iptables

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestKnownSets(t *testing.T) {
	pods := []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}
	sets := map[string]KnownSet{
		"services": {Lacks: pods},
		"pools":    {Has: pods},
		"half":     {Has: []netip.Prefix{netip.MustParsePrefix("10.244.2.0/24")}},
		"hairpin":  {Hairpin: true},
	}
	for _, test := range []struct {
		name, rule string
		want       []string
	}{
		{"has none of them", "-m set --match-set services dst,dst", nil},
		{"has none of them, negated", "-m set ! --match-set services dst,dst", []string{"rewritten: all traffic"}},
		{"has all of them", "-m set --match-set pools src", []string{"rewritten: all traffic"}},
		{"has all of them, negated", "-m set ! --match-set pools dst", nil},
		{"has some, and the others are not known", "-m set --match-set half dst", []string{"rewritten: to 10.244.2.0/24", "unknown: to 10.244.3.0/24"}},
		{"has the address, with a port that is not known", "-m set --match-set pools dst,dst", []string{"unknown: all traffic"}},
		{"nothing goes back to where it comes from", "-m set --match-set hairpin dst,dst,src", nil},
		{"the same fields of the same end", "-m set --match-set hairpin src,dst,src", []string{"unknown: all traffic"}},
		{"not known", "-m set --match-set other src", []string{"unknown: all traffic"}},
		{"not known, negated", "-m set ! --match-set other src", []string{"unknown: all traffic"}},
		{"not known, and for others only", "-d 10.96.0.1/32 -m set --match-set other src", nil},
	} {
		q := podToPod()
		q.Sets = sets
		rules := mustParse(t, NFT, ruleSet("*nat", "POSTROUTING "+test.rule+" -j MASQUERADE"))
		if got := tell(Evaluate(q, rules), Rewritten, Redirected, Unknown); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Packets come in by the interface by which the machine sends to their source.
func TestReversePathFilter(t *testing.T) {
	for rule, want := range map[string][]string{
		"-m rpfilter --validmark --invert -j DROP": {"rewritten: all traffic"},
		"-m rpfilter --loose -j DROP":              nil,
	} {
		rules := mustParse(t, NFT, ruleSet("*raw", "PREROUTING "+rule, "*nat", "POSTROUTING -j MASQUERADE"))
		if got := tell(Evaluate(podToPod(), rules), Rewritten, Unknown); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", rule, got, want)
		}
	}
}

// What decides is named first, not what was met first and changes nothing.
func TestDecisiveDoubtIsFirst(t *testing.T) {
	rules := mustParse(t, NFT, ruleSet("*nat",
		"PREROUTING -m set --match-set one dst -j ACCEPT", "PREROUTING -m length --length 0:9 -j ACCEPT", "PREROUTING -m set --match-set two dst -j ACCEPT",
		"PREROUTING -m set --match-set three dst -j ACCEPT", "PREROUTING -m set --match-set four dst -j ACCEPT",
		"POSTROUTING -m set --match-set pods dst -j MASQUERADE"))
	outcomes := Evaluate(podToPod(), rules)
	if len(outcomes) != 1 || outcomes[0].Verdict != Unknown || !strings.Contains(outcomes[0].Doubts[0].String(), "set pods") {
		t.Errorf("got %v", outcomes)
	}
}
