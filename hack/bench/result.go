package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/netfault/netfault/framework/report"
)

// result is what is written as JSON.
type result struct {
	// Commit is what was timed, and Base what it is compared with, as git describes them.
	Commit string `json:"commit"`
	Base   string `json:"base,omitempty"`
	CPUs   int    `json:"cpus"`
	Rows   []row  `json:"rows"`
}

// row is one measurement: the median of all rounds.
type row struct {
	Part  string  `json:"part"`
	What  string  `json:"what"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	// Base is the other commit's, and Ratio the value by that; absent where it has none.
	Base  *float64 `json:"base,omitempty"`
	Ratio *float64 `json:"ratio,omitempty"`
}

// compare makes the rows of the first side, and puts the second side's beside them if there is one.
func compare(sides []*side) result {
	r := result{Commit: sides[0].commit, CPUs: runtime.NumCPU()}
	for _, v := range sides[0].values {
		r.Rows = append(r.Rows, row{Part: v.part, What: v.what, Unit: v.unit, Value: median(v.seen)})
	}
	if len(sides) == 1 {
		return r
	}
	r.Base = sides[1].commit
	for i := range r.Rows {
		row := &r.Rows[i]
		for _, v := range sides[1].values {
			if v.part != row.Part || v.what != row.What || v.unit != row.Unit {
				continue
			}
			base := median(v.seen)
			row.Base = &base
			if base != 0 {
				ratio := row.Value / base
				row.Ratio = &ratio
			}
		}
	}
	return r
}

// median is the middle one, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (r result) write(path string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}

func (r result) print(w io.Writer) {
	header := []any{"part", "what", "unit", "value"}
	about := fmt.Sprintf("%s on %d processors", r.Commit, r.CPUs)
	if r.Base != "" {
		header = append(header, "base", "ratio")
		about += ", beside " + r.Base
	}
	t := report.NewTable(w, header...)
	for _, row := range r.Rows {
		cells := table.Row{row.Part, row.What, row.Unit, number(&row.Value)}
		if r.Base != "" {
			cells = append(cells, number(row.Base), number(row.Ratio))
		}
		t.AppendRow(cells)
	}
	t.Render()
	fmt.Fprintln(w, about)
}

// number has three digits that count, and "-" for none.
func number(v *float64) string {
	switch {
	case v == nil:
		return "-"
	case *v >= 1000 || *v <= -1000:
		return strconv.FormatFloat(*v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(*v, 'g', 3, 64)
	}
}

// metric is one number of a benchmark.
type metric struct {
	name, unit string
	value      float64
}

// benchmarkLine is what package testing prints of a benchmark: its name, with the number of processors behind it, how often it
// ran, and its numbers, each with a unit (https://go.dev/design/14313-benchmark-format).
var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.+)$`)

// benchmarks reads the output of benchmarks, of which there must be some. What a benchmark sets to zero it does not want told.
func benchmarks(output string) ([]metric, error) {
	var all []metric
	for _, line := range benchmarkLine.FindAllStringSubmatch(output, -1) {
		fields := strings.Fields(line[2])
		for i := 0; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line[0], err)
			}
			if value != 0 {
				all = append(all, metric{line[1], fields[i+1], value})
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no benchmark in its output:\n%s", output)
	}
	return all, nil
}
