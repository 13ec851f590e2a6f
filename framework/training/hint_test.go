package training

import (
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors"
)

func lisbon(t *testing.T) *Exercise {
	t.Helper()
	e, err := Parse(texts(t))
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

var (
	values = Values{
		"n1": "n1", "n2": "n2", "n3": "n3", "n1.vtep": "10.1.0.0", "n2.vtep": "10.2.0.0", "n3.vtep": "10.3.0.0", "n1.podname": "pod-n1", "n2.podname": "pod-n2",
	}
	stale = detectors.Finding{
		ID: "x/observer-stale/n2/n1", Case: "observer-stale", Node: "n2", Peer: "n1", Expected: "aa:01", Actual: "aa:02",
		Evidence: []detectors.Line{{Text: "10.1.0.0 lladdr aa:02"}},
	}
	missing = detectors.Finding{ID: "x/neighbour-missing/n2/n1", Case: "neighbour-missing", Node: "n2", Peer: "n1"}
)

func TestHintsAreOfWhatIsWrongNow(t *testing.T) {
	e := lisbon(t)
	give := func(log Log, findings ...detectors.Finding) (told string, more Log) {
		var words []string
		for _, g := range e.NextHints(English, findings, values, log) {
			what := "new"
			if g.Free {
				what = "again"
			} else {
				log = append(log, Entry{Kind: Hinted, Finding: g.Finding, Step: g.Step})
			}
			words = append(words, strings.Join([]string{what, g.Finding, string(rune('0' + g.Step))}, " "))
		}
		return strings.Join(words, ", "), log
	}
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	told, log := give(nil, stale)
	want(told, "new x/observer-stale/n2/n1 1")
	told, log = give(log, stale)
	want(told, "again x/observer-stale/n2/n1 1, new x/observer-stale/n2/n1 2")
	// What was half healed shows otherwise: what was told does not hold any more.
	told, log = give(log, missing)
	want(told, "new x/neighbour-missing/n2/n1 1")
	told, log = give(log, stale)
	want(told, "again x/observer-stale/n2/n1 1, again x/observer-stale/n2/n1 2, new x/observer-stale/n2/n1 3")
	told, _ = give(log, stale)
	want(told, "again x/observer-stale/n2/n1 1, again x/observer-stale/n2/n1 2, again x/observer-stale/n2/n1 3")
	told, _ = give(log)
	want(told, "")

	// Who has looked there is not told where to look; who has looked elsewhere, is.
	elsewhere := Entry{Kind: Ran, Machine: "n1", Argv: []string{"ip", "neigh"}}
	there := Entry{Kind: Ran, Machine: "n2", Argv: []string{"/usr/sbin/ip", "-s", "n", "show", "dev", "flannel.1"}}
	told, _ = give(Log{elsewhere}, stale)
	want(told, "new x/observer-stale/n2/n1 1")
	told, _ = give(Log{elsewhere, there}, stale)
	want(told, "new x/observer-stale/n2/n1 2")

	// The same on another node is no other hint.
	other := stale
	other.ID, other.Node = "x/observer-stale/n3/n1", "n3"
	told, _ = give(log, stale, other)
	want(told, "again x/observer-stale/n2/n1 1, again x/observer-stale/n2/n1 2, again x/observer-stale/n2/n1 3")
}

func TestHintsQuoteTheEvidence(t *testing.T) {
	log := Log{{Kind: Hinted, Finding: stale.ID, Step: 1}}
	for _, language := range Languages {
		hints := lisbon(t).NextHints(language, []detectors.Finding{stale}, values, log)
		if text := hints[1].Text; !strings.Contains(text, "`10.1.0.0 lladdr aa:02`") || !strings.Contains(text, "aa:01") || strings.Contains(text, "{") {
			t.Errorf("%s: %s", language, text)
		}
	}
}

func TestTheDebriefIsOfTheAttempt(t *testing.T) {
	at := func(minutes int) time.Time { return time.Unix(int64(60*minutes), 0) }
	ran := func(minutes int, on string, argv ...string) Entry {
		return Entry{At: at(minutes), Kind: Ran, Machine: on, Argv: argv}
	}
	log := Log{
		{At: at(0), Kind: Alarm}, ran(1, "n1", "ping", "n2"), ran(3, "n2", "bridge", "fdb", "show"), ran(5, "n2", "ip", "neigh", "del", "10.1.0.0"),
		{At: at(6), Kind: Checked, Verdict: Broken}, ran(7, "n2", "ip", "neigh", "replace", "10.1.0.0"), ran(8, "n2", "tcpdump"),
		{At: at(9), Kind: Checked, Verdict: Healed}, ran(10, "n2", "ip", "neigh", "del", "10.3.0.0"),
	}
	faulty := Faulty{Findings: []detectors.Finding{stale}, Values: values}
	d := lisbon(t).Tell(English, faulty, log)
	if !strings.Contains(d.Hops, "So the frame goes to aa:02.") || strings.Contains(d.Hops, "{") {
		t.Error(d.Hops)
	}
	var line []string
	for _, m := range d.Moments {
		argv := "-"
		if m.Entry != nil {
			argv = strings.Join(m.Entry.Argv, " ")
		}
		line = append(line, m.What[English]+" "+m.After.String()+" "+argv)
	}
	want := "first look 1m0s ping n2|first look in the right place 3m0s bridge fdb show|first right idea 5m0s ip neigh del 10.1.0.0|" +
		"fix 7m0s ip neigh replace 10.1.0.0|healed 9m0s "
	if got := strings.Join(line, "|"); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	// Of who has only waited, nothing was seen.
	for _, m := range lisbon(t).Tell(Chinese, Faulty{}, Log{{Kind: Alarm}}).Moments {
		if m.Entry != nil || m.What[Chinese] == "" {
			t.Errorf("%+v", m)
		}
	}
}

func TestCommandsAreTypedForEachOfTheirNodes(t *testing.T) {
	typed := func(machine, command string) string {
		var all []string
		for _, c := range values.Type([]Line{{Machine: machine, Command: command}}) {
			all = append(all, c.Machine+"# "+c.Command)
		}
		return strings.Join(all, "; ")
	}
	for _, c := range [][3]string{
		{"{n1}", "ping {n2.vtep}", "n1# ping 10.2.0.0"},
		{"{each}", "a {each.vtep} {n1.vtep}", "n1# a 10.1.0.0 10.1.0.0; n2# a 10.2.0.0 10.1.0.0; n3# a 10.3.0.0 10.1.0.0"},
		{"{rest}", "b {rest.vtep}", "n2# b 10.2.0.0; n3# b 10.3.0.0"},
		{"{n1.podname}", "c", "pod-n1# c"},
		{"{n1}", "d {n1.mac}", "n1# d –"},
	} {
		if got := typed(c[0], c[1]); got != c[2] {
			t.Errorf("%q, want %q", got, c[2])
		}
	}
}

func TestSeedsPickAlike(t *testing.T) {
	if again := LabName(4711); again != LabName(4711) || again == LabName(4712) {
		t.Error("the same seed is not the same")
	}
	picked := map[int]bool{}
	for seed := range uint64(100) {
		first := Pick(seed, 5)
		if again := Pick(seed, 5); again != first {
			t.Errorf("seed %d picks %d, and then %d", seed, first, again)
		}
		picked[first] = true
	}
	if len(picked) != 5 {
		t.Errorf("of 5 exercises, 100 seeds pick %d", len(picked))
	}
}
