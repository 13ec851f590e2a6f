package podsnat

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/detectortest"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
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
	if argv[0] == "nft" {
		insertNative(t, files, command)
		return
	}
	switch {
	case argv[0] == "ip" && argv[1] == "route":
		changeRoute(t, files, command)
		return
	case argv[0] == "ip" && argv[1] == "neigh":
		replaceRow(files, evidence.NodeFile(command.Node, evidence.NeighFile), `{"dst":`+strconv.Quote(argv[3])+`,"dev":"flannel.1",`,
			`"lladdr":`+strconv.Quote(argv[5])+`,"state":["PERMANENT"]}`)
		return
	case argv[0] == "bridge":
		replaceRow(files, evidence.NodeFile(command.Node, evidence.FDBFile), `{"mac":`+strconv.Quote(argv[3])+`,"ifname":"flannel.1",`,
			`"dst":`+strconv.Quote(argv[7])+`,"flags":["self"],"state":"permanent"}`)
		return
	}
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

// insertNative does with what nft printed what `nft insert rule FAMILY TABLE CHAIN` does in the kernel.
func insertNative(t *testing.T, files fstest.MapFS, command detectors.Command) {
	t.Helper()
	a := command.Argv
	want := []string{"nft", "insert", "rule", a[3], a[4], a[5], "ip", "saddr", a[8], "ip", "daddr", a[11], "accept"}
	dev := ""
	if len(a) == 15 {
		want = slices.Insert(want, 12, "oifname", a[13])
		dev = `{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": ` + a[13] + `}}, `
	}
	if !slices.Equal(a, want) {
		t.Fatalf("%q is not understood", command)
	}
	match := func(field, cidr string) string {
		addr, bits, _ := strings.Cut(cidr, "/")
		return fmt.Sprintf(`{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": %q}}, "right": {"prefix": {"addr": %q, "len": %s}}}}`, field, addr, bits)
	}
	of := fmt.Sprintf(`"family": %q, "table": %q`, a[3], a[4])
	rule := fmt.Sprintf(`{"rule": {%s, "chain": %q, "handle": 999, "expr": [%s, %s, %s{"accept": null}]}},`,
		of, a[5], match("saddr", a[8]), match("daddr", a[11]), dev)
	file := evidence.NodeFile(command.Node, evidence.NFTRulesetFile)
	lines := strings.Split(string(files[file].Data), "\n")
	first := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, `{"rule": {`+of) })
	files[file] = &fstest.MapFile{Data: []byte(strings.Join(slices.Insert(lines, first, rule), "\n"))}
}

// replaceRow puts a row, of its beginning and its end, in the place of those of a file that begin like it.
func replaceRow(files fstest.MapFS, file, begins, ends string) {
	rows := []string{begins + ends}
	for line := range strings.Lines(string(files[file].Data)) {
		if line = strings.Trim(line, "[],\n"); line != "" && !strings.HasPrefix(line, begins) {
			rows = append(rows, line)
		}
	}
	files[file] = &fstest.MapFile{Data: []byte("[\n" + strings.Join(rows, ",\n") + "\n]\n")}
}

// changeRoute does with what ip printed what `ip route replace` and `ip route del` do in the kernel.
func changeRoute(t *testing.T, files fstest.MapFS, command detectors.Command) {
	t.Helper()
	a := command.Argv
	if !slices.Equal(a[:2], []string{"ip", "route"}) || a[4] != "via" || a[6] != "dev" {
		t.Fatalf("%q is not understood", command)
	}
	file := evidence.NodeFile(command.Node, evidence.RouteFile)
	lines := strings.Split(string(files[file].Data), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, fmt.Sprintf(`{"dst":%q,`, a[3])) })
	if i >= 0 {
		lines = slices.Delete(lines, i, i+1)
	}
	switch {
	case a[2] == "replace":
		lines = slices.Insert(lines, 1, fmt.Sprintf(`{"dst":%q,"gateway":%q,"dev":%q,"flags":["onlink"]},`, a[3], a[5], a[7]))
	case a[2] != "del" || i < 0:
		t.Fatalf("%q deletes what is not there, or is not understood", command)
	}
	files[file] = &fstest.MapFile{Data: []byte(strings.Join(lines, "\n"))}
}

// A rule for each peer, up to maxShields of them; for more, one for all pods' network.
func TestManyShields(t *testing.T) {
	n := node{lease: evidence.Lease{PodCIDR: "10.244.0.0/24"}}
	side := iptables.Side{Dev: "flannel.1"}
	for i := range maxShields + 2 {
		cidr := fmt.Sprintf("10.244.%d.0/24", i+1)
		n.paths.peers = append(n.paths.peers, evidence.Lease{PodCIDR: cidr})
		side.Addrs = append(side.Addrs, netip.MustParsePrefix(cidr))
	}
	n.paths.query.To = []iptables.Side{side}
	concerned := n.everyPeer()
	if specs := n.shields(concerned[:maxShields], nil); len(specs) != maxShields || specs[0].dst != "10.244.1.0/24" {
		t.Errorf("for %d of %d peers: %v", maxShields, len(concerned), specs)
	}
	if specs := n.shields(concerned[:maxShields+1], nil); len(specs) != 1 || specs[0].dst != "10.244.0.0/19" {
		t.Errorf("for %d of %d peers: %v", maxShields+1, len(concerned), specs)
	}
}
