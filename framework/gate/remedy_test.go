package gate

import (
	"bytes"
	"testing"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
)

// A stranger's remedy is what its problems say, in their order, and nothing of what netfault has no case for.
func TestCommandsRemedy(t *testing.T) {
	c := program(t, `cat <<'END'
{"version":2,"findings":[
 {"detector":"stale-vtep","verdict":"problem","severity":"critical","case":"observer-stale","node":"n2","peer":"n1","remedy":[{"node":"n2","argv":["ip","x y"]},{"argv":["kubectl"]}]},
 {"detector":"pod-snat","verdict":"problem","severity":"critical","case":"dockerd","node":"n1","remedy":[{"node":"n1","argv":["iptables"]}]},
 {"detector":"tw-recycle","verdict":"clean"},
 {"detector":"mine","verdict":"problem","severity":"critical","case":"port","node":"n3","remedy":[{"node":"n3","argv":["reboot"]}]}]}
END
exit 1`)
	c.Names.to["mine/port"], c.Names.to["mine/mac"] = dropped, "stale-vtep/observer-stale"
	answers, err := c.Judge(t.Context(), someBundle)
	if err != nil || answers.WhyNone() != "" {
		t.Fatalf("%+v, %v", answers, err)
	}
	var got string
	for _, command := range answers.Remedy(all.Detectors()) {
		got += command.Node + "# " + command.String() + "\n"
	}
	if want := "n1# iptables\nn2# ip 'x y'\n# kubectl\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// For a remedy, a bundle keeps the names of the lab, and says no more than others of what it is.
func TestAsItIs(t *testing.T) {
	s := recorded(t).Sources[0]
	original, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	g, err := AsItIs(s)
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = EachFile(original, func(file string, data []byte) {
		if files++; file != evidence.InfoFile && !bytes.Equal(data, g.Files[file].Data) {
			t.Errorf("%s is another", file)
		}
	})
	if err != nil || files != len(g.Files) {
		t.Errorf("%d files of %d, %v", len(g.Files), files, err)
	}
	if info, err := evidence.New(g.Files).Info(); err != nil || info.Cluster != "cluster" || info.Tool != "collector" {
		t.Errorf("bundle.json says %+v, %v", info, err)
	}
}

// Only what heals without damage is right, and no remedy is no failure.
func TestRemediesThatAreRight(t *testing.T) {
	for was, right := range map[RemedyOutcome]bool{Healed: true, NoRemedy: true, Damage: false, NotHealed: false} {
		r := Result{Remedied: []Remedied{{Was: Healed}, {Was: was}}, Cells: []Cell{{Right: true}}}
		if r.Right() != right {
			t.Errorf("%s: right %t", was, r.Right())
		}
	}
}
