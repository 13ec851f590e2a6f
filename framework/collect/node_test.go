package collect

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// node makes a namespace with one of everything that a node has. Duplicate address detection is off, so that nothing
// changes by itself.
func node(t testing.TB) {
	t.Helper()
	scratchns.Enter(t)
	subnetFile(t)
	scratchns.Script(t, `
		sysctl -q -w net.ipv6.conf.default.accept_dad=0
		sysctl -q -w net.ipv6.conf.default.router_solicitations=0
		ip link set lo up
		ip link add eth0 address 0a:00:00:00:01:01 type veth peer name underlay0
		ip link set underlay0 up
		ip link set eth0 up
		ip addr add 172.18.0.2/16 brd 172.18.255.255 dev eth0
		ip addr add 172.18.0.3/16 dev eth0
		ip addr add 172.19.0.2 peer 172.19.0.1/32 dev eth0
		ip addr add 2001:db8::2/64 dev eth0
		ip link add flannel.1 type vxlan id 1 local 172.18.0.2 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 up
		ip addr add 10.244.1.0/32 dev flannel.1
		ip link add vx6 type vxlan id 6 local 2001:db8::2 remote 2001:db8::3 dev eth0 dstport 4789
		ip link add cni0 type bridge
		ip link set cni0 up
		ip link add veth1 type veth peer name pod1
		ip link set veth1 master cni0 up
		ip link add nocarrier type bridge nf_call_iptables 1
		ip link set nocarrier up
		ip route add default via 172.18.0.1
		ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
		ip route add unreachable 10.98.0.0/16
		ip route add blackhole 10.97.0.0/16 metric 9 proto 77
		ip route add default via 172.18.0.9 table 1000 proto static
		ip route add 10.96.0.0/16 dev eth0 src 172.18.0.3 table 77 proto bird
		ip route add 10.95.0.0/16 dev eth0 proto dhcp
		ip rule add pref 100 from 10.1.0.0/16 to 10.2.0.0/16 iif eth0 fwmark 0x4/0xff table 77 suppress_prefixlength 0
		ip rule add pref 101 not from 10.1.0.1 oif eth0 ipproto tcp dport 80-90 sport 5 uidrange 0-10 blackhole
		ip rule add pref 102 tos 0x10 fwmark 7 goto 32766
		ip rule add pref 103 to 10.3.0.0/16 ipproto 99 unreachable
		ip rule add pref 104 tun_id 77 dport 53 lookup 1000 protocol bgp
		ip rule add pref 105 l3mdev
		ip rule add pref 106 nop
		ip rule add pref 107 from 0.0.0.0/1 prohibit
		ip -6 route add 2001:db8:1::/48 via 2001:db8::1 metric 7
		ip neigh add 10.244.2.0 lladdr 0a:00:00:00:00:02 dev flannel.1 nud permanent
		ip neigh add 172.18.0.21 lladdr 0a:00:00:00:00:21 dev eth0 nud stale
		ip neigh add 172.18.0.22 lladdr 0a:00:00:00:00:22 dev eth0 nud reachable
		ip neigh add 172.18.0.23 lladdr 0a:00:00:00:00:23 dev eth0 nud noarp
		ip neigh add 172.18.0.24 dev eth0 nud failed
		ip neigh add 2001:db8::21 lladdr 0a:00:00:00:00:26 dev eth0 nud permanent
		bridge fdb append 0a:00:00:00:00:02 dev flannel.1 dst 172.18.0.12 self permanent
		bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 172.18.0.13 self permanent
		bridge fdb append 0a:00:00:00:00:03 dev vx6 dst 2001:db8::3 self permanent
		bridge fdb add 0a:00:00:00:00:05 dev veth1 master static
		bridge fdb append 0a:00:00:00:00:06 dev flannel.1 dst 172.18.0.14 self dynamic
		iptables-nft -t nat -A POSTROUTING -s 10.244.1.0/24 -j MASQUERADE
		iptables-legacy -A FORWARD -s 10.244.0.0/16 -j ACCEPT`)
	strayFrame(t, "underlay0")
}

// subnetFile writes flannel's subnet file into a /run that only the test has.
func subnetFile(t testing.TB) {
	t.Helper()
	const env = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
	if err := errors.Join(
		unix.Unshare(unix.CLONE_NEWNS),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", "/run", "tmpfs", 0, ""),
		os.MkdirAll(filepath.Dir(subnetPath), 0o755),
		os.WriteFile(subnetPath, []byte(env), 0o644),
	); err != nil {
		t.Fatal(err)
	}
}

