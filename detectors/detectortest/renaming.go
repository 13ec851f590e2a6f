package detectortest

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/rekey"
)

// renaming holds that a detector goes by structure and not by names: what it says of a re-keyed bundle is what it says of the
// original, re-keyed. Where a file could not be carried over since it is damaged, the findings must be the same, but for their
// texts.
func renaming(t *testing.T, d detectors.Detector, c cases.Case) {
	if c.Hostile {
		return
	}
	renamed := fstest.MapFS{}
	names, left, err := rekey.Bundle(t.Context(), c.Files, rekey.Key{1, 7}, func(file string, data []byte) error {
		renamed[file] = &fstest.MapFile{Data: data}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before, after := judge(t.Context(), d, c.Files), judge(t.Context(), d, renamed)
	want := rekeyedFindings(t, before, names)
	if len(left) > 0 {
		if got, want := ids(after), ids(want); !slices.Equal(got, want) {
			t.Errorf("re-keyed, without %v: got %q, want %q", left, got, want)
		}
		return
	}
	if got, want := Render(after), Render(want); got != want {
		t.Errorf("re-keyed: got\n%s\nwant\n%s", got, want)
	}
}

func ids(found []detectors.Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, string(f.Verdict)+" "+f.ID)
	}
	return all
}

// rekeyedFindings re-keys every text of findings.
func rekeyedFindings(t *testing.T, found []detectors.Finding, names *rekey.Names) []detectors.Finding {
	t.Helper()
	text, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(withTexts(v, names.Text)); err != nil {
		t.Fatal(err)
	}
	var out []detectors.Finding
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// withTexts returns a value of JSON with other strings.
func withTexts(v any, to func(string) string) any {
	switch v := v.(type) {
	case string:
		return to(v)
	case []any:
		for i := range v {
			v[i] = withTexts(v[i], to)
		}
	case map[string]any:
		for key := range v {
			v[key] = withTexts(v[key], to)
		}
	}
	return v
}
