package evidence

import (
	"strings"
	"testing"
	"testing/fstest"
)

// A map of a large cluster is one object, and longer than entries of other files may be.
func TestNFTRulesBehindALargeMap(t *testing.T) {
	element := `[{"concat":["10.96.0.1","tcp",80]},{"goto":{"target":"service-EXAMPLE-namespace/name/tcp/http"}}],`
	elements := strings.Repeat(element, 2*maxEntry/len(element))
	text := `{"nftables":[{"map":{"family":"ip","name":"m","table":"t","elem":[` + elements[:len(elements)-1] + `]}},
{"rule":{"family":"ip","table":"t","chain":"c","handle":1,"expr":[{"drop":null}]}}]}
`
	b := New(fstest.MapFS{"nodes/n1/nft-ruleset.json": &fstest.MapFile{Data: []byte(text)}})
	rules := 0
	for r, err := range b.NFTRules("n1", NFTRulesetFile) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Has("drop") {
			rules++
		}
	}
	if rules != 1 {
		t.Errorf("%d rules", rules)
	}
}
