package gate

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

// telling are the names that would tell a detector what it is given: those of scenarios, field bundles, cases, phases and kinds.
// What stands in the healthy bundle as well is a word of the files' formats and tells nothing.
func telling(t *testing.T, sources []Source) []string {
	t.Helper()
	var names []string
	for _, s := range sources {
		_, last, ok := strings.Cut(s.Name, "/")
		if !ok {
			last = s.Name
		}
		names = append(names, s.Kind, last, s.Phase)
	}
	for _, d := range all.Detectors() {
		names = append(names, d.Name)
		for _, c := range d.Cases {
			names = append(names, c.Name)
		}
	}
	names = append(names, "e2e", "netns", "by hand", "fixture")
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		for file, f := range cases.Healthy() {
			if file != evidence.InfoFile && bytes.Contains(f.Data, []byte(name)) {
				return true
			}
		}
		return name == ""
	})
}

// formats are words that such a file has on any cluster of its kind, and that are the name of a case as well. tw-recycle.json is there
// wherever the setting is emulated, also where it is off.
var formats = map[string][]string{
	evidence.LeasesFile:     {"host-gw"},
	evidence.NodesFile:      {"annotations", "host-gw"},
	evidence.ProbesFile:     {"host", "untried"},
	evidence.NFTRulesetFile: {"field", "snat"},
	evidence.TWRecycleFile:  {"tw-recycle", "emulated", "setting"},
}

var (
	wordsOf = regexp.MustCompile(`[A-Za-z0-9]+(-[A-Za-z0-9]+)*`)
	dayOf   = regexp.MustCompile(`20[0-9]{2}-[01][0-9]-[0-3][0-9]T|[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} 20[0-9]{2}`)
)

// Nothing that a detector is given says what it is: no name of a scenario, a case or a phase, in no file's name and no file's text.
func TestNothingGivenTellsWhatItIs(t *testing.T) {
	sources := recorded(t).Sources
	names := map[string]bool{}
	for _, name := range telling(t, sources) {
		names[name] = true
	}
	for _, name := range []string{"healthy", "faulty", "healed", "stale-vtep", "observer-stale", "fdb-missing-near", "16-rhel8-healthy"} {
		if !names[name] {
			t.Errorf("%s is not looked for", name)
		}
	}
	const by = 1234567 * time.Second
	for _, s := range sources {
		g, err := give(t.Context(), s, rekey.NewKey(), by)
		if err != nil {
			t.Fatal(err)
		}
		original, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		var nodes []string
		for _, n := range nodesOf(original) {
			if _, err := netip.ParseAddr(n); err != nil { // "b" is a letter everywhere
				nodes = append(nodes, n)
			}
		}
		for file, f := range g.Files {
			text := file + "\n" + string(f.Data)
			if strings.HasSuffix(file, ".pcap") {
				text = file
			}
			_, ofNode, _ := strings.Cut(strings.TrimPrefix(file, evidence.NodesDir+"/"), "/")
			format := slices.Concat(formats[file], formats[ofNode])
			for _, word := range wordsOf.FindAllString(text, -1) {
				if !slices.Contains(format, word) && (names[word] || len(word) > 1 && slices.Contains(nodes, word)) {
					t.Errorf("%s: %s says %q", s, file, word)
				}
			}
		}
		if info, err := evidence.New(g.Files).Info(); err == nil && (info.Cluster != "cluster" || info.Tool != "collector") {
			t.Errorf("%s: bundle.json says %+v", s, info)
		}
		sameDays(t, s, g)
	}
}

// sameDays holds that no day of the original is in what is given.
func sameDays(t *testing.T, s Source, g Given) {
	t.Helper()
	original, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	old := map[string]bool{}
	collect := func(text []byte, to func(string)) {
		for _, day := range dayOf.FindAll(text, -1) {
			to(string(day))
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, original); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		collect(text, func(day string) { old[day] = true })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, f := range g.Files {
		collect(f.Data, func(day string) {
			if old[day] {
				t.Errorf("%s: %s says %q, as the original does", s, file, day)
			}
		})
	}
}

// Two runs give the same bundle under other names.
func TestNamesAreFresh(t *testing.T) {
	s := recorded(t).Sources[0]
	first, err := give(t.Context(), s, rekey.NewKey(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second, err := give(t.Context(), s, rekey.NewKey(), 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{evidence.InfoFile, evidence.LeasesFile, evidence.ProbesFile} {
		if bytes.Equal(first.Files[file].Data, second.Files[file].Data) {
			t.Errorf("%s is the same", file)
		}
	}
}
