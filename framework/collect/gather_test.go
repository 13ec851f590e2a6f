package collect

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
)

// fake is a node that streams what the test says.
type fake struct {
	name  string
	node  func(ctx context.Context, w io.Writer) error
	later []byte
}

func (f fake) Name() string { return f.name }

func (f fake) Node(ctx context.Context, w io.Writer) error { return f.node(ctx, w) }

func (f fake) Later(_ context.Context, w io.Writer) error {
	_, err := w.Write(f.later)
	return err
}

// entry is a tar header with a body.
type entry struct {
	tar.Header
	body string
}

func file(name, body string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}, body}
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sends is a node that streams b.
func sends(name string, b []byte) fake {
	return fake{name: name, node: func(_ context.Context, w io.Writer) error {
		_, err := w.Write(b)
		return err
	}}
}

var info = evidence.Info{Version: evidence.LayoutVersion, CollectedAt: time.Unix(1700000000, 0).UTC(), Cluster: "netns:lab", Tool: "test"}

// list returns the files under dir with their contents.
func list(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func names(files map[string]string) []string {
	var list []string
	for name := range files {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func TestGather(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "bundle")
	nodes := []Source{
		sends("n1", archive(t, file("ip-link.json", "[]\n"), file("netstat.txt", "TcpExt: 1\n"))),
		sends("n2", archive(t, file("ip-link.json", "[]\n"), file("collect-errors.txt", "x: y\n"))),
	}
	for i, n := range nodes {
		f := n.(fake)
		f.later = archive(t, file("ip-link-later.json", "[]\n"), file("snmp-later.txt", "Udp: 1\n"))
		nodes[i] = f
	}
	leases := []evidence.Lease{{Node: "n1", PodCIDR: "10.244.1.0/24", PublicIP: "172.18.0.2", BackendType: "vxlan", VNI: 1,
		VtepMAC: "0a:00:00:00:00:01", Source: evidence.FromEtcd}}
	probes := []evidence.Probe{{Kind: evidence.ProbePod, From: "n1", To: "n2", OK: true}}
	var order []string
	err := Gather(context.Background(), dir, info, nodes,
		func(dir string) error {
			order = append(order, "leases")
			return WriteLeases(dir, func() ([]evidence.Lease, error) { return leases, nil })
		},
		func(dir string) error {
			order = append(order, "probes")
			if _, err := os.Stat(filepath.Join(dir, evidence.InfoFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("bundle.json is there before the steps are over: %v", err)
			}
			return WriteProbes(dir, probes)
		},
		func(dir string) error { return GatherLater(context.Background(), dir, nodes) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"leases", "probes"}) {
		t.Errorf("steps ran as %v", order)
	}
	want := []string{"bundle.json", "cluster/leases.json", "cluster/probes.json",
		"nodes/n1/ip-link-later.json", "nodes/n1/ip-link.json", "nodes/n1/netstat.txt", "nodes/n1/snmp-later.txt",
		"nodes/n2/collect-errors.txt", "nodes/n2/ip-link-later.json", "nodes/n2/ip-link.json", "nodes/n2/snmp-later.txt"}
	if got := names(list(t, dir)); !slices.Equal(got, want) {
		t.Errorf("files are %v, want %v", got, want)
	}
	bundle, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	if got, err := bundle.Info(); err != nil || !reflect.DeepEqual(got, info) {
		t.Errorf("info is %v, %v, want %v", got, err, info)
	}
	// The reader fills in where it has found something.
	leases[0].File, leases[0].Pos, probes[0].Pos = evidence.LeasesFile, 2, 2
	if got, _, err := bundle.Leases(); err != nil || !reflect.DeepEqual(got, leases) {
		t.Errorf("leases are %v, %v, want %v", got, err, leases)
	}
	if got, err := bundle.Probes(); err != nil || !reflect.DeepEqual(got, probes) {
		t.Errorf("probes are %v, %v, want %v", got, err, probes)
	}
	if got, err := bundle.Nodes(); err != nil || !slices.Equal(got, []string{"n1", "n2"}) {
		t.Errorf("nodes are %v, %v", got, err)
	}
}

// TestGatherSelf gathers from this package's own Node and reads the bundle as detectors do.
func TestGatherSelf(t *testing.T) {
	node(t)
	var stream bytes.Buffer
	if err := Node(context.Background(), &stream, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Gather(context.Background(), dir, info, []Source{sends("n1", stream.Bytes())}); err != nil {
		t.Fatal(err)
	}
	bundle, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	count := map[string]int{}
	for _, err := range bundle.Links("n1", evidence.LinkFile) {
		check(t, count, evidence.LinkFile, err)
	}
	for _, err := range bundle.Addrs("n1") {
		check(t, count, evidence.AddrFile, err)
	}
	for _, err := range bundle.Routes("n1") {
		check(t, count, evidence.RouteFile, err)
	}
	for _, err := range bundle.Neighbours("n1") {
		check(t, count, evidence.NeighFile, err)
	}
	for _, err := range bundle.FDB("n1") {
		check(t, count, evidence.FDBFile, err)
	}
	for _, err := range bundle.PolicyRules("n1") {
		check(t, count, evidence.PolicyFile, err)
	}
	for _, err := range bundle.Features("n1") {
		check(t, count, evidence.EthtoolFile, err)
	}
	for _, err := range bundle.ConntrackStats("n1", evidence.ConntrackStatsFile) {
		check(t, count, evidence.ConntrackStatsFile, err)
	}
	for file, world := range map[string]iptables.World{evidence.NFTFile: iptables.NFT, evidence.LegacyFile: iptables.Legacy} {
		text, err := bundle.RuleFile("n1", file)
		if err == nil {
			_, err = iptables.Parse(world, text)
		}
		check(t, count, file, err)
	}
	if len(count) != 10 {
		t.Errorf("rows read by file: %v, want some of ten files", count)
	}
	for _, file := range []string{evidence.NetstatFile, evidence.SNMPFile} {
		if counters, err := bundle.Counters("n1", file); err != nil || len(counters) < 50 {
			t.Errorf("%s: %d counters, %v", file, len(counters), err)
		}
	}
	if s, err := bundle.Subnet("n1"); err != nil || s.MTU != 1450 {
		t.Errorf("%s: %+v, %v", evidence.SubnetFile, s, err)
	}
	for _, err := range bundle.Modules("n1") {
		check(t, count, evidence.ModulesFile, err)
	}
	if text, err := bundle.RuleFile("n1", evidence.NFTRulesetFile); err != nil || len(rulesIn(t, []byte(text))) > 0 {
		t.Errorf("%s has %s, %v, though iptables-nft-save printed it all", evidence.NFTRulesetFile, text, err)
	}
}

func check(t *testing.T, count map[string]int, file string, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
		return
	}
	count[file]++
}

// TestGatherFailures keeps what the other nodes sent, and says of each failed one why, in the error and in the bundle.
func TestGatherFailures(t *testing.T) {
	good := archive(t, file("ip-link.json", "[]\n"))
	boom := errors.New("boom\nwith a second line")
	nodes := []Source{
		sends("good", good),
		fake{name: "silent", node: func(context.Context, io.Writer) error { return nil }},
		fake{name: "broken", node: func(context.Context, io.Writer) error { return boom }},
		fake{name: "half", node: func(_ context.Context, w io.Writer) error {
			whole := archive(t, file("ip-link.json", "[]\n"), file("ip-addr.json", strings.Repeat("x", 4000)))
			_, err := w.Write(whole[:3*512])
			return errors.Join(err, boom)
		}},
		sends("truncated", archive(t, file("ip-addr.json", strings.Repeat("x", 4000)))[:2*512]),
	}
	dir := t.TempDir()
	stepErr := errors.New("no leases today")
	err := Gather(context.Background(), dir, info, nodes, func(dir string) error {
		return WriteLeases(dir, func() ([]evidence.Lease, error) { return nil, stepErr })
	})
	if _, ok := errors.AsType[*IncompleteError](err); !ok {
		t.Errorf("%T says nothing of a bundle that is finished", err)
	}
	if err == nil || !errors.Is(err, boom) || !errors.Is(err, stepErr) {
		t.Fatalf("error is %v", err)
	}
	for _, name := range []string{"silent", "broken", "half", "truncated"} {
		if !strings.Contains(err.Error(), "collect node "+name+": ") {
			t.Errorf("error does not name %s: %v", name, err)
		}
	}
	files := list(t, dir)
	want := []string{"bundle.json", "cluster/collect-errors.txt", "nodes/broken/collect-errors.txt", "nodes/good/ip-link.json", "nodes/half/collect-errors.txt",
		"nodes/half/ip-link.json", "nodes/silent/collect-errors.txt", "nodes/truncated/collect-errors.txt"}
	if got := names(files); !slices.Equal(got, want) {
		t.Errorf("files are %v, want %v", got, want)
	}
	if got, want := files["nodes/broken/collect-errors.txt"], "node: boom with a second line\n"; got != want {
		t.Errorf("collect-errors.txt is %q, want %q", got, want)
	}
	if got, want := files["cluster/collect-errors.txt"], "leases.json: no leases today\n"; got != want {
		t.Errorf("cluster/collect-errors.txt is %q, want %q", got, want)
	}
}

// TestGatherHostile sends what a node must not send. Nothing may be written but the node's own whole files.
func TestGatherHostile(t *testing.T) {
	link := func(name, target string, kind byte) entry {
		return entry{tar.Header{Typeflag: kind, Name: name, Linkname: target}, ""}
	}
	for name, test := range map[string]struct {
		entries []entry
		want    string
	}{
		"out of the folder": {[]entry{file("../x", "")}, "not a file of a node"},
		"far out":           {[]entry{file("../../../../../../tmp/netfault-hostile", "x")}, "not a file of a node"},
		"absolute":          {[]entry{file("/etc/passwd", "x")}, "not a file of a node"},
		"dotted":            {[]entry{file("./ip-link.json", "x")}, "not a file of a node"},
		"unknown":           {[]entry{file("evil.sh", "x")}, "not a file of a node"},
		"captures":          {[]entry{file("captures/a.pcap", "x")}, "not a file of a node"},
		"empty name":        {[]entry{file("", "x")}, "not a file of a node"},
		"symlink":           {[]entry{link("ip-link.json", "/etc/passwd", tar.TypeSymlink)}, "regular file"},
		"hard link":         {[]entry{link("ip-link.json", "/etc/passwd", tar.TypeLink)}, "regular file"},
		"folder":            {[]entry{link("ip-link.json", "", tar.TypeDir)}, "regular file"},
		"device":            {[]entry{link("ip-link.json", "", tar.TypeChar)}, "regular file"},
		"symlink, then a file through it": {[]entry{link("ip-link.json", "/tmp/netfault-hostile", tar.TypeSymlink),
			file("ip-link.json", "x")}, "regular file"},
		"twice":      {[]entry{file("netstat.txt", "a"), file("netstat.txt", "b")}, "twice"},
		"the bundle": {[]entry{file("bundle.json", "x")}, "not a file of a node"},
		"sparse": {[]entry{{tar.Header{Typeflag: tar.TypeReg, Name: "netstat.txt",
			PAXRecords: map[string]string{"NETFAULT.x": "y"}}, ""}}, "extended header"},
		"half file": {[]entry{file("ip-link.json.part", "x")}, "not a file of a node"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "bundle")
			err := Gather(context.Background(), dir, info, []Source{sends("n1", archive(t, test.entries...))})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			for _, file := range names(list(t, parent)) {
				if file != "bundle/bundle.json" && file != "bundle/nodes/n1/collect-errors.txt" && file != "bundle/nodes/n1/netstat.txt" {
					t.Errorf("%s was written", file)
				}
			}
			if _, err := os.Lstat("/tmp/netfault-hostile"); err == nil {
				t.Error("something was written outside the bundle")
			}
		})
	}
}

// TestGatherHuge refuses a file by its size before anything of it is written, and stops reading an endless stream.
func TestGatherHuge(t *testing.T) {
	huge := func(size int64) func(context.Context, io.Writer) error {
		return func(_ context.Context, w io.Writer) error {
			tw := tar.NewWriter(w)
			if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "conntrack.txt", Size: size}); err != nil {
				return err
			}
			_, err := tw.Write(make([]byte, 4096))
			return err
		}
	}
	dir := t.TempDir()
	err := Gather(context.Background(), dir, info, []Source{fake{name: "n1", node: huge(maxFile + 1)}})
	if err == nil || !strings.Contains(err.Error(), "more than the") {
		t.Errorf("error is %v, want one about the size", err)
	}
	// Bytes behind the end of the archive are not read; before it, the bound holds for the whole stream.
	r := &limitedReader{zeros{}, 1 << 20}
	if n, err := io.Copy(io.Discard, r); err == nil || n > 1<<20 {
		t.Errorf("read %d bytes, error %v, want an error", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestWriteClusterHuge bounds what comes from elsewhere than a node's tar stream.
func TestWriteClusterHuge(t *testing.T) {
	w := &limitedWriter{io.Discard, 10}
	if _, err := w.Write(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("an eleventh byte is written")
	}
}

// TestGatherLaterFailures keeps the two looks apart: what one sends does not take the place of the other's.
func TestGatherLaterFailures(t *testing.T) {
	dir := t.TempDir()
	nodes := []Source{
		fake{name: "first", later: archive(t, file("snmp.txt", "x"))},
		fake{name: "silent"},
		fake{name: "wrong", later: archive(t, file("collect-errors-later.txt", "snmp-later.txt: no\n"))},
	}
	for i, n := range nodes {
		f := n.(fake)
		f.node = sends("", archive(t, file("snmp.txt", "Udp: 1\n"), file("collect-errors.txt", "x: y\n"))).node
		nodes[i] = f
	}
	if err := Gather(context.Background(), dir, info, nodes); err != nil {
		t.Fatal(err)
	}
	err := GatherLater(context.Background(), dir, nodes)
	if err == nil || !strings.Contains(err.Error(), `"snmp.txt", which is not a file`) || !strings.Contains(err.Error(), "the node sent nothing") {
		t.Errorf("error is %v", err)
	}
	files := list(t, dir)
	for _, n := range nodes {
		for name, want := range map[string]string{"snmp.txt": "Udp: 1\n", "collect-errors.txt": "x: y\n"} {
			if got := files[evidence.NodeFile(n.Name(), name)]; got != want {
				t.Errorf("%s of %s is %q, want %q", name, n.Name(), got, want)
			}
		}
		if got := files[evidence.NodeFile(n.Name(), "collect-errors-later.txt")]; got == "" {
			t.Errorf("%s does not say what failed later", n.Name())
		}
	}
}

func TestGatherNames(t *testing.T) {
	for _, name := range []string{"../../etc", "", ".", "..", "a/b", "N1", "-n"} {
		dir := filepath.Join(t.TempDir(), "bundle")
		called := false
		err := Gather(context.Background(), dir, info, []Source{fake{name: name, node: func(context.Context, io.Writer) error {
			called = true
			return nil
		}}})
		if err == nil || called {
			t.Errorf("node %q: error %v, called %v", name, err, called)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("node %q: the folder was made", name)
		}
		if err := GatherLater(context.Background(), t.TempDir(), []Source{fake{name: name}}); err == nil {
			t.Errorf("node %q: no error at the second look", name)
		}
	}
	twins := []Source{sends("n1", nil), sends("n1", nil)}
	if err := Gather(context.Background(), filepath.Join(t.TempDir(), "b"), info, twins); err == nil {
		t.Error("two nodes of one name are accepted")
	}
}

// TestGatherNotEmpty leaves a folder alone that has something in it.
func TestGatherNotEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Gather(context.Background(), dir, info, []Source{sends("n1", archive(t, file("ip-link.json", "[]")))})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "precious") {
		t.Errorf("error is %v, want one that names the folder and what is in it", err)
	}
	if got := names(list(t, dir)); !slices.Equal(got, []string{"precious"}) {
		t.Errorf("files are %v", got)
	}
}

