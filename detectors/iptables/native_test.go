package iptables

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/nftables"
)

// native makes rules of lines: "chain NAME HOOK TYPE PRIO [POLICY]" and "CHAIN {STATEMENT}, …", in the table ip t.
func native(t *testing.T, lines ...string) *Rules {
	t.Helper()
	objects := []string{`{"table":{"family":"ip","name":"t"}}`}
	for i, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "chain":
			f := strings.Fields(rest + " accept")
			if len(f) == 2 {
				objects = append(objects, fmt.Sprintf(`{"chain":{"family":"ip","table":"t","name":%q}}`, f[0]))
				continue
			}
			objects = append(objects, fmt.Sprintf(`{"chain":{"family":"ip","table":"t","name":%q,"hook":%q,"type":%q,"prio":%s,"policy":%q}}`, f[0], f[1], f[2], f[3], f[4]))
		case "set", "map":
			objects = append(objects, fmt.Sprintf(`{%q:{"family":"ip","table":"t",%s}}`, word, rest))
		default:
			objects = append(objects, fmt.Sprintf(`{"rule":{"family":"ip","table":"t","chain":%q,"handle":%d,"expr":[%s]}}`, word, i+1, rest))
		}
	}
	set, err := nftables.Parse(`{"nftables":[` + strings.Join(objects, ",") + `]}`)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := FromNFT(set, func(string, string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

const (
	masquerade = `{"masquerade":null}`
	post       = "chain post postrouting nat 100"
)

// field compares a field with a value.
func compare(left, op, right string) string {
	return fmt.Sprintf(`{"match":{"op":%q,"left":%s,"right":%s}}`, op, left, right)
}

func payload(protocol, field string) string {
	return fmt.Sprintf(`{"payload":{"protocol":%q,"field":%q}}`, protocol, field)
}

func meta(key string) string { return fmt.Sprintf(`{"meta":{"key":%q}}`, key) }

func setMark(value string) string {
	return fmt.Sprintf(`{"mangle":{"key":%s,"value":%s}}`, meta("mark"), value)
}

// What each rule set does to traffic between pods: which of it is rewritten, and which is unknown and why.
func TestNative(t *testing.T) {
	for name, c := range map[string]struct {
		rules              []string
		rewritten, unknown string
	}{
		"all":                   {[]string{post, "post " + masquerade}, "all traffic", ""},
		"a port of tcp":         {[]string{post, "post " + compare(payload("tcp", "dport"), "==", "80") + "," + masquerade}, "tcp to port 80", ""},
		"all but a port of tcp": {[]string{post, "post " + compare(payload("tcp", "dport"), "!=", "80") + "," + masquerade}, "tcp to ports 0-79, 81-65535", ""},
		"neither of two ports, by themselves or merged": {[]string{post, "post " + compare(payload("tcp", "sport"), "!=", "443") + "," + compare(payload("tcp", "dport"), "!=", "80") + "," + masquerade},
			"tcp from ports 0-442, 444-65535 to ports 0-79, 81-65535", mergedPorts},
		"a port, of whatever has":             {[]string{post, "post " + compare(payload("th", "dport"), "==", "80") + "," + masquerade}, "tcp, udp, protocol 33, sctp, protocol 136 to port 80", "place of a port"},
		"another interface":                   {[]string{post, "post " + compare(meta("oifname"), "==", `"eth*"`) + "," + masquerade}, "", ""},
		"by the interface":                    {[]string{post, "post " + compare(meta("oifname"), "==", `{"set":["eth9","flannel*"]}`) + "," + masquerade}, "all traffic", ""},
		"IPv6 only":                           {[]string{post, "post " + compare(meta("nfproto"), "==", `"ipv6"`) + "," + masquerade}, "", ""},
		"accept ends the chain":               {[]string{post, `post {"accept":null}`, "post " + masquerade}, "", ""},
		"and not the next one":                {[]string{post, "chain more postrouting nat 110", `post {"accept":null}`, "more " + masquerade}, "all traffic", ""},
		"the first NAT decides":               {[]string{post, "chain more postrouting nat 90", `more {"snat":{"addr":"1.2.3.4"}}`, "post " + masquerade}, "all traffic", ""},
		"a drop is final":                     {[]string{post, "chain f forward filter 0", `f {"drop":null}`, "post " + masquerade}, "", ""},
		"a policy":                            {[]string{post, "chain f forward filter 0 drop", "post " + masquerade}, "", ""},
		"return from a jump":                  {[]string{post, "chain sub", `sub {"return":null}`, `post {"jump":{"target":"sub"}}`, "post " + masquerade}, "all traffic", ""},
		"return from a goto":                  {[]string{post, "chain sub", `sub {"return":null}`, `post {"goto":{"target":"sub"}}`, "post " + masquerade}, "", ""},
		"a mark of before":                    {[]string{post, "chain f forward filter 0", "f " + setMark("5"), "post " + compare(meta("mark"), "==", "5") + "," + masquerade}, "all traffic", ""},
		"a mark of after":                     {[]string{post, "chain f postrouting filter 110", "f " + setMark("5"), "post " + compare(meta("mark"), "==", "5") + "," + masquerade}, "", ""},
		"what a broken rule has set":          {[]string{post, "post " + setMark("5") + "," + compare(meta("mark"), "==", "6") + `,{"accept":null}`, "post " + compare(meta("mark"), "==", "5") + "," + masquerade}, "all traffic", ""},
		"a mark with and and xor":             {[]string{post, "post " + setMark(`{"^":[{"&":[`+meta("mark")+`,12]},3]}`), "post " + compare(`{"&":[`+meta("mark")+`,7]}`, "==", "3") + "," + masquerade}, "all traffic", ""},
		"a mark with xor, then and":           {[]string{post, "post " + setMark(`{"&":[{"^":[`+meta("mark")+`,7]},3]}`), "post " + setMark(`{"^":[`+meta("mark")+`,1]}`), "post " + compare(meta("mark"), "==", "2") + "," + masquerade}, "all traffic", ""},
		"a connection's mark too soon":        {[]string{post, "chain raw prerouting filter -300", `raw {"mangle":{"key":{"ct":{"key":"mark"}},"value":5}}`, "post " + compare(`{"ct":{"key":"mark"}}`, "==", "5") + "," + masquerade}, "", ""},
		"a mark between nat and its priority": {[]string{"chain post postrouting nat 90", "chain f postrouting filter 95", "f " + setMark("5"), "post " + compare(meta("mark"), "==", "5") + "," + masquerade}, "all traffic", ""},
		"what follows a map":                  {[]string{post, `post {"vmap":{"key":` + payload("tcp", "dport") + `,"data":{"set":[[80,{"continue":null}]]}}},` + masquerade}, "tcp to port 80", ""},
		"what follows a jump":                 {[]string{post, "chain sub", `post {"jump":{"target":"sub"}},` + masquerade}, "", ""},
		"a tcp reset is for tcp":              {[]string{post, "chain f forward filter 0", `f {"reject":{"type":"tcp reset"}}`, "post " + masquerade}, "all but tcp", ""},
		"a connection's mark":                 {[]string{post, `post {"mangle":{"key":{"ct":{"key":"mark"}},"value":4}}`, "post " + setMark(`{"ct":{"key":"mark"}}`), "post " + compare(meta("mark"), "==", "4") + "," + masquerade}, "all traffic", ""},
		"a connection's state":                {[]string{post, "post " + compare(`{"ct":{"key":"state"}}`, "in", `["established","related"]`) + `,{"accept":null}`, "post " + compare(`{"ct":{"key":"state"}}`, "==", `{"set":["new","untracked"]}`) + "," + masquerade}, "all traffic", ""},
		"untracked":                           {[]string{post, "chain raw prerouting filter -300", `raw {"notrack":null}`, "post " + masquerade}, "", ""},
		"a map of verdicts": {[]string{post, "chain sub", "sub " + masquerade,
			`post {"vmap":{"key":{"concat":[` + payload("ip", "daddr") + "," + meta("l4proto") + "," + payload("th", "dport") + `]},"data":{"set":[[{"concat":[{"prefix":{"addr":"10.244.2.0","len":24}},"tcp",{"range":[80,90]}]},{"goto":{"target":"sub"}}]]}}}`},
			"tcp to ports 80-90, to 10.244.2.0/24", ""},
		"of a set":                  {[]string{post, `set "name":"s","type":"ipv4_addr","elem":["10.244.2.2"]`, "post " + compare(payload("ip", "daddr"), "==", `"@s"`) + "," + masquerade}, "to 10.244.2.2", ""},
		"of a set without elements": {[]string{post, `set "name":"s","type":"ipv4_addr"`, "post " + compare(payload("ip", "daddr"), "==", `"@s"`) + "," + masquerade}, "", "without elements"},
		"of a set that is empty":    {[]string{post, `set "name":"s","type":"ipv4_addr"`, `set "name":"o","type":"ipv4_addr","elem":["10.244.2.2"]`, "post " + compare(payload("ip", "daddr"), "==", `"@s"`) + "," + masquerade}, "", ""},
		"of a set that changes":     {[]string{post, `set "name":"s","type":"ipv4_addr","flags":["dynamic"],"elem":["10.244.2.2"]`, "post " + compare(payload("ip", "daddr"), "==", `"@s"`) + "," + masquerade}, "", "when a packet comes"},
		"one of one":                {[]string{post, `post {"vmap":{"key":{"numgen":{"mode":"random","mod":1,"offset":0}},"data":{"set":[[0,{"accept":null}]]}}}`, "post " + masquerade}, "", ""},
		"one of two":                {[]string{post, `post {"vmap":{"key":{"numgen":{"mode":"random","mod":2,"offset":0}},"data":{"set":[[0,{"accept":null}],[1,{"return":null}]]}}}`, "post " + masquerade}, "", ""},
		"one of two, and it matters": {[]string{post, "chain sub", "sub " + masquerade, `post {"vmap":{"key":{"numgen":{"mode":"random","mod":2,"offset":0}},"data":{"set":[[0,{"accept":null}],[1,{"goto":{"target":"sub"}}]]}}}`},
			"", "which of several"},
		"by protocol and port of whatever has": {[]string{post, "post " + compare(`{"concat":[`+payload("th", "sport")+","+meta("l4proto")+`]}`, "==", `{"concat":[80,"tcp"]}`) + "," + masquerade}, "tcp from port 80", ""},
		"all but a protocol's port": {[]string{post, "post " + compare(`{"concat":[`+payload("th", "sport")+","+meta("l4proto")+`]}`, "==", `{"concat":[80,"tcp"]}`) + `,{"accept":null}`, "post " + masquerade},
			"all but tcp; tcp from ports 0-79, 81-65535", ""},
		"where DNAT leads everything": {[]string{post, "chain raw prerouting filter -300", "raw " + compare(payload("ip", "daddr"), "==", `"10.244.2.2"`) + `,{"drop":null}`,
			"chain pre prerouting nat -100", `pre {"dnat":{"addr":"10.244.2.2"}}`, "post " + compare(payload("ip", "daddr"), "==", `"10.244.2.2"`) + "," + masquerade},
			"to 10.244.2.0/31, 10.244.2.3-10.244.3.255", ""},
		"where DNAT leads": {[]string{post, "chain pre prerouting nat -100", "pre " + compare(payload("ip", "daddr"), "==", `"10.244.3.3"`) + `,{"dnat":{"addr":"10.244.2.2"}}`,
			"post " + compare(payload("ip", "daddr"), "==", `"10.244.2.2"`) + "," + masquerade}, "to 10.244.2.2, 10.244.3.3", ""},
		"a limit":                {[]string{post, `post {"limit":{"rate":5,"per":"second"}},` + masquerade}, "", "limit rate 5/second"},
		"an unknown statement":   {[]string{post, `post {"queue":{"num":3}}`, "post " + masquerade}, "", "queue"},
		"an unknown condition":   {[]string{post, "post " + compare(payload("tcp", "window"), "==", "5") + "," + masquerade}, "", "tcp window 5"},
		"an unknown operator":    {[]string{post, "post " + compare(payload("ip", "daddr"), "~", `"10.244.2.2"`) + "," + masquerade}, "", "ip daddr ~ 10.244.2.2"},
		"an address set by hand": {[]string{post, `post {"mangle":{"key":` + payload("ip", "saddr") + `,"value":"1.2.3.4"}}`}, "", "ip saddr set 1.2.3.4"},
		"before conntrack?":      {[]string{post, "chain c prerouting filter -200", "c " + setMark("5"), "post " + masquerade}, "", "comes before connection tracking"},
		"which comes first":      {[]string{post, "chain a forward filter 0", "chain b forward filter 0", "a " + setMark("5"), "b " + compare(meta("mark"), "==", "5") + "," + setMark("6"), "post " + compare(meta("mark"), "==", "6") + "," + masquerade}, "", "which comes first is not in the files: ip t a, ip t b"},
	} {
		t.Run(name, func(t *testing.T) {
			outcomes := Evaluate(podToPod(), native(t, c.rules...))
			holdsOnce(t, podToPod(), outcomes)
			rewritten, unknown := "", ""
			for _, o := range outcomes {
				switch o.Verdict {
				case Rewritten:
					rewritten = o.Traffic.String()
				case Unknown:
					unknown = fmt.Sprint(o.Doubts)
				}
			}
			if rewritten != c.rewritten || (c.unknown == "") != (unknown == "") || !strings.Contains(unknown, c.unknown) {
				t.Errorf("rewritten: %q, want %q; unknown: %q, want %q", rewritten, c.rewritten, unknown, c.unknown)
			}
		})
	}
}

// What becomes of all packets, and by which rule.
func TestNativeVerdicts(t *testing.T) {
	const raw = "chain raw prerouting filter -300"
	for name, c := range map[string]struct {
		rules []string
		want  Verdict
		to    string
	}{
		"the first by priority":         {[]string{post, "chain more postrouting nat 90", `more {"snat":{"addr":"1.2.3.4"}}`, "post " + masquerade}, Rewritten, "1.2.3.4"},
		"untracked":                     {[]string{raw, `raw {"notrack":null}`, "chain f forward filter 0", "f " + compare(`{"ct":{"key":"state"}}`, "in", `"untracked"`) + `,{"drop":null}`}, Dropped, ""},
		"no mark without a connection":  {[]string{raw, `raw {"notrack":null}`, "chain f forward filter 0", "f " + setMark(`{"ct":{"key":"mark"}}`) + `,{"drop":null}`}, Kept, ""},
		"invalid before it is tracked":  {[]string{raw, "raw " + compare(`{"ct":{"key":"state"}}`, "in", `"invalid"`) + `,{"drop":null}`}, Dropped, ""},
		"dropped after NAT":             {[]string{post, "post " + masquerade, "chain f postrouting filter 300 drop"}, Dropped, ""},
		"sent to where nobody asks for": {[]string{"chain pre prerouting nat -100", `pre {"dnat":{"addr":"10.99.0.1"}}`}, Redirected, "10.99.0.1"},
	} {
		outcomes := Evaluate(podToPod(), native(t, c.rules...))
		if len(outcomes) != 1 || outcomes[0].Verdict != c.want || outcomes[0].To != c.to {
			t.Errorf("%s: outcomes %v, want %s %s", name, outcomes, c.want, c.to)
		}
	}
}

// Eight chains of one priority have more orders than are tried, and four have not, even where iptables has a chain beside them that
// holds nothing.
func TestTooManyOrders(t *testing.T) {
	inChains := func(n int) []Outcome {
		rules := []string{post, "post " + compare(meta("mark"), "==", "5") + "," + masquerade}
		for i := range n {
			rules = append(rules, fmt.Sprintf("chain f%d forward filter 0", i), fmt.Sprintf("f%d %s", i, setMark("5")))
		}
		return Evaluate(podToPod(), mustParse(t, NFT, ruleSet("*filter")), native(t, rules...))
	}
	if outcomes := inChains(4); len(outcomes) != 1 || outcomes[0].Verdict != Rewritten {
		t.Errorf("of 24 orders: %v", outcomes)
	}
	outcomes := inChains(8)
	if len(outcomes) != 1 || outcomes[0].Verdict != Unknown || !strings.Contains(outcomes[0].Doubts[0].Why, "too many to try") {
		t.Errorf("of all orders of eight: %v", outcomes)
	}
}

// nft lists iptables' tables as well.
func TestFromNFTLeavesOutWhatIsPrinted(t *testing.T) {
	const text = `{"nftables":[{"table":{"family":"ip","name":"nat"}},
{"chain":{"family":"ip","table":"nat","name":"POSTROUTING","type":"nat","hook":"postrouting","prio":100}},
{"chain":{"family":"ip","table":"nat","name":"mine","type":"nat","hook":"postrouting","prio":100}},
{"rule":{"family":"ip","table":"nat","chain":"POSTROUTING","handle":3,"expr":[{"masquerade":null}]}}]}`
	set, err := nftables.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for printed, want := range map[string]Verdict{"": Rewritten, "POSTROUTING": Kept} {
		rules, err := FromNFT(set, func(_, chain string) bool { return chain == printed })
		if err != nil {
			t.Fatal(err)
		}
		if outcomes := Evaluate(podToPod(), rules); len(outcomes) != 1 || outcomes[0].Verdict != want {
			t.Errorf("printed %q: outcomes %v, want %s", printed, outcomes, want)
		}
	}
}

// What chains do not change is the same in whatever order they come, be there ever so many.
func TestManyOrdersOfWhatChangesNothing(t *testing.T) {
	rules := []string{post, "post " + masquerade}
	for i := range 8 {
		rules = append(rules, fmt.Sprintf("chain f%d forward filter 0", i), fmt.Sprintf("f%d {\"accept\":null}", i))
	}
	if outcomes := Evaluate(podToPod(), native(t, rules...)); len(outcomes) != 1 || outcomes[0].Verdict != Rewritten {
		t.Errorf("outcomes %v", outcomes)
	}
}

// A loop is found by whichever of a map's verdicts leads to it.
func TestLoopsOfMaps(t *testing.T) {
	const text = `{"nftables":[{"table":{"family":"ip","name":"t"}},
{"chain":{"family":"ip","table":"t","name":"post","type":"nat","hook":"postrouting","prio":100}},
{"chain":{"family":"ip","table":"t","name":"end"}},{"chain":{"family":"ip","table":"t","name":"again"}},
{"rule":{"family":"ip","table":"t","chain":"post","handle":3,"expr":[{"vmap":{"key":{"meta":{"key":"mark"}},"data":{"set":[[1,{"jump":{"target":"end"}}],[2,{"jump":{"target":"again"}}]]}}}]}},
{"rule":{"family":"ip","table":"t","chain":"again","handle":4,"expr":[{"jump":{"target":"again"}}]}}]}`
	set, err := nftables.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromNFT(set, func(string, string) bool { return false }); err == nil || !strings.Contains(err.Error(), "the chains that lead to again come back to it") {
		t.Errorf("error %v", err)
	}
}
