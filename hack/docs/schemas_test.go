package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
)

const bundles = "../../fixtures/bundles/"

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// The reports of all recorded bundles, healthy, faulty, suppressed and unknown, are as the schema says.
func TestReportsAreAsTheirSchemaSays(t *testing.T) {
	schema := compile(t, "report.schema.json")
	dirs, err := filepath.Glob(bundles + "*/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no recorded bundles, %v", err)
	}
	for _, dir := range append(dirs, t.TempDir()) {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		b, err := evidence.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		r := detectors.Run(t.Context(), b, all.Detectors())
		if strings.HasSuffix(dir, "faulty") {
			s, err := detectors.ParseSuppression("stale-vtep/*/*/* until 2026-12-31: known")
			if err != nil {
				t.Fatal(err)
			}
			r.Suppress([]detectors.Suppression{s}, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(schema, text); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, wrong := range []string{
		`{"version":1,"findings":[]}`, `{"version":2}`,
		`{"version":2,"findings":[{"id":"a/clean/-/-","fingerprint":"0123456789ab","detector":"a","verdict":"clean","summary":"x","severity":"critical"}]}`,
		`{"version":2,"findings":[{"id":"a/b/n1/-","fingerprint":"0123456789ab","detector":"a","verdict":"problem","summary":"x"}]}`,
		`{"version":2,"findings":[{"id":"a/clean","fingerprint":"0123456789ab","detector":"a","verdict":"clean","summary":"x"}]}`,
	} {
		if validate(schema, []byte(wrong)) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}

// The files of recorded bundles that are netfault's own are as the schema says.
func TestBundlesAreAsTheirSchemaSays(t *testing.T) {
	for file, glob := range map[string]string{
		"bundle.json": "*/*/bundle.json", "cluster/leases.json": "*/*/cluster/leases.json", "cluster/probes.json": "*/*/cluster/probes.json",
		"nodes/NODE/tw-recycle.json": "*/*/nodes/*/tw-recycle.json",
	} {
		schema := compile(t, "bundle.schema.json#/$defs/"+strings.ReplaceAll(file, "/", "~1"))
		paths, err := filepath.Glob(bundles + glob)
		if err != nil || len(paths) == 0 {
			t.Errorf("no recorded %s, %v", file, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(schema, text); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		if validate(schema, []byte(`[{"node":"../x"}, 7]`)) == nil {
			t.Errorf("the schema of %s takes anything", file)
		}
	}
}