// TestGatherInterrupted leaves a bundle without bundle.json.
func TestGatherInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	nodes := []Source{
		sends("done", archive(t, file("ip-link.json", "[]\n"))),
		fake{name: "hangs", node: func(ctx context.Context, w io.Writer) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}},
	}
	stepRan := false
	err := Gather(ctx, dir, info, nodes, func(string) error { stepRan = true; return nil })
	if !errors.Is(err, context.Canceled) || stepRan {
		t.Errorf("error is %v, step ran: %v", err, stepRan)
	}
	if _, err := os.Stat(filepath.Join(dir, evidence.InfoFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an interrupted bundle has bundle.json")
	}
}

// TestGatherSideBySide has each node wait for all the others.
func TestGatherSideBySide(t *testing.T) {
	const n = 20
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	here := make(chan struct{}, n)
	all := make(chan struct{})
	go func() {
		for range n {
			<-here
		}
		close(all)
	}()
	var nodes []Source
	for i := range n {
		nodes = append(nodes, fake{name: "n" + string(rune('a'+i)), node: func(ctx context.Context, w io.Writer) error {
			here <- struct{}{}
			select {
			case <-all:
				_, err := w.Write(archive(t, file("ip-link.json", "[]\n")))
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
	}
	if err := Gather(ctx, t.TempDir(), info, nodes); err != nil {
		t.Error(err)
	}
}

// TestGatherPadded reads the zeros that tar(1) puts behind an archive, so that their sender does not fail.
func TestGatherPadded(t *testing.T) {
	node := fake{name: "n1", node: func(_ context.Context, w io.Writer) error {
		for _, b := range [][]byte{archive(t, file("ip-link.json", "[]\n")), make([]byte, 8192)} {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := Gather(context.Background(), t.TempDir(), info, []Source{node}); err != nil {
		t.Error(err)
	}
}

// TestWriteWhole shows a file under its own name only once it is whole: the process may be killed at any time.
func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = writeWhole(root, "a.json", func(w io.Writer) error {
		if _, err := root.Stat("a.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the file is there before it is whole")
		}
		_, err := w.Write(make([]byte, 100_000))
		return err
	})
	if got := names(list(t, dir)); err != nil || !slices.Equal(got, []string{"a.json"}) {
		t.Errorf("files are %v, error %v", got, err)
	}
}

// TestWriteNoRows writes an empty list as [], not as null.
func TestWriteNoRows(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(WriteLeases(dir, func() ([]evidence.Lease, error) { return nil, nil }), WriteProbes(dir, nil)); err != nil {
		t.Fatal(err)
	}
	for name, body := range list(t, dir) {
		if body != "[]\n" {
			t.Errorf("%s is %q", name, body)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, file("ip-link.json", "[]\n"), file("netstat.txt", "x")))
	f.Add(archive(f, file("../x", "y")))
	f.Add(archive(f, entry{tar.Header{Typeflag: tar.TypeSymlink, Name: "ip-link.json", Linkname: "/etc/passwd"}, ""}))
	f.Add(archive(f, entry{tar.Header{Typeflag: tar.TypeReg, Name: "ip-link.json", PAXRecords: map[string]string{"path": "../../x"}}, ""}))
	f.Add([]byte{})
	f.Add(archive(f, entry{tar.Header{Typeflag: tar.TypeReg, Name: "netstat.txt", PAXRecords: map[string]string{"NETFAULT.x": "y"}}, ""}))
	parent := f.TempDir()
	root, err := createEmpty(filepath.Join(parent, "bundle"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { root.Close() })
	f.Fuzz(func(t *testing.T, stream []byte) {
		if err := errors.Join(root.RemoveAll(nodeDir("n1")), root.MkdirAll(nodeDir("n1"), 0o755)); err != nil {
			t.Fatal(err)
		}
		_ = unpack(root, "n1", bytes.NewReader(stream), nodeFiles) // may fail, but not write elsewhere
		err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if filepath.Dir(path) != filepath.Join(parent, "bundle", "nodes", "n1") || !slices.Contains(nodeFiles, d.Name()) || !d.Type().IsRegular() {
				t.Errorf("%s was written", path)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
