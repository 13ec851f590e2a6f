package evidence

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Every reader must refuse these, whatever its file should hold.
func TestNoJSON(t *testing.T) {
	deep := strings.Repeat("[", 200_000)
	for file, read := range readers {
		for _, c := range []struct{ name, text, want string }{
			{"empty", "", "empty"},
			{"white space", " \n\t ", "empty"},
			{"a word", "Object \"neigh\" is unknown", "not JSON"},
			{"wrong type", `"text"`, ""},
			{"null", "null", ""},
			{"byte order mark", "\ufeff[]", "not JSON"},
			{"comment", "// no\n[]", "not JSON"},
			{"cut short", "[", "cut short"},
			{"trailing comma", "[{},]", ""},
			{"zero byte", "[\x00]", "not JSON"},
			{"deep", deep, ""},
		} {
			if isObject(file) {
				c.text = strings.NewReplacer("[", "{", "]", "}").Replace(c.text)
			}
			err := read(bundleOf(file, c.text))
			if c.name == "null" && file == InfoFile {
				continue // is an empty object, which has the wrong version
			}
			if err == nil {
				t.Errorf("%s: %s is accepted", file, c.name)
				continue
			}
			wantFileError(t, err, file, c.want)
		}
	}
}

// The good files, cut or changed in one place.
func TestWrongFiles(t *testing.T) {
	good := map[string]string{
		InfoFile: infoJSON, LeasesFile: leasesJSON, NodesFile: nodesJSON, ProbesFile: probesJSON,
		NodeFile("n1", LinkFile): ipLink, NodeFile("n1", AddrFile): ipAddr, NodeFile("n1", RouteFile): ipRoute,
		NodeFile("n1", NeighFile): ipNeigh, NodeFile("n1", FDBFile): bridgeFDB,
		NodeFile("n1", NFTChainsFile): nftChains, NodeFile("n1", PolicyFile): ipRule,
		ServicesFile: servicesJSON, EndpointSlicesFile: endpointSlicesJSON, PodsFile: podsJSON, DaemonSetsFile: daemonSetsJSON,
		KubeProxyFile: kubeProxyJSON,
	}
	for file, text := range good {
		text = strings.TrimSpace(text)
		if err := readers[file](bundleOf(file, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for n := 1; n < len(text); n++ {
			if err := readers[file](bundleOf(file, text[:n])); err == nil || !strings.Contains(err.Error(), "cut short") {
				t.Fatalf("%s: cut to %q: %v", file, text[:n], err)
			}
		}
		wantFileError(t, readers[file](bundleOf(file, text+" {}")), file, "follows the end")
		wantFileError(t, readers[file](bundleOf(file, text+"]")), file, "")
	}

	for _, c := range []struct{ file, from, to, want string }{
		{InfoFile, `:1,`, `:2,`, "layout version 2"},
		{InfoFile, `"2026-11-23T10:00:00Z"`, `"yesterday"`, "yesterday"},
		{InfoFile, `"by hand"`, `"by hand","nodes":["n1","../n2"]`, `nodes: "../n2" is not a node name`},
		{InfoFile, `"by hand"`, `"by hand","nodes":"n1"`, "nodes"},
		{LeasesFile, `"n2"`, `"n1"`, "node n1 has two leases"},
		{LeasesFile, `"n2"`, `"../../etc"`, `"../../etc" is not a node name`},
		{LeasesFile, `"n2"`, `""`, "names no node"},
		{LeasesFile, `10.244.1.0/24`, `10.244.1.1/24`, "pod CIDR"},
		{LeasesFile, `10.244.1.0/24`, `fd00::/64`, "pod CIDR"},
		{LeasesFile, `192.168.7.2`, `192.168.7`, "public IP"},
		{LeasesFile, `B6:38:7E:1E:DA:65`, `b6:38:7e:1e:da`, "VTEP MAC"},
		{LeasesFile, `B6:38:7E:1E:DA:65`, `00:00:00:00:00:00`, "VTEP MAC"},
		{LeasesFile, `"vni":1`, `"vni":-1`, "VNI -1"},
		{LeasesFile, `"vni":1`, `"vni":16777216`, "VNI 16777216"},
		{LeasesFile, `"vni":1`, `"vni":"1"`, "vni"},
		{LeasesFile, `"etcd"`, `"hearsay"`, "hearsay"},
		{LeasesFile, `host-gw`, ``, "backend type"},
		{LeasesFile, `"node":"n1"`, `"node":"n1","node":"n3"`, "duplicate"},
		{LeasesFile, `"node":"n1"`, "\"node\":\"n\xff\"", "UTF-8"},
		{NodesFile, `"name":"n2"`, `"name":"n1"`, "node n1 has two leases"},
		{NodesFile, `"name":"bare"`, `"name":"../../etc"`, `"../../etc" is not a node name`},
		{NodesFile, `{\"VNI\":1,`, `{\"VNI\":-1,`, "VNI -1"},
		{NodesFile, `{\"VNI\":1,`, `{\"VNI\":1`, "backend-data"},
		{NodesFile, `"items"`, `"things"`, "no \"items\""},
		{NodesFile, `"kind":"List"`, `"items":[]`, "duplicate"},
		{ProbesFile, `"n1"`, `"../../etc"`, "from: "},
		{ProbesFile, `"n2"`, `""`, "to: "},
		{ProbesFile, `"kind":"pod",`, ``, "no kind"},
		{ProbesFile, `true`, `"yes"`, "ok"},
		{NodeFile("n1", LinkFile), `"ifname":"lo"`, `"name":"lo"`, "no ifname"},
		{NodeFile("n1", LinkFile), `["LOOPBACK","UP","LOWER_UP"]`, `"UP"`, "flags"},
		{NodeFile("n1", LinkFile), `"id":1`, `"id":"1"`, "id"},
		{NodeFile("n1", LinkFile), `"otherhost":3`, `"otherhost":-3`, "otherhost"},
		{NodeFile("n1", AddrFile), `[{"family"`, `[7,{"family"`, "addr_info"},
		{NodeFile("n1", RouteFile), `"dst":"10.9.0.0/16"`, `"to":"10.9.0.0/16"`, "no dst"},
		{NodeFile("n1", NeighFile), `"dst":"10.1.1.9",`, ``, "lacks dst"},
		{NodeFile("n1", NeighFile), `"dst":"10.1.1.9"`, `"dst":7`, `"dst": want a string, found a number`},
		{NodeFile("n1", NeighFile), `"dst":"10.1.1.9"`, `"dst":"a","dst":"b"`, `two members "dst"`},
		{NodeFile("n1", NeighFile), `"dst":"10.1.1.9"`, `"dst":"a","d\u0073t":"b"`, `two members "dst"`},
		{NodeFile("n1", NeighFile), `"FAILED"`, `"LOST"`, `"LOST" is not a neighbour state`},
		{NodeFile("n1", NeighFile), `["FAILED"]`, `"FAILED"`, "string"},
		{NodeFile("n1", NeighFile), `10.1.1.9`, "10.1.1.\xff", "UTF-8"},
		{NodeFile("n1", NeighFile), `10.1.1.9`, `10.1.1.\x`, "escape"},
		{NodeFile("n1", NeighFile), `10.1.1.9`, "10.1.1.\n", "control character"},
		{NodeFile("n1", NFTChainsFile), `"nftables"`, `"tables"`, `no "nftables": want the output of nft -j list chains`},
		{NodeFile("n1", NFTChainsFile), `"family": "ip", `, ``, "a chain lacks family"},
		{NodeFile("n1", NFTChainsFile), `"table": "nat"`, `"table": ""`, "a chain lacks family"},
		{NodeFile("n1", NFTChainsFile), `"name": "POSTROUTING"`, `"name": 7`, "name"},
		{NodeFile("n1", NFTChainsFile), `"hook": "postrouting", `, ``, `chain "POSTROUTING" of table "nat": type "nat" and hook ""`},
		{NodeFile("n1", NFTChainsFile), `"type": "nat"`, `"type": ["nat"]`, "type"},
		{NodeFile("n1", NFTChainsFile), `{"metainfo"`, `{"chain": null}, {"metainfo"`, "a chain lacks family"},
		{NodeFile("n1", NFTChainsFile), `{"metainfo"`, `"chain", {"metainfo"`, ""},
		{NodeFile("n1", NFTChainsFile), `"family": "ip", `, `"family": "ip", "family": "ip6", `, "duplicate"},
		{NodeFile("n1", PolicyFile), `"src":"10.1.0.0"`, `"from":"10.1.0.0"`, "no src"},
		{NodeFile("n1", PolicyFile), `"priority":100`, `"priority":"100"`, "priority"},
		{NodeFile("n1", LinkFile), `"nf_call_iptables":0`, `"nf_call_iptables":"no"`, "nf_call_iptables"},
		{ServicesFile, `"name": "kube-dns"`, `"name": "-x"`, "want names of Kubernetes objects"},
		{ServicesFile, `"namespace": "kube-system"`, `"namespace": ""`, "want names of Kubernetes objects"},
		{ServicesFile, `"type": "ClusterIP"`, `"type": ""`, "service kube-system/kube-dns has no type"},
		{ServicesFile, `["10.96.0.10"`, `["10.96.0"`, `"10.96.0" is not an IP address`},
		{ServicesFile, `"port": 53`, `"port": 65536`, "port"},
		{EndpointSlicesFile, `"10.244.1.3"`, `"None"`, `"None" is not an IP address`},
		{EndpointSlicesFile, `"addressType": "IPv4"`, `"addressType": ""`, "endpoint slice kube-system/kube-dns-x has no addressType"},
		{EndpointSlicesFile, `"nodeName": "n1"`, `"nodeName": "$(x)"`, "is not a node name"},
		{EndpointSlicesFile, `"ready": true`, `"ready": "yes"`, "ready"},
		{PodsFile, `"nodeName": "n1"`, `"nodeName": "../n1"`, "is not a node name"},
		{PodsFile, `"phase": "Running"`, `"phase": ""`, "pod kube-system/coredns-1 has no phase"},
		{PodsFile, `"ip": "10.244.1.3"`, `"ip": "x"`, "is not an IP address"},
		{DaemonSetsFile, `"containers"`, `"boxes"`, "daemon set kube-system/kube-proxy has no containers"},
		{KubeProxyFile, `"config.conf"`, `"config"`, "no data.config.conf: want the output of kubectl"},
		{KubeProxyFile, `mode: \"\"`, `mode: [`, "data.config.conf: "},
		{KubeProxyFile, `"data"`, `"data": {}, "data"`, "duplicate"},
		{NodeFile("n1", FDBFile), `"mac":"0e:00:00:00:00:11",`, ``, "lacks mac"},
		{NodeFile("n1", FDBFile), `"flags":[]`, `"flags":[`, "not JSON"},
		{NodeFile("n1", FDBFile), `"flags":[]`, `"flags":[01]`, "not JSON"},
		{NodeFile("n1", FDBFile), `"flags":[]`, `"flags":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), "deeper"},
	} {
		text := strings.Replace(good[c.file], c.from, c.to, 1)
		if text == good[c.file] {
			t.Fatalf("%s has no %s", c.file, c.from)
		}
		err := readers[c.file](bundleOf(c.file, text))
		if err == nil {
			t.Errorf("%s with %.40q is accepted", c.file, c.to)
			continue
		}
		wantFileError(t, err, c.file, c.want)
	}
}

// endless is a file that begins with start and goes on with filler for 100 MB.
type endless struct{ start, filler []byte }

func (e endless) Open(string) (fs.File, error) {
	filler := &repeat{text: e.filler, left: 100 << 20}
	return endlessFile{io.MultiReader(bytes.NewReader(e.start), filler)}, nil
}

type repeat struct {
	text []byte
	left int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	for n < len(p) {
		n += copy(p[n:], r.text)
	}
	r.left -= n
	return n, nil
}

type endlessFile struct{ io.Reader }

func (endlessFile) Close() error               { return nil }
func (endlessFile) Stat() (fs.FileInfo, error) { return regularInfo{}, nil }

type regularInfo struct{ fs.FileInfo }

func (regularInfo) Mode() fs.FileMode { return 0 }

func TestLineOf100MB(t *testing.T) {
	for file, read := range readers {
		for _, c := range []struct{ name, start, filler string }{
			{"string", `[{"ifname":"`, "aaaaaaaa"},
			{"members of an object", `[{"a":1`, `,"a":1,"b":[]`},
			{"array in an object", `[{"ifname":[0`, `,0`},
			{"name", `{"`, `items`},
			{"number", `[{"metric":1`, `0`},
			{"white space in an object", `[{`, ` `},
			{"array", `[`, `[`},
		} {
			if isObject(file) {
				c.start = strings.Replace(c.start, `[{`, fmt.Sprintf(`{%q:[{`, arrayName[file]), 1)
			}
			fsys := endless{[]byte(c.start), []byte(c.filler)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := read(New(fsys))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s: %s of 100 MB is accepted", file, c.name)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
				t.Errorf("%s: %s of 100 MB took %d MB: %v", file, c.name, used>>20, err)
			}
		}
	}
}

func TestOpenStaysInside(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("secret/ip-link.json", ipLink)
	write("bundle/cluster/real.json", leasesJSON)
	write("bundle/nodes/n1/ip-addr.json", ipAddr)
	link("real.json", "bundle/cluster/leases.json")
	link("../../../secret/ip-link.json", "bundle/nodes/n1/ip-link.json")
	link("/etc/passwd", "bundle/cluster/probes.json")
	link("/dev/zero", "bundle/nodes/n1/ip-route.json")
	link("loop.json", "bundle/cluster/loop.json")
	link("loop.json", "bundle/bundle.json")
	if err := syscall.Mkfifo(filepath.Join(dir, "bundle/nodes/n1/ip-neigh.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bundle/nodes/n1/bridge-fdb.json"), 0o755); err != nil {
		t.Fatal(err)
	}

	b, err := Open(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if nodes, err := b.Nodes(); err != nil || len(nodes) != 1 {
		t.Errorf("nodes: %v, %v", nodes, err)
	}
	if leases, _, err := b.Leases(); err != nil || len(leases) != 2 {
		t.Errorf("a link inside the bundle: %v, %v", leases, err)
	}
	if err := drain(b.Addrs("n1")); err != nil {
		t.Errorf("a plain file: %v", err)
	}
	for file, want := range map[string]string{
		NodeFile("n1", LinkFile):  "escapes",
		ProbesFile:                "escapes",
		NodeFile("n1", RouteFile): "escapes",
		NodeFile("n1", NeighFile): "not a regular file",
		NodeFile("n1", FDBFile):   "not a regular file",
	} {
		wantFileError(t, readers[file](b), file, want)
	}
	if _, err := b.Info(); err == nil {
		t.Error("a link to nothing is accepted")
	}

	wantFileError(t, drain(b.Links("../../secret", LinkFile)), "nodes", `"../../secret" is not a node name`)
	wantFileError(t, drain(b.Neighbours("../../secret")), "nodes", `"../../secret" is not a node name`)

	link("../../secret", "bundle/nodes/n2")
	_, err = b.Nodes()
	wantFileError(t, err, "nodes", `"n2"`)
}

func TestNodesRefusesNames(t *testing.T) {
	for _, name := range []string{"Node1", "n_1", "-n", "n..1", "..."} {
		_, err := bundleOf("nodes/n1/ip-link.json", "", "nodes/"+name+"/ip-link.json", "").Nodes()
		wantFileError(t, err, "nodes", name)
	}
}

func TestOpenNothing(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("error does not name the folder: %v", err)
	}
}
