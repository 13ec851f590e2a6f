package iptables

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/nftables"
)

// BenchmarkNative takes what kube-proxy's nftables mode writes for 10,000 Services with two endpoints each, in the vocabulary of
// Kubernetes 1.34.
func BenchmarkNative(b *testing.B) {
	const services = 10_000
	var elems, chains, rules []string
	chain := func(name, base string) {
		chains = append(chains, fmt.Sprintf(`{"chain":{"family":"ip","table":"kube-proxy","name":%q%s}}`, name, base))
	}
	handle := 0
	rule := func(chain, expr string) {
		handle++
		rules = append(rules, fmt.Sprintf(`{"rule":{"family":"ip","table":"kube-proxy","chain":%q,"handle":%d,"expr":[%s]}}`, chain, handle, expr))
	}
	chain("nat-prerouting", `,"type":"nat","hook":"prerouting","prio":-100,"policy":"accept"`)
	chain("nat-postrouting", `,"type":"nat","hook":"postrouting","prio":100,"policy":"accept"`)
	chain("mark-for-masquerade", "")
	rule("nat-prerouting", `{"vmap":{"key":{"concat":[`+payload("ip", "daddr")+","+meta("l4proto")+","+payload("th", "dport")+`]},"data":"@service-ips"}}`)
	rule("nat-postrouting", compare(`{"&":[`+meta("mark")+`,16384]}`, "==", "0")+`,{"return":null}`)
	rule("nat-postrouting", `{"masquerade":{"flags":"fully-random"}}`)
	rule("mark-for-masquerade", setMark(`{"|":[`+meta("mark")+`,16384]}`))
	for i := range services {
		vip := fmt.Sprintf("10.96.%d.%d", i/250, 1+i%250)
		name := fmt.Sprintf("service-%08d-namespace/name-%d/tcp/http", i, i)
		elems = append(elems, fmt.Sprintf(`[{"concat":[%q,"tcp",80]},{"goto":{"target":%q}}]`, vip, name))
		chain(name, "")
		var ends []string
		for e := range 2 {
			end := fmt.Sprintf("endpoint-%08d-%d", i, e)
			ends = append(ends, fmt.Sprintf(`[%d,{"goto":{"target":%q}}]`, e, end))
			chain(end, "")
			rule(end, compare(payload("ip", "saddr"), "==", `"10.244.9.9"`)+`,{"jump":{"target":"mark-for-masquerade"}}`)
			rule(end, compare(meta("l4proto"), "==", `"tcp"`)+`,{"dnat":{"addr":"10.244.9.9","port":8080}}`)
		}
		rule(name, `{"vmap":{"key":{"numgen":{"mode":"random","mod":2,"offset":0}},"data":{"set":[`+strings.Join(ends, ",")+`]}}}`)
	}
	text := `{"nftables":[{"table":{"family":"ip","name":"kube-proxy"}},` + strings.Join(chains, ",") +
		`,{"map":{"family":"ip","name":"service-ips","table":"kube-proxy","type":["ipv4_addr","inet_proto","inet_service"],"map":"verdict","elem":[` +
		strings.Join(elems, ",") + `]}},` + strings.Join(rules, ",") + "]}\n"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		set, err := nftables.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		rules, err := FromNFT(set, func(string, string) bool { return false })
		if err != nil {
			b.Fatal(err)
		}
		if outcomes := Evaluate(podToPod(), rules); len(outcomes) != 1 || outcomes[0].Verdict != Kept {
			b.Fatal(outcomes)
		}
	}
}
