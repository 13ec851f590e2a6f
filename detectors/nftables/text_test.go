package nftables

import (
	"testing"

	"github.com/go-json-experiment/json"
)

// What nft 1.0.6 prints with -j, and without.
func TestText(t *testing.T) {
	for statement, want := range map[string]string{
		`{"accept": null}`:            "accept",
		`{"goto": {"target": "svc"}}`: "goto svc",
		`{"match": {"op": "==", "left": {"fib": {"result": "type", "flags": "daddr"}}, "right": "local"}}`: "fib daddr type local",
		`{"match": {"op": "==", "left": {"fib": {"result": "type"}}, "right": "local"}}`:                   `{"fib":{"result":"type"}} local`,
		`{"snat": {"addr": {"elem": {"val": "1.2.3.4", "comment": "c"}}}}`:                                 "snat to 1.2.3.4",
		`{"snat": {"addr": {"elem": {"comment": "c"}}}}`:                                                   `snat to {"elem":{"comment":"c"}}`,
		`{"match": {"op": "==", "left": {"&": [1]}, "right": 1}}`:                                          `{"&":[1]} 1`,
		`{"masquerade": null}`:                                              "masquerade",
		`{"snat": {"addr": "1.2.3.4"}}`:                                     "snat to 1.2.3.4",
		`{"redirect": {"port": 80}}`:                                        "redirect to :80",
		`{"reject": {"type": "tcp reset"}}`:                                 "reject with tcp reset",
		`{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}`:         "reject with icmpx admin-prohibited",
		`{"reject": null}`:                                                  "reject",
		`{"log": {"prefix": "x"}}`:                                          `log prefix "x"`,
		`{"limit": {"rate": 10, "burst": 5, "per": "second", "inv": true}}`: "limit rate over 10/second",
		`{"xt": {"type": "target", "name": "MASQUERADE"}}`:                  `xt target "MASQUERADE"`,
		`{"quota": {"val": 10}}`:                                            `quota {"val":10}`,
		`{"dnat": {"addr": {"range": ["10.244.1.2", "10.244.1.9"]}, "port": {"range": [80, 90]}, "flags": ["random", "persistent"]}}`:                                                       "dnat to 10.244.1.2-10.244.1.9:80-90 random,persistent",
		`{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"meta": {"key": "mark"}}, 16384]}}}`:                                                                                "meta mark set meta mark | 16384",
		`{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}}`:                                                                                                                        "meta mark set 0x00000001",
		`{"set": {"op": "update", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@aff"}}`:                                                                               "update @aff { ip saddr }",
		`{"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}}`:                                           "ip saddr != 10.0.0.0/8",
		`{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}`:                                                                                    "ct state established,related",
		`{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth*"}}`:                                                                                                    `iifname "eth*"`,
		`{"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": false}}`:                                                                            "fib saddr . iif oif missing",
		`{"match": {"op": "==", "left": {"ct": {"key": "ip daddr", "dir": "original"}}, "right": "1.2.3.4"}}`:                                                                               "ct original ip daddr 1.2.3.4",
		`{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [80, {"range": [1000, 2000]}]}}}`:                                              "tcp dport { 80, 1000-2000 }",
		`{"vmap": {"key": {"concat": [{"payload": {"protocol": "ip", "field": "daddr"}}, {"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]}, "data": "@s"}}`: "ip daddr . meta l4proto . th dport vmap @s",
		`{"vmap": {"key": {"numgen": {"mode": "random", "mod": 2, "offset": 0}}, "data": {"set": [[0, {"goto": {"target": "a"}}], [1, {"drop": null}]]}}}`:                                  "numgen random mod 2 vmap { 0 : goto a, 1 : drop }",
		`{"snat": {"addr": {"map": {"key": {"payload": {"protocol": "ip", "field": "saddr"}}, "data": {"set": [["1.2.3.4", "1.2.3.5"]]}}}}}`:                                                "snat to ip saddr map { 1.2.3.4 : 1.2.3.5 }",
	} {
		var v map[string]any
		if err := json.Unmarshal([]byte(statement), &v); err != nil {
			t.Fatal(err)
		}
		for name, arg := range v {
			if got := (Statement{Name: name, Arg: arg}).Text(); got != want {
				t.Errorf("%s: %s, want %s", statement, got, want)
			}
		}
	}
}
