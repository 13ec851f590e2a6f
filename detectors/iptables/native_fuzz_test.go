package iptables

import (
	"testing"

	"github.com/netfault/netfault/detectors/nftables"
)

// FuzzFromNFT holds of nft's own rules what FuzzParse does of iptables'.
func FuzzFromNFT(f *testing.F) {
	for _, rule := range []string{
		`{"vmap":{"key":{"concat":[{"payload":{"protocol":"ip","field":"daddr"}},{"meta":{"key":"l4proto"}},{"payload":{"protocol":"th","field":"dport"}}]},"data":{"set":[[{"concat":["10.244.2.2","tcp",80]},{"drop":null}]]}}}`,
		`{"match":{"op":"!=","left":{"&":[{"meta":{"key":"mark"}},16384]},"right":{"range":[1,3]}}},{"snat":{"addr":{"range":["1.2.3.4","1.2.3.9"]},"port":{"range":[1,2]},"flags":["random"]}}`,
		`{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["new","related"]}},{"mangle":{"key":{"ct":{"key":"mark"}},"value":{"|":[{"meta":{"key":"mark"}},3]}}},{"masquerade":null}`,
		`{"match":{"op":"==","left":{"fib":{"result":"type","flags":["saddr","iif"]}},"right":{"set":["local","broadcast"]}}},{"limit":{"rate":1}},{"reject":{"type":"tcp reset"}}`,
		`{"vmap":{"key":{"numgen":{"mode":"random","mod":2,"offset":0}},"data":{"set":[[0,{"accept":null}],[1,{"jump":{"target":"sub"}}]]}}}`,
	} {
		f.Add(`{"nftables":[{"table":{"family":"ip","name":"t"}},{"chain":{"family":"ip","table":"t","name":"sub"}},` +
			`{"chain":{"family":"ip","table":"t","name":"post","type":"nat","hook":"postrouting","prio":100,"policy":"drop"}},` +
			`{"chain":{"family":"ip","table":"t","name":"f","type":"filter","hook":"forward","prio":0}},` +
			`{"rule":{"family":"ip","table":"t","chain":"post","handle":1,"expr":[` + rule + `]}},` +
			`{"rule":{"family":"ip","table":"t","chain":"f","handle":2,"expr":[` + rule + `]}}]}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := nftables.Parse(text)
		if err != nil {
			return
		}
		rules, err := FromNFT(set, func(string, string) bool { return false })
		if err != nil {
			return
		}
		for _, state := range []State{New, Established, Stray} {
			for _, q := range []Query{podToPod(), toNode(), fromNode()} {
				q.State = state
				holdsOnce(t, q, Filter(q, rules))
			}
		}
		holdsOnce(t, podToPod(), Evaluate(podToPod(), rules))
	})
}
