package collect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"golang.org/x/sys/unix"
)

// chainsIn reads nft-chains.json as detectors do, each chain as JSON.
func chainsIn(t testing.TB, file []byte) (chains []string) {
	t.Helper()
	path := evidence.NodeFile("n1", evidence.NFTChainsFile)
	b := evidence.New(fstest.MapFS{path: &fstest.MapFile{Data: file}})
	for c, err := range b.NFTChains("n1") {
		if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		chains = append(chains, plain(t, c))
	}
	return chains
}

func sameChains(t testing.TB, tool, ours []byte) {
	t.Helper()
	want, got := chainsIn(t, tool), chainsIn(t, ours)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", evidence.NFTChainsFile, ours, tool)
	}
}

// TestNFTChainsLikeTool has a chain of every family and type, and all hooks.
func TestNFTChainsLikeTool(t *testing.T) {
	scratchns.Enter(t)
	rules := "table inet fw {\nchain plain { }\n}\ntable ip kube-proxy {\nchain plain { }\n}\n"
	add := func(family, typ, hook string, prio int, policy string) {
		name := fmt.Sprintf("table %s t%d", family, prio)
		rules += fmt.Sprintf("%s {\nchain c { type %s hook %s priority %d; policy %s; }\n}\n", name, typ, hook, prio, policy)
	}
	prio := -400 // it makes the tables' names, and must stay clear of the lowest that chains of type nat may have, -200
	for _, family := range []string{"ip", "ip6", "inet", "bridge"} {
		for _, hook := range []string{"prerouting", "input", "forward", "output", "postrouting"} {
			add(family, "filter", hook, prio, "drop")
			prio++
		}
	}
	for i, hook := range []string{"prerouting", "input", "output", "postrouting"} {
		for j, family := range []string{"ip", "ip6", "inet"} {
			add(family, "nat", hook, 100+10*i+j, "accept")
		}
	}
	add("ip", "route", "output", -150, "accept")
	add("arp", "filter", "input", 1, "accept")
	add("arp", "filter", "output", 2, "accept")
	add("inet", "filter", "ingress device lo", 3, "accept")
	add("netdev", "filter", "ingress device lo", 4, "drop")
	add("netdev", "filter", "egress device lo", 5, "accept")
	script := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(script, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	scratchns.Run(t, "nft", "-f", script)
	var ours bytes.Buffer
	if err := nftChainsJSON(&ours); err != nil {
		t.Fatal(err)
	}
	sameChains(t, []byte(scratchns.Run(t, "nft", "-j", "list", "chains")), ours.Bytes())
	if got := chainsIn(t, ours.Bytes()); len(got) != 2+20+12+6 {
		t.Errorf("%d chains", len(got))
	}
}

// TestNFTChainsOfIPTables needs no nft, as nodes need none.
func TestNFTChainsOfIPTables(t *testing.T) {
	scratchns.Enter(t)
	if files := collected(t); chainsIn(t, files[evidence.NFTChainsFile]) != nil || !json.Valid(files[evidence.NFTChainsFile]) {
		t.Errorf("without rules: %q", files[evidence.NFTChainsFile])
	}
	scratchns.Run(t, "iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
	prio := 100
	want := plain(t, evidence.NFTChain{Family: "ip", Table: "nat", Name: "POSTROUTING", Type: "nat", Hook: "postrouting", Prio: &prio, Policy: "accept"})
	if got := chainsIn(t, collected(t)[evidence.NFTChainsFile]); !slices.Contains(got, want) {
		t.Errorf("chains are %q, without %s", got, want)
	}
}

// TestScriptNFTChains compares the script for people with the collector.
func TestScriptNFTChains(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft on the PATH")
	}
	node(t)
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	scratchns.Run(t, "sh", path, dir, "n1")
	theirs, err := os.ReadFile(filepath.Join(dir, evidence.NodeFile("n1", evidence.NFTChainsFile)))
	if err != nil {
		t.Fatal(err)
	}
	sameChains(t, theirs, collected(t)[evidence.NFTChainsFile])
}

func TestWithoutNFTables(t *testing.T) {
	got := map[syscall.Errno]bool{}
	for _, err := range []syscall.Errno{unix.EINVAL, unix.EPROTONOSUPPORT, unix.EPERM, unix.EINTR, unix.ENOBUFS} {
		got[err] = withoutNFTables(fmt.Errorf("dump: %w", err))
	}
	want := map[syscall.Errno]bool{unix.EINVAL: true, unix.EPROTONOSUPPORT: true, unix.EPERM: false, unix.EINTR: false, unix.ENOBUFS: false}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