// strayFrame sends an IPv4 frame to a link address that nobody has, which the receiver counts as rx_otherhost_dropped.
func strayFrame(t testing.TB, dev string) {
	t.Helper()
	link, err := netlink.LinkByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	frame := make([]byte, 14+20)
	copy(frame, []byte{0x0a, 0, 0, 0, 0xee, 0xee, 0x0a, 0, 0, 0, 0, 9, 0x08, 0x00, 0x45, 0, 0, 20})
	err = unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index, Protocol: 0x0008})
	if err != nil {
		t.Fatal(err)
	}
}

// collected runs Node and returns its files.
func collected(t testing.TB) map[string][]byte {
	t.Helper()
	return unpacked(t, func(w io.Writer) error { return Node(context.Background(), w, nil) })
}

// unpacked returns the files of what write writes.
func unpacked(t testing.TB, write func(io.Writer) error) map[string][]byte {
	t.Helper()
	var stream bytes.Buffer
	if err := write(&stream); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for tr := tar.NewReader(&stream); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func decode[T any](t testing.TB, name string, b []byte) []T {
	t.Helper()
	var rows []T
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b)
	}
	return rows
}

// sameRows compares what a tool and this package print, in terms of the evidence types.
func sameRows[T any](t testing.TB, name string, tool, ours []byte) {
	t.Helper()
	compareRows(t, name, decode[T](t, name, tool), decode[T](t, name, ours), ours, tool)
}

// sameNeighbours is sameRows without the entries that the kernel makes for groups: they come and go by themselves.
func sameNeighbours(t testing.TB, name string, tool, ours []byte) {
	t.Helper()
	but := func(b []byte) []evidence.Neighbour {
		return slices.DeleteFunc(decode[evidence.Neighbour](t, name, b), func(n evidence.Neighbour) bool {
			addr, err := netip.ParseAddr(n.Dst)
			return err == nil && addr.IsMulticast()
		})
	}
	compareRows(t, name, but(tool), but(ours), ours, tool)
}

func compareRows[T any](t testing.TB, name string, want, got []T, ours, tool []byte) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: the tool prints no rows", name)
	}
	if len(want) != len(got) {
		t.Errorf("%s: %d rows, want %d:\n%s\n%s", name, len(got), len(want), ours, tool)
		return
	}
	for i := range want {
		w, g := plain(t, want[i]), plain(t, got[i])
		if w != g {
			t.Errorf("%s: row %d is\n%s\nwant\n%s", name, i, g, w)
		}
	}
}

// plain is a row as JSON, in which no flags and an empty list of flags are the same.
func plain(t testing.TB, row any) string {
	t.Helper()
	v := reflect.New(reflect.TypeOf(row)).Elem()
	v.Set(reflect.ValueOf(row))
	if f := v.FieldByName("Flags"); f.IsValid() && f.IsNil() {
		f.Set(reflect.ValueOf([]string{}))
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tools are the commands that print what Node writes.
var tools = []struct {
	file string
	argv []string
	same func(t testing.TB, name string, tool, ours []byte)
}{
	{evidence.LinkFile, []string{"ip", "-j", "-d", "-s", "-s", "link"}, sameRows[evidence.Link]},
	{evidence.AddrFile, []string{"ip", "-j", "addr"}, sameRows[evidence.LinkAddrs]},
	{evidence.RouteFile, []string{"ip", "-j", "route", "show", "table", "all"}, sameRows[evidence.Route]},
	{evidence.NeighFile, []string{"ip", "-j", "neigh", "show", "nud", "all"}, sameNeighbours},
	{evidence.FDBFile, []string{"bridge", "-j", "fdb"}, sameRows[evidence.FDBEntry]},
	{evidence.NFTFile, []string{"iptables-nft-save", "-c"}, sameRules},
	{evidence.LegacyFile, []string{"iptables-legacy-save", "-c"}, sameRules},
	{evidence.LegacyTablesFile, []string{"cat", "/proc/net/ip_tables_names"}, sameText},
	{evidence.PolicyFile, []string{"ip", "-j", "rule"}, sameRows[evidence.PolicyRule]},
	{evidence.SNMPFile, []string{"cat", "/proc/net/snmp"}, sameText},
	{evidence.ConntrackStatsFile, []string{"conntrack", "-S"}, sameText},
	{evidence.SubnetFile, []string{"cat", subnetPath}, sameText},
	{evidence.SysctlFile, []string{"sysctl", "-a", "--pattern", "^net[.]"}, sameSysctls},
}

func sameRules(t testing.TB, name string, tool, ours []byte) {
	t.Helper()
	sameText(t, name, []byte(withoutDates(string(tool))), []byte(withoutDates(string(ours))))
}

func sameText(t testing.TB, name string, tool, ours []byte) {
	t.Helper()
	if !bytes.Equal(tool, ours) || len(tool) == 0 {
		t.Errorf("%s:\n%s\nwant\n%s", name, ours, tool)
	}
}

func sameSysctls(t testing.TB, name string, tool, ours []byte) {
	t.Helper()
	lines := func(b []byte) []string {
		var list []string
		for line := range strings.Lines(string(b)) {
			if key, _, _ := strings.Cut(line, " = "); !strings.HasSuffix(key, ".nf_conntrack_count") && key != "net.ipv4.tcp_fastopen_key" {
				list = append(list, line)
			}
		}
		slices.Sort(list)
		return list
	}
	want, got := lines(tool), lines(ours)
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s lacks %q", name, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s has %q, which sysctl(8) does not print", name, line)
		}
	}
}

