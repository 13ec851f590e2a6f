package nftables

import (
	"errors"
	"testing"
)

// FuzzParse holds that nothing makes the parser panic, that it says why it refuses a text, and that every rule has words.
func FuzzParse(f *testing.F) {
	f.Add(kubeProxy)
	f.Add(`{"nftables":[{"table":{"family":"inet","name":"t"}},{"chain":{"family":"inet","table":"t","name":"c"}},{"rule":{"family":"inet","table":"t","chain":"c","handle":1,"expr":[{"vmap":{"key":{"concat":[1,{"range":[1]}]},"data":{"set":7}}},{"dnat":{"port":{"elem":{}},"flags":[{}]}}]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Parse(text)
		if err != nil {
			if syntax, ok := errors.AsType[*SyntaxError](err); !ok || syntax.Reason == "" {
				t.Errorf("error %v", err)
			}
			return
		}
		for _, table := range rules.Tables {
			for _, c := range table.Chains {
				for _, r := range c.Rules {
					if len(r.Statements) > 1 && r.Text() == "" {
						t.Errorf("rule %d has no words", r.Handle)
					}
				}
			}
		}
	})
}
