package collect

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/nftables"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"golang.org/x/sys/unix"
)

// TestFeaturesLikeTool compares ethtool.txt with what ethtool prints, for links whose features differ from each other.
func TestFeaturesLikeTool(t *testing.T) {
	if _, err := exec.LookPath("ethtool"); err != nil {
		t.Skip("needs ethtool on the PATH")
	}
	node(t)
	scratchns.Script(t, `
		ethtool -K eth0 gso off tso off tx-udp_tnl-segmentation off
		ethtool -K flannel.1 tx off rx-gro-list on`)
	var want string
	for _, dev := range []string{"flannel.1", "eth0", "vx6", "cni0", "nocarrier"} {
		want += scratchns.Run(t, "ethtool", "-k", dev)
	}
	if got := string(collected(t)[evidence.EthtoolFile]); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", evidence.EthtoolFile, got, want)
	}
	// The script takes the same links in the order of their names.
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	scratchns.Run(t, "sh", path, dir, "n1")
	text, err := os.ReadFile(filepath.Join(dir, evidence.NodeFile("n1", evidence.EthtoolFile)))
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(text string) []string {
		lists := strings.Split(text, "Features for ")
		slices.Sort(lists)
		return lists
	}
	if !slices.Equal(sorted(string(text)), sorted(want)) {
		t.Errorf("the script has\n%s\nwant\n%s", text, want)
	}
}

// TestFeatures needs no ethtool, as nodes need none.
func TestFeatures(t *testing.T) {
	node(t)
	b := evidence.New(fstest.MapFS{
		evidence.NodeFile("n1", evidence.EthtoolFile): &fstest.MapFile{Data: collected(t)[evidence.EthtoolFile]},
	})
	on := map[string]bool{}
	for f, err := range b.Features("n1") {
		if err != nil {
			t.Fatal(err)
		}
		on[f.Dev+" "+f.Name] = f.On
	}
	for _, name := range []string{"flannel.1 tx-checksumming", "flannel.1 \ttx-checksum-ip-generic", "eth0 tx-udp_tnl-csum-segmentation", "cni0 scatter-gather"} {
		if on, ok := on[strings.Replace(name, "\t", "", 1)]; !ok || !on {
			t.Errorf("%s: on %t, there %t", name, on, ok)
		}
	}
}

func TestFeaturesOfNoLinks(t *testing.T) {
	scratchns.Enter(t)
	if got := collected(t)[evidence.EthtoolFile]; !bytes.HasPrefix(got, []byte("# ")) {
		t.Errorf("%q", got)
	}
}

// rulesIn reads nft-ruleset.json as detectors do.
func rulesIn(t testing.TB, file []byte) (rules []string) {
	t.Helper()
	set, err := nftables.Parse(string(file))
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	for _, table := range set.Tables {
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				drops, packets, counts := false, any(0), false
				for _, s := range r.Statements {
					counter, ok := s.Arg.(map[string]any)
					if drops = drops || s.Name == "drop"; s.Name == "counter" && ok {
						packets, counts = counter["packets"], true
					}
				}
				rules = append(rules, fmt.Sprintf("%s %s %t %v %t", table, c.Name, drops, packets, counts))
			}
		}
	}
	return rules
}

// TestNFTRulesetLikeTool has tables of nft's own beside those of iptables, in the collector's file and in the script's.
func TestNFTRulesetLikeTool(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft on the PATH")
	}
	node(t)
	rules := filepath.Join(t.TempDir(), "rules.nft")
	const text = `table inet hostfw {
	set bl {
		type ipv4_addr
		elements = { 10.9.9.9, 10.9.9.8 }
	}
	chain out {
		type filter hook output priority 0; policy accept;
		ip daddr 127.0.0.1 icmp type echo-request counter drop comment "none of these"
		ip saddr @bl counter reject
	}
}
table ip own {
	chain c {
		counter accept
	}
}
table ip6 six {
	chain c {
		drop
	}
}
table bridge b {
	chain c {
		drop
	}
}
`
	if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	scratchns.Run(t, "nft", "-f", rules)
	dir := t.TempDir()
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	scratchns.Run(t, "sh", path, dir, "n1")
	first := collected(t)[evidence.NFTRulesetFile]
	ping(t)
	scratchns.Run(t, "sh", path, "--later", dir, "n1")
	later := looked(t)[evidence.Later(evidence.NFTRulesetFile)]
	want := func(packets int) []string {
		return []string{
			fmt.Sprintf("inet hostfw out true %d true", packets), "inet hostfw out false 0 true", "ip own c false 0 true", "bridge b c true 0 false",
		}
	}
	for _, file := range []struct {
		name     string
		ours     []byte
		packets  int
		elements bool
	}{{evidence.NFTRulesetFile, first, 0, true}, {evidence.Later(evidence.NFTRulesetFile), later, 1, false}} {
		theirs, err := os.ReadFile(filepath.Join(dir, evidence.NodeFile("n1", file.name)))
		if err != nil {
			t.Fatal(err)
		}
		for who, b := range map[string][]byte{"the script": theirs, "the collector": file.ours} {
			if got := rulesIn(t, b); !slices.Equal(got, want(file.packets)) {
				t.Errorf("%s, %s: rules are %q, want %q\n%s", who, file.name, got, want(file.packets), b)
			}
			if bytes.Contains(b, []byte("10.9.9.9")) != file.elements {
				t.Errorf("%s, %s: elements of sets: want %t\n%s", who, file.name, file.elements, b)
			}
		}
	}
}

// TestNFTRulesetWithoutNFT says that nft is missing where there is something that only nft prints.
func TestNFTRulesetWithoutNFT(t *testing.T) {
	node(t)
	if got := collected(t)[evidence.NFTRulesetFile]; string(got) != "{\"nftables\":[]\n}\n" {
		t.Errorf("iptables' tables alone: %q", got)
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft on the PATH, to make a table")
	}
	scratchns.Run(t, "nft", "add", "table", "inet", "hostfw")
	t.Setenv("PATH", t.TempDir())
	files := collected(t)
	if _, ok := files[evidence.NFTRulesetFile]; ok || !strings.Contains(string(files[evidence.ErrorsFile]), evidence.NFTRulesetFile+": table ") {
		t.Errorf("%s: %t; errors: %s", evidence.NFTRulesetFile, ok, files[evidence.ErrorsFile])
	}
}

// A rule whose condition cannot be written is not written at all.
func TestUnknownPolicyRule(t *testing.T) {
	const dscp = 25
	for name, test := range map[string]struct {
		attr  uint16
		value []byte
		ok    bool
	}{
		"table":             {unix.FRA_TABLE, []byte{1, 0, 0, 0}, true},
		"DSCP":              {dscp, []byte{8}, false},
		"mask of a port":    {fraDPortMask, []byte{0xff, 0xff}, true},
		"mask of odd ports": {fraDPortMask, []byte{1, 0}, false},
	} {
		if err := knownRule(rtnl.Attrs{test.attr: test.value}); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestModules(t *testing.T) {
	var out bytes.Buffer
	if err := modules(&out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "# br_netfilter is not in /proc/modules\n" && !strings.HasPrefix(got, bridgeModule+" ") || strings.Contains(got, "0x") {
		t.Errorf("%q", got)
	}
}