// TestNodeLikeTools compares every file with what the tool prints that it is named after. A counter may move in between, so
// the tool is run before and after, until it prints the same.
func TestNodeLikeTools(t *testing.T) {
	node(t)
	for _, tool := range tools {
		theirs, ours := steady(t, tool.argv, func() []byte { return collected(t)[tool.file] })
		tool.same(t, tool.file, theirs, ours)
	}
	files := collected(t)
	if b, ok := files[evidence.ErrorsFile]; ok {
		t.Errorf("errors: %s", b)
	}
	for _, l := range decode[evidence.Link](t, evidence.LinkFile, files[evidence.LinkFile]) {
		if l.Name == "eth0" && l.Stats.RX.OtherHost == 0 {
			t.Error("eth0 has not counted the frame to another host")
		}
	}
	netstat, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	if a, b, _ := bytes.Cut(netstat, []byte("\n")); !bytes.HasPrefix(files[evidence.NetstatFile], a) || len(b) == 0 {
		t.Errorf("netstat.txt is\n%s", files[evidence.NetstatFile])
	}
}

// steady returns what the tool printed, the same before and after take, and what take returned.
func steady(t testing.TB, argv []string, take func() []byte) (theirs, ours []byte) {
	t.Helper()
	for range 50 {
		before := scratchns.Run(t, argv...)
		ours := take()
		if withoutDates(before) == withoutDates(scratchns.Run(t, argv...)) {
			return []byte(before), ours
		}
	}
	t.Fatalf("%v never prints the same twice", argv)
	return nil, nil
}

// withoutDates takes away what changes by itself: comments with dates, and a bridge's timers.
func withoutDates(s string) string {
	return regexp.MustCompile(`(?m)^#.*\n|"[a-z_]*timer":[0-9.]+|nf_conntrack_count = .*`).ReplaceAllString(s, "")
}

