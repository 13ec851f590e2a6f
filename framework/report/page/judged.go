package page

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// Judged is a bundle, what detectors say of it, and what of it a page shows.
type Judged struct {
	Report detectors.Report `json:"report"`
	Nodes  []Node           `json:"nodes,omitempty"`
	Probes []evidence.Probe `json:"probes,omitempty"`
	// Excerpts are the files around the lines that findings quote.
	Excerpts []Excerpt `json:"excerpts,omitempty"`
}

// Node is a node as its lease and its links have it.
type Node struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	PodCIDR string `json:"podCIDR"`
	// Bridge is the one on which its pods hang; empty where they hang on none.
	Bridge string `json:"bridge,omitempty"`
}

// Excerpt is a part of a bundle's file.
type Excerpt struct {
	File  string        `json:"file"`
	Lines []ExcerptLine `json:"lines"`
}

// ExcerptLine is one line of it.
type ExcerptLine struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
	// Quoted says that a finding quotes it.
	Quoted bool `json:"quoted,omitempty"`
	// Gap says that lines are left out before it.
	Gap bool `json:"gap,omitempty"`
}

// Judge puts together what a page shows of a bundle in a folder, which b has open, and of a report on it.
func Judge(dir string, b *evidence.Bundle, r detectors.Report) *Judged {
	j := &Judged{Report: r}
	// What cannot be read, detectors have called unknown; the page shows the rest.
	j.Probes, _ = b.Probes()
	leases, _, _ := b.Leases()
	for _, l := range leases {
		j.Nodes = append(j.Nodes, Node{l.Node, l.PublicIP, l.PodCIDR, bridge(b, l.Node)})
	}
	slices.SortFunc(j.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	j.Excerpts = excerpts(dir, r)
	return j
}

// bridges are those on which pods hang.
var bridges = []string{"cni0", "docker0"}

func bridge(b *evidence.Bundle, node string) string {
	var found []string
	for l, err := range b.Links(node, evidence.LinkFile) {
		if err != nil {
			break
		}
		found = append(found, l.Name)
	}
	for _, name := range bridges {
		if slices.Contains(found, name) {
			return name
		}
	}
	return ""
}

// Limits of excerpts: a bundle may be large, and its lines long.
const (
	around       = 2    // lines before and after one that is quoted
	longestQuote = 1000 // runes of a line that is quoted
	longestLine  = 160  // and of others
	mostLines    = 60   // lines of an excerpt
	mostExcerpts = 24
	mostBytes    = 64 << 20 // that are read of a file
)

// excerpts reads the files around the lines that problems quote, but for those that follow from others.
func excerpts(dir string, r detectors.Report) []Excerpt {
	follows := explainedIn(r)
	quoted := map[string][]int{}
	var order []string
	for _, f := range r.Findings {
		if f.Verdict != detectors.Problem || follows[f.ID] {
			continue
		}
		for _, e := range f.Evidence {
			if e.Line == 0 {
				continue
			}
			if quoted[e.File] == nil {
				order = append(order, e.File)
			}
			quoted[e.File] = append(quoted[e.File], e.Line)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil // the quotations stand in the findings, too
	}
	defer root.Close()
	var all []Excerpt
	for _, file := range order[:min(len(order), mostExcerpts)] {
		if lines, err := excerpt(root, file, quoted[file]); err == nil && len(lines) > 0 {
			all = append(all, Excerpt{file, lines})
		}
	}
	return all
}

// explainedIn are the IDs of the findings that follow from others.
func explainedIn(r detectors.Report) map[string]bool {
	explained := map[string]bool{}
	for _, f := range r.Findings {
		for _, id := range f.Explains {
			explained[id] = true
		}
	}
	return explained
}

func excerpt(root *os.Root, file string, quoted []int) ([]ExcerptLine, error) {
	// A FIFO in a stranger's bundle would make us wait.
	f, err := root.OpenFile(filepath.FromSlash(file), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no file", file))
	}
	last := slices.Max(quoted) + around
	near := func(n int) bool {
		return slices.ContainsFunc(quoted, func(q int) bool { return n >= q-around && n <= q+around })
	}
	var lines []ExcerptLine
	r := bufio.NewReader(io.LimitReader(f, mostBytes))
	for n := 1; n <= last && len(lines) < mostLines; n++ {
		text, err := r.ReadString('\n')
		if text == "" && err != nil {
			break
		}
		if !near(n) {
			continue
		}
		line := ExcerptLine{Number: n, Quoted: slices.Contains(quoted, n), Gap: len(lines) > 0 && lines[len(lines)-1].Number != n-1}
		longest := longestLine
		if line.Quoted {
			longest = longestQuote
		}
		line.Text = shortened(strings.TrimRight(text, "\r\n"), longest)
		lines = append(lines, line)
	}
	return lines, nil
}

func shortened(s string, longest int) string {
	s = strings.ToValidUTF8(s, "�")
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest]) + " …"
}
