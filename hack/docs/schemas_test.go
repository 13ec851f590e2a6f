package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/report"
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

// Results of the gate are as the schema says: of good detectors, of one that answers at random, and of one that does not answer.
func TestResultsOfTheGateAreAsTheirSchemaSays(t *testing.T) {
	schema := compile(t, "gate.schema.json")
	sources, hostile, err := gate.Recorded("../..")
	if err != nil {
		t.Fatal(err)
	}
	sources = slices.DeleteFunc(sources, func(s gate.Source) bool { return s.Kind == gate.Case && !strings.HasPrefix(s.Name, "stalearp/") })
	dets := all.Detectors()
	said := 0
	for name, judge := range map[string]gate.Judge{
		"ours": gate.Ours(dets),
		"every second time": func(context.Context, gate.Given) (gate.Answers, error) {
			said++
			if said%2 == 0 {
				return gate.Answers{"stale-vtep": {Err: "exit status 3"}}, nil
			}
			return gate.Answers{"stale-vtep": {Problems: []fault.Subject{{Case: "vtep-down", Node: "n1"}}}, "pod-snat": {Unknown: true}}, nil
		},
	} {
		var mu sync.Mutex
		g := gate.Gate{Sources: sources, Hostile: hostile, Detectors: dets, Rounds: 2, Seed: 7, Judge: func(ctx context.Context, given gate.Given) (gate.Answers, error) {
			mu.Lock()
			defer mu.Unlock()
			return judge(ctx, given)
		}}
		if name != "ours" {
			g.Skipped = []gate.Absence{{Bundle: gate.Source{Kind: "kind", Name: "stale-arp"}, Why: "no such flannel"}}
			g.Unreached = []gate.Absence{{Bundle: gate.Source{Kind: "netns", Name: "stale-vtep", Phase: "tried: a wish"}, Why: "it heals"}}
			fault := gate.Source{Kind: "netns", Name: "stale-vtep", Phase: "remedy"}
			g.Remedied = []gate.Remedied{
				{Bundle: fault, Was: gate.Damage, Commands: []string{"n2# true"}, Gone: []string{"n2: link cni0"}},
				{Bundle: fault, Was: gate.NotHealed, Commands: []string{"n2# true"}, Why: "it fails"}, {Bundle: fault, Was: gate.NoRemedy},
			}
		}
		r, err := g.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Right() != (name == "ours") || r.Right() != (len(r.Differing) == 0) {
			t.Errorf("%s: right %t, %d differ", name, r.Right(), len(r.Differing))
		}
		var text bytes.Buffer
		if err := report.GateJSON(&text, r); err != nil {
			t.Fatal(err)
		}
		if err := validate(schema, text.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if validate(schema, []byte(`{"version":1}`)) == nil {
		t.Error("the schema takes anything")
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