// TestConntrackLikeTool puts one flow of each kind into the table.
func TestConntrackLikeTool(t *testing.T) {
	scratchns.Enter(t)
	scratchns.Script(t, `
		conntrack -I -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 3000
		conntrack -I -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1001 --dport 80 --state SYN_SENT -t 3000 -m 16384
		conntrack -I -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1002 --dport 80 --state TIME_WAIT -u SEEN_REPLY -t 3000 --reply-src 10.1.0.2 --reply-dst 10.0.0.9 --reply-port-src 8080 --reply-port-dst 1002
		conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1003 --dport 53 -t 3000
		conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1004 --dport 53 -t 3000 -w 7
		conntrack -I -p udp -s fd00::1 -d fd00::2 --sport 1005 --dport 53 -t 3000
		conntrack -I -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 3000
		conntrack -I -p icmpv6 -s fd00::1 -d fd00::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 78 -t 3000
		conntrack -I -p sctp -s 10.0.0.1 -d 10.0.0.2 --orig-port-src 5 --orig-port-dst 6 --reply-port-src 6 --reply-port-dst 5 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 -t 3000
		conntrack -I -p 99 -s 10.0.0.1 -d 10.0.0.2 -t 3000`)
	var out bytes.Buffer
	if err := conntrack(&out); err != nil {
		t.Fatal(err)
	}
	lines := func(s string) []string {
		// The fifth field counts down.
		s = regexp.MustCompile(`(?m)^(\S+ +\d+ \S+ +\d+ )\d+ `).ReplaceAllString(s, "${1}T ")
		list := strings.Split(strings.TrimSpace(s), "\n")
		slices.Sort(list)
		return list
	}
	want := lines(scratchns.Run(t, "conntrack", "-L", "-o", "extended", "-f", "ipv4") +
		scratchns.Run(t, "conntrack", "-L", "-o", "extended", "-f", "ipv6"))
	got := lines(out.String())
	if len(want) < 10 || !slices.Equal(want, got) {
		t.Errorf("conntrack.txt is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestScript compares the files of the script for people with those of this package.
func TestScript(t *testing.T) {
	node(t)
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "bundle with space")
	var files map[string][]byte
	steady(t, tools[0].argv, func() []byte {
		_ = os.RemoveAll(dir)
		scratchns.Run(t, "sh", path, dir, "n1")
		files = collected(t)
		return nil
	})
	read := func(file string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, evidence.NodeFile("n1", file)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tool := range tools {
		tool.same(t, tool.file, read(tool.file), files[tool.file])
	}
	if !bytes.HasPrefix(read(evidence.NetstatFile), []byte("TcpExt: ")) {
		t.Error("netstat.txt does not begin with TcpExt")
	}
	read(evidence.ConntrackFile)
	bundle, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	if _, err := bundle.Info(); err != nil {
		t.Error(err)
	}
	// A second run must not overwrite the first.
	cmd := exec.Command("sh", path, dir, "n1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "is there already") {
		t.Errorf("a second run into the same folder: %v, %s", err, out)
	}
	for _, name := range []string{"../../etc", "", "N1", "-a", "a/b"} {
		cmd := exec.Command("sh", path, filepath.Join(dir, "x"), name)
		if out, err := cmd.CombinedOutput(); err == nil && name != "" {
			t.Errorf("the script accepts the node name %q: %s", name, out)
		}
	}
}

// TestScriptOldNode runs the script with an `ip` that has no -j, or prints text in spite of it, and without the other tools.
func TestScriptOldNode(t *testing.T) {
	scratchns.Enter(t)
	scriptWithOld(t, "#!/bin/sh\necho 'Option \"-j\" is unknown, try \"ip -help\".' >&2\nexit 255\n")
	scriptWithOld(t, "#!/bin/sh\necho 'default via 192.168.7.254 dev eth0'\n")
}

func scriptWithOld(t *testing.T, old string) {
	t.Helper()
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	for name, body := range map[string]string{"ip": old, "bridge": old, "iptables-save": "#!/bin/sh\n", "sysctl": "#!/bin/sh\necho net.ipv4.ip_forward = 1\necho vm.swappiness = 9\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "cat", "rm", "mv", "mkdir", "id", "uname", "date", "tr", "grep", "cut", "head", "tail"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(real, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	// The script adds the folders of the system's tools to PATH; here they must not be found.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "collect.sh")
	if err := os.WriteFile(copied, bytes.Replace(text, []byte(":/usr/sbin:/sbin"), nil, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "sh"), copied, dir, "n1")
	cmd.Env = []string{"PATH=" + bin}
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("the script succeeds: %s", out)
	}
	folder := filepath.Join(dir, "nodes", "n1")
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	got := slices.DeleteFunc(names, func(n string) bool { // depends on the kernel
		return n == evidence.ConntrackFile || n == evidence.ConntrackStatsFile
	})
	want := []string{evidence.ErrorsFile, evidence.IPTablesFile, evidence.LegacyTablesFile, evidence.ModulesFile, evidence.NetstatFile, evidence.SNMPFile, evidence.SysctlFile, evidence.UnameFile}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files are %v, want %v", got, want)
	}
	b, _ := os.ReadFile(filepath.Join(folder, evidence.ErrorsFile))
	for _, file := range []string{evidence.LinkFile, evidence.AddrFile, evidence.RouteFile, evidence.PolicyFile, evidence.NeighFile, evidence.FDBFile, evidence.SubnetFile} {
		if !strings.Contains(string(b), file+": ") {
			t.Errorf("%s does not name %s:\n%s", evidence.ErrorsFile, file, b)
		}
	}
	b, _ = os.ReadFile(filepath.Join(folder, evidence.SysctlFile))
	if string(b) != "net.ipv4.ip_forward = 1\n" {
		t.Errorf("sysctl.txt is %q", b)
	}
}

// TestDocumentHasScript keeps docs/EVIDENCE.md and the script the same.
func TestDocumentHasScript(t *testing.T) {
	doc, err := os.ReadFile("../../docs/EVIDENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(doc, []byte("```sh\n"+string(text)+"```\n")) {
		t.Error("docs/EVIDENCE.md does not have hack/collect-evidence.sh to the letter")
	}
}

// TestDocumentLeases runs the commands of docs/EVIDENCE.md that make leases.json from what etcdctl prints.
func TestDocumentLeases(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("needs jq on the PATH")
	}
	doc, err := os.ReadFile("../../docs/EVIDENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(mkdir -p cluster\n.*?)```").FindSubmatch(doc)
	if block == nil {
		t.Fatal("docs/EVIDENCE.md has no block that makes leases.json")
	}
	kv := func(key, value string) map[string]string {
		return map[string]string{"key": base64.StdEncoding.EncodeToString([]byte(key)), "value": base64.StdEncoding.EncodeToString([]byte(value))}
	}
	subnets, err := json.Marshal(map[string]any{"kvs": []any{
		kv("/coreos.com/network/subnets/10.244.1.0-24", `{"PublicIP":"172.18.0.2","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}}`),
		kv("/coreos.com/network/subnets/10.244.2.0-24&fc00::-64", `{"PublicIP":"172.18.0.3","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:00:00:00:00:02"}}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	for path, body := range map[string]string{
		filepath.Join(bin, "etcdctl"):                 "#!/bin/sh\ncat <<'END'\n" + string(subnets) + "\nEND\n",
		filepath.Join(dir, "nodes/n1/ip-addr.json"):   `[{"ifindex":2,"ifname":"eth0","addr_info":[{"family":"inet","local":"172.18.0.2"}]},{"ifindex":3,"addr_info":[]}]`,
		filepath.Join(dir, "nodes/n2.x/ip-addr.json"): `[{"ifindex":2,"ifname":"eth0","addr_info":[{"family":"inet","local":"172.18.0.3"}]}]`,
		filepath.Join(dir, "bundle.json"):             "{}",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(body), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-eu", "-c", string(block[1]))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bundle, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	got, _, err := bundle.Leases()
	for i := range got {
		got[i].Pos = 0
	}
	want := []evidence.Lease{
		{Node: "n1", PodCIDR: "10.244.1.0/24", PublicIP: "172.18.0.2", BackendType: "vxlan", VNI: 1, VtepMAC: "0a:00:00:00:00:01", Source: evidence.FromEtcd, File: evidence.LeasesFile},
		{Node: "n2.x", PodCIDR: "10.244.2.0/24", PublicIP: "172.18.0.3", BackendType: "vxlan", VNI: 1, VtepMAC: "0a:00:00:00:00:02", Source: evidence.FromEtcd, File: evidence.LeasesFile},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("leases are %v, %v, want %v", got, err, want)
	}
}

// TestNodeWithoutTools collects on a machine without iptables: what is missing is named, and the rest is there.
func TestNodeWithoutTools(t *testing.T) {
	scratchns.Enter(t)
	t.Setenv("PATH", t.TempDir())
	files := collected(t)
	if !strings.Contains(string(files[evidence.ErrorsFile]), "\n"+evidence.IPTablesFile+": iptables-save: ") {
		t.Errorf("%s is %q", evidence.ErrorsFile, files[evidence.ErrorsFile])
	}
	for _, file := range []string{evidence.LinkFile, evidence.NeighFile, evidence.SysctlFile} {
		if len(files[file]) == 0 {
			t.Errorf("%s is missing", file)
		}
	}
	for _, file := range []string{evidence.IPTablesFile, evidence.NFTFile, evidence.LegacyFile} {
		if _, ok := files[file]; ok {
			t.Errorf("%s is there", file)
		}
	}
}

// TestNodeNoRules tells a machine without rules from one where nothing was collected.
func TestNodeNoRules(t *testing.T) {
	scratchns.Enter(t)
	scratchns.Run(t, "iptables-nft-save")
	files := collected(t)
	for _, file := range []string{evidence.NFTFile, evidence.LegacyFile} {
		if b := files[file]; !bytes.HasPrefix(b, []byte("# ")) {
			t.Errorf("%s is %q, want a comment", file, b)
		}
	}
}

func TestNodeCancelled(t *testing.T) {
	scratchns.Enter(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Node(ctx, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

// TestNodeBrokenPipe returns the writer's error.
func TestNodeBrokenPipe(t *testing.T) {
	scratchns.Enter(t)
	r, w := io.Pipe()
	r.CloseWithError(syscall.EPIPE)
	if err := Node(context.Background(), w, nil); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("error is %v, want %v", err, syscall.EPIPE)
	}
}

// looked runs Later and returns its files.
func looked(t testing.TB) map[string][]byte {
	t.Helper()
	return unpacked(t, func(w io.Writer) error { return Later(context.Background(), w) })
}

// TestLater compares the second look with the tools and with the script for people.
func TestLater(t *testing.T) {
	node(t)
	scratchns.Script(t, `
		iptables-nft -I OUTPUT -d 127.0.0.1 -p icmp -j ACCEPT
		iptables-legacy -I OUTPUT -d 127.0.0.1 -p icmp -j ACCEPT`)
	if counted := looked(t); bytes.Contains(counted[evidence.Later(evidence.NFTFile)], []byte("-A ")) {
		t.Errorf("rules that have counted nothing:\n%s", counted[evidence.Later(evidence.NFTFile)])
	}
	ping(t)
	files := looked(t)
	if b, ok := files[evidence.Later(evidence.ErrorsFile)]; ok {
		t.Errorf("errors: %s", b)
	}
	for _, rules := range []string{evidence.NFTFile, evidence.LegacyFile} {
		text := string(files[evidence.Later(rules)])
		if !strings.Contains(text, "\n[2:168] -A OUTPUT -d 127.0.0.1/32 -p icmp -j ACCEPT\n") || strings.Count(text, "-A ") != 1 {
			t.Errorf("%s:\n%s", evidence.Later(rules), text)
		}
	}
	dir := t.TempDir()
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	scratchns.Run(t, "sh", path, dir, "n1")
	folder := filepath.Join(dir, "nodes", "n1")
	// Between the script and the collector, the links may count something.
	steady(t, tools[0].argv, func() []byte {
		for file := range files {
			_ = os.Remove(filepath.Join(folder, file))
		}
		scratchns.Run(t, "sh", path, "--later", dir, "n1")
		files = looked(t)
		return nil
	})
	delete(files, evidence.Later(evidence.NFTRulesetFile)) // where there is nft, TestNFTRulesetLikeTool compares it
	for _, file := range countFiles {
		ours, ok := files[evidence.Later(file)]
		if !ok {
			continue
		}
		theirs, err := os.ReadFile(filepath.Join(folder, evidence.Later(file)))
		if err != nil {
			t.Error(err)
			continue
		}
		if file == evidence.LinkFile {
			sameRows[evidence.Link](t, evidence.LinkLaterFile, theirs, ours)
		} else {
			sameRules(t, evidence.Later(file), theirs, ours)
		}
	}
	if len(files) != 6 {
		t.Errorf("files are %v", slices.Sorted(maps.Keys(files)))
	}
	// The first look must be there, and the second not yet.
	for _, argv := range [][]string{{path, "--later", dir, "n1"}, {path, "--later", dir, "n2"}, {path, dir, "n1"}} {
		if out, err := exec.Command("sh", argv...).CombinedOutput(); err == nil {
			t.Errorf("%v succeeds: %s", argv, out)
		}
	}
}

// ping sends one echo request of 84 bytes to this namespace itself, which answers with as many. A rule may drop it.
func ping(t testing.TB) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	echo := make([]byte, 64)
	echo[0], echo[2], echo[3] = 8, 0xf7, 0xff
	if err := unix.Sendto(fd, echo, 0, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil && err != unix.EPERM {
		t.Fatal(err)
	}
}

func BenchmarkNode(b *testing.B) {
	node(b)
	for b.Loop() {
		if err := Node(context.Background(), io.Discard, nil); err != nil {
			b.Fatal(err)
		}
	}
}
