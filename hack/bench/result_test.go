package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchmarks(t *testing.T) {
	got, err := benchmarks(`goos: linux
BenchmarkLab/nodes=3-2         	       1	         0.5000 baseline-s	         1.250 up-s	         0 ns/op
BenchmarkPodSNAT 	       3	  12000000 ns/op
PASS
`)
	want := []metric{{"Lab/nodes=3", "baseline-s", 0.5}, {"Lab/nodes=3", "up-s", 1.25}, {"PodSNAT", "ns/op", 12e6}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v; want %v", got, err, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v; want %v", got[i], want[i])
		}
	}
	// A benchmark that skips itself prints no numbers, and must not pass for one without a difference.
	if got, err := benchmarks("--- SKIP: BenchmarkLab\nPASS\n"); err == nil {
		t.Errorf("%v of nothing", got)
	}
}

func TestCompare(t *testing.T) {
	own, base := &side{commit: "new"}, &side{commit: "old"}
	for _, seen := range []float64{9, 1, 2} {
		own.add("lab", "up", "s", seen)
	}
	own.add("lab", "new here", "s", 1)
	base.add("lab", "up", "s", 3)
	base.add("lab", "up", "s", 5)
	base.add("lab", "up", "processor-s", 100)
	r := compare([]*side{own, base})
	if len(r.Rows) != 2 || r.Rows[0].Value != 2 || *r.Rows[0].Base != 4 || *r.Rows[0].Ratio != 0.5 {
		t.Errorf("%+v; want medians of 2 and 4", r.Rows)
	}
	if r.Rows[1].Base != nil || r.Rows[1].Ratio != nil {
		t.Errorf("%+v is not in the base", r.Rows[1])
	}
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"RATIO", "new on", "beside old", "0.5", "-"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	path := filepath.Join(t.TempDir(), "out", "bench.json")
	if err := compare([]*side{own}).write(path); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || strings.Contains(string(content), "ratio") || !strings.Contains(string(content), `"value": 2`) {
		t.Errorf("%s, %v; want no ratios where nothing is compared", content, err)
	}
}
