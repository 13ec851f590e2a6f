package nftables

import (
	"errors"
	"strings"
	"testing"
)

// kubeProxy is a part of what kube-proxy's nftables mode writes.
const kubeProxy = `{"nftables": [
{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
{"table": {"family": "ip", "name": "kube-proxy", "handle": 2}},
{"set": {"family": "ip", "name": "cluster-ips", "table": "kube-proxy", "type": "ipv4_addr", "handle": 3, "elem": ["10.96.0.1"]}},
{"set": {"family": "ip", "name": "affinity", "table": "kube-proxy", "type": "ipv4_addr", "handle": 9, "flags": "timeout"}},
{"map": {"family": "ip", "name": "service-ips", "table": "kube-proxy", "type": ["ipv4_addr", "inet_proto"], "handle": 4, "map": "verdict", "elem": [[{"elem": {"val": {"concat": ["10.96.0.1", "tcp"]}, "comment": "kubernetes"}}, {"goto": {"target": "mark"}}]]}},
{"chain": {"family": "ip", "table": "kube-proxy", "name": "post", "handle": 5, "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}},
{"chain": {"family": "ip", "table": "kube-proxy", "name": "mark", "handle": 6}},
{"rule": {"family": "ip", "table": "kube-proxy", "chain": "post", "handle": 7, "comment": "all \"of\" it", "expr": [{"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 16384]}, "right": 0}}, {"counter": {"packets": 1, "bytes": 2}}, {"return": null}]}},
{"rule": {"family": "ip", "table": "kube-proxy", "chain": "post", "handle": 8, "expr": [{"masquerade": {"flags": "fully-random"}}]}}
]}
`

func TestParse(t *testing.T) {
	rules, err := Parse(kubeProxy)
	if err != nil {
		t.Fatal(err)
	}
	table := rules.Table("ip", "kube-proxy")
	if table == nil || len(table.Chains) != 2 || !table.Listed() || table.Dormant {
		t.Fatalf("table %+v", table)
	}
	c := table.Chain("post")
	if c != table.Chains[0] || c.Hook != "postrouting" || c.Type != "nat" || c.Prio != 100 || c.Policy != "accept" || len(c.Rules) != 2 {
		t.Errorf("chain %+v", c)
	}
	if r := c.Rules[1]; r.Handle != 8 || !strings.HasPrefix(kubeProxy[r.At-1:], `{"rule": {"family": "ip", "table": "kube-proxy", "chain": "post", "handle": 8`) {
		t.Errorf("rule %+v", r)
	}
	if !strings.HasPrefix(kubeProxy[c.At-1:], `{"chain": {"family": "ip", "table": "kube-proxy", "name": "post"`) {
		t.Errorf("chain at %d", c.At)
	}
	services := table.Set("service-ips")
	if len(services.Type) != 2 || len(services.Elems) != 1 || services.Changes() || !table.Set("affinity").Changes() {
		t.Errorf("map %+v", services)
	}
	if key, value := expr(services.Elems[0].Key), expr(services.Elems[0].Value); key != "10.96.0.1 . tcp" || value != "goto mark" {
		t.Errorf("element %s: %s", key, value)
	}
	if want, got := `meta mark & 16384 0 return comment "all \"of\" it"`, c.Rules[0].Text(); got != want {
		t.Errorf("text %s, want %s", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	table := `{"table":{"family":"ip","name":"t"}},`
	chain := table + `{"chain":{"family":"ip","table":"t","name":"c"}},`
	for text, want := range map[string]string{
		"":                         "cut short",
		kubeProxy[:200]:            "cut short",
		`[]`:                       "want an object",
		`{"a": []}`:                `want {"nftables": …}`,
		`{"nftables": {}}`:         "want a list",
		`{"nftables": [1]}`:        "unmarshal JSON number",
		`{"nftables": [], "a": 1}`: "nothing beside the list",
		`{"nftables": []} 1`:       "something follows",
		`{"nftables": [{}]}`:       "one name",
		`{"nftables": [` + chain[:len(chain)-1] + chain[len(table)-1:len(chain)-1] + `]}`:                                   "second time",
		`{"nftables": [` + table + table[:len(table)-1] + `]}`:                                                              "second time",
		`{"nftables": [{"chain":{"family":"ip","table":"t","name":"c"}}]}`:                                                  "no table ip t",
		`{"nftables": [` + table + `{"rule":{"family":"ip","table":"t","chain":"c","handle":1,"expr":[]}}]}`:                `chain "c"`,
		`{"nftables": [` + chain + `{"rule":{"family":"ip","table":"t","chain":"c","expr":[]}}]}`:                           "no handle",
		`{"nftables": [` + chain + `{"rule":{"family":"ip","table":"t","chain":"c","handle":1}}]}`:                          "no expr",
		`{"nftables": [` + chain + `{"rule":{"family":"ip","table":"t","chain":"c","handle":1,"expr":[{}]}}]}`:              "0 names",
		`{"nftables": [` + table + `{"map":{"family":"ip","table":"t","name":"m","type":"mark","map":"mark","elem":[1]}}]}`: "without a value",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

// A list made with -t has no elements, and one in which one set has elements has all.
func TestListed(t *testing.T) {
	terse := strings.NewReplacer(`, "elem": ["10.96.0.1"]`, "", `, "elem": [[{"elem": {"val": {"concat": ["10.96.0.1", "tcp"]}, "comment": "kubernetes"}}, {"goto": {"target": "mark"}}]]`, "").Replace(kubeProxy)
	rules, err := Parse(terse)
	if err != nil || rules.Tables[0].Listed() {
		t.Errorf("listed, %v", err)
	}
}

// An error says where the thing begins that is wrong, and what is long is cut.
func TestErrorsSayWhere(t *testing.T) {
	text := `{"nftables": [{"table":{"family":"ip","name":"t"}}, {"chain":{"family":"ip","table":"u","name":"c"}}]}`
	_, err := Parse(text)
	syntax, ok := errors.AsType[*SyntaxError](err)
	if !ok || !strings.HasPrefix(text[syntax.At-1:], `{"chain"`) {
		t.Errorf("error %v", err)
	}
	for n, want := range map[int]int{60: 60, 61: 60 + len("…")} {
		if got := clip(strings.Repeat("a", n)); len(got) != want {
			t.Errorf("of %d bytes: %q", n, got)
		}
	}
}
