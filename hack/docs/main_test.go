package main

import (
	"os"
	"testing"
)

// The tables are what the data says today.
func TestTablesAreNotOld(t *testing.T) {
	for _, p := range parts {
		text, err := os.ReadFile("../../" + p.file)
		if err != nil {
			t.Fatal(err)
		}
		made, err := p.put(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if made != string(text) {
			t.Errorf("the table %q of %s is old: go run ./hack/docs", p.name, p.file)
		}
	}
}
