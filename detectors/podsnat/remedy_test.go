package podsnat

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/detectortest"
	"github.com/netfault/netfault/detectors/evidence"
)

// Running a remedy's iptables commands on the rules of a case must leave none that catches the traffic.
func TestRemediesHeal(t *testing.T) {
	remedies := 0
	for name, files := range detectortest.Bundles(t) {
		found := judge(t, files)
		ways := map[string][]detectors.Command{}
		for _, f := range found {
			ways["remedy"] = append(ways["remedy"], f.Remedy...)
			for _, a := range f.Alternatives {
				ways[a.Name] = append(ways[a.Name], a.Remedy...)
			}
		}
		if slices.ContainsFunc(found, func(f detectors.Finding) bool { return f.Verdict == detectors.Unknown }) {
			continue
		}
		for way, commands := range ways {
			if len(commands) == 0 {
				continue
			}
			remedies++
			healed := maps.Clone(files)
			for _, c := range commands {
				runOnRules(t, healed, c)
			}
			if after := judge(t, healed); after[0].Verdict != detectors.Clean {
				t.Errorf("%s, %s: after %q\n%s", name, way, commands, detectortest.Render(after))
			}
		}
	}
	if remedies < 20 {
		t.Errorf("%d remedies were run: the test looks at too little", remedies)
	}
}

func judge(t *testing.T, files fstest.MapFS) []detectors.Finding {
	t.Helper()
	return detectors.Run(t.Context(), evidence.New(files), []detectors.Detector{Detector}).Findings
}

// runOnRules does with the text of a node's rules what a command does in the kernel.
func runOnRules(t *testing.T, files fstest.MapFS, command detectors.Command) {
	t.Helper()
	argv := command.Argv
	if !strings.HasPrefix(argv[0], "iptables") {
		return
	}
	file := evidence.NodeFile(command.Node, argv[0]+"-save.txt")
	before, nat, _ := strings.Cut(string(files[file].Data), "*nat\n")
	lines := strings.Split(nat, "\n")
	commit := slices.Index(lines, "COMMIT")
	action, chain := argv[4], argv[5]
	rule := "-A " + chain + " " + strings.Join(argv[6:], " ")
	switch action {
	case "-N":
		lines = slices.Insert(lines, 0, ":"+chain+" - [0:0]")
	case "-A":
		lines = slices.Insert(lines, commit, rule)
	case "-I":
		rule = "-A " + chain + " " + strings.Join(argv[7:], " ")
		first := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "-A") })
		lines = slices.Insert(lines, first, rule)
	case "-D":
		i := slices.Index(lines, rule)
		if i < 0 {
			t.Fatalf("%q deletes what is not there", command)
		}
		lines = slices.Delete(lines, i, i+1)
	default:
		t.Fatalf("%q is not understood", command)
	}
	files[file] = &fstest.MapFile{Data: []byte(before + "*nat\n" + strings.Join(lines, "\n"))}
}
