package detectors

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

const (
	emulatedOn  = `[{"source":"emulated (Linux 6.18 has no such setting)","semantics":"4.x","value":1,"scope":"pod-n1","dropped":0}]`
	emulatedOff = `[{"source":"emulated (Linux 6.18 has no such setting)","semantics":"4.x","value":0,"scope":"pod-n1","dropped":12}]`
)

func TestTWRecycleSettings(t *testing.T) {
	sysctl, uname, netstat, emulated := evidence.NodeFile("n1", evidence.SysctlFile), evidence.NodeFile("n1", evidence.UnameFile),
		evidence.NodeFile("n1", evidence.NetstatFile), evidence.NodeFile("n1", evidence.TWRecycleFile)
	type files map[string]string
	for _, test := range []struct {
		name  string
		files files
		want  []string
		shown []string
	}{
		{"no such setting", files{}, []string{"clean"}, []string{"no such setting on 2 nodes"}},
		{"off", files{sysctl: sysctlOff}, []string{"clean"}, []string{"no such setting on 1 nodes, it is 0 on 1"}},
		{"on", files{sysctl: sysctlOn}, []string{"problem warning setting n1"}, []string{
			"net.ipv4.tcp_tw_recycle is 1 on n1, native: SYNs of clients that share an address will be dropped",
			"for every network namespace of the node before Linux 4.11, for the node's own in 4.11",
			`["sysctl","-w","net.ipv4.tcp_tw_recycle=0"]`,
		}},
		{"on, Linux 4.11", files{sysctl: sysctlOn, uname: "4.11.0-14-generic\n"}, []string{"problem warning setting n1"},
			[]string{"for the node's own network namespace (Linux 4.11.0-14-generic)"}},
		{"on, nothing dropped", files{sysctl: sysctlOn, netstat: "TcpExt: PAWSPassive\nTcpExt: 0\n"}, []string{"problem warning setting n1"}, []string{"PAWSPassive 0"}},
		{"on, some dropped", files{sysctl: sysctlOn, netstat: "TcpExt: PAWSPassive\nTcpExt: 3\n"}, []string{"problem critical setting n1"}, []string{"3 SYNs were dropped", "PAWSPassive 3"}},
		{"on, counters damaged", files{sysctl: sysctlOn, netstat: "TcpExt: PAWSPassive\n"}, []string{"problem warning setting n1"}, []string{"cut short"}},
		{"any number but 0 is on", files{sysctl: strings.Replace(sysctlOn, "recycle = 1", "recycle = 2", 1)}, []string{"problem warning setting n1"}, []string{"net.ipv4.tcp_tw_recycle = 2"}},

		{"not read", files{sysctl: ""}, []string{"unknown n1"}, []string{`nodes/n1/sysctl.txt","text":"missing`}},
		{"not read, kernel without it", files{sysctl: "", uname: "4.12.0\n"}, []string{"clean"}, nil},
		{"not read, kernel with it", files{sysctl: "", uname: "4.11.0\n"}, []string{"unknown n1"}, nil},
		{"cut short", files{sysctl: sysctlAbsent[:40]}, []string{"unknown n1"}, []string{"cut short"}},
		{"cut at the end of a line", files{sysctl: "net.ipv4.tcp_timestamps = 1\n"}, []string{"unknown n1"}, []string{"the file is not whole"}},
		{"the beginning is missing", files{sysctl: "net.ipv4.tcp_window_scaling = 1\n"}, []string{"unknown n1"}, []string{"the file is not whole"}},
		{"missing where the kernel has it", files{uname: "3.10.0-1160.el7.x86_64\n"}, []string{"unknown n1"}, []string{"Linux 3.10.0-1160.el7.x86_64 has it"}},
		{"twice", files{sysctl: sysctlOn + "net.ipv4.tcp_tw_recycle = 0\n"}, []string{"unknown n1"}, []string{"want one number"}},
		{"no number", files{sysctl: strings.Replace(sysctlOn, "recycle = 1", "recycle = on", 1)}, []string{"unknown n1"}, []string{`is \"on\"`}},
		{"no release", files{uname: "Linux\n"}, []string{"unknown n1"}, []string{"no kernel release"}},

		{"emulated", files{emulated: emulatedOn}, []string{"problem warning setting n1"}, []string{
			"net.ipv4.tcp_tw_recycle is 1 for pod-n1 on n1, emulated (Linux 6.18 has no such setting)", "as in Linux 4.x: 0 SYNs dropped",
		}},
		{"emulated, some dropped", files{emulated: strings.Replace(emulatedOn, `"dropped":0`, `"dropped":12`, 1)}, []string{"problem critical setting n1"}, []string{"12 SYNs were dropped"}},
		{"emulated, and the kernel's not read", files{emulated: emulatedOn, sysctl: ""}, []string{"problem warning setting n1"}, nil},
		{"emulated, off", files{emulated: emulatedOff}, []string{"clean"}, nil},
		{"emulation not read", files{emulated: "["}, []string{"unknown n1"}, []string{"tw-recycle.json"}},

		{"a node without a folder", files{sysctl: sysctlOn, "nodes/n2/sysctl.txt": "", "nodes/n2/ip-link.json": "", "nodes/n2/ip-route.json": "",
			"nodes/n2/ip-neigh.json": "", "nodes/n2/bridge-fdb.json": ""},
			[]string{"problem warning setting n1", "unknown n2"}, []string{"n2 has a lease, but no folder"}},
		{"two nodes", files{sysctl: sysctlOn, "nodes/n2/sysctl.txt": sysctlOn}, []string{"problem warning setting n1", "problem warning setting n2"}, nil},
		{"no leases", files{evidence.LeasesFile: ""}, []string{"clean"}, nil},
		{"leases not read", files{evidence.LeasesFile: "["}, []string{"unknown"}, []string{"cluster/leases.json"}},
		{"a file in the place of the captures", files{"nodes/n1/captures": "x"}, []string{"unknown n1"}, []string{"nodes/n1/captures"}},
	} {
		c := recycleCluster(2)
		for file, text := range test.files {
			c.files[file] = text
		}
		wantFindings(t, test.name, c.judge(t, TWRecycle), test.want, test.shown)
	}
}

// wantFindings compares verdict, severity, case, node and peer, and looks for words in the findings.
func wantFindings(t *testing.T, name string, found []Finding, want, shown []string) {
	t.Helper()
	all := ""
	var got []string
	for i, v := range verdicts(found) {
		f := found[i]
		checkFinding(t, f)
		if f.Severity != "" {
			v = strings.Replace(v, "problem", "problem "+string(f.Severity), 1)
		}
		got = append(got, v)
		all += text(f)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q: %s", name, got, want, all)
	}
	for _, s := range shown {
		if !strings.Contains(all, s) {
			t.Errorf("%s: %q is not in %s", name, s, all)
		}
	}
}

func TestTWRecycleCaptures(t *testing.T) {
	fault, healthyOne, short := recordedCapture(t, "recycle"), recordedCapture(t, "backward-answered"), recordedCapture(t, "middle")
	sysctl := evidence.NodeFile("n1", evidence.SysctlFile)
	here, there := evidence.CaptureFile("n1", "a.pcap"), evidence.CaptureFile("n2", "a.pcap")
	const remedyOn = `"remedy":[{"node":"`
	type files map[string]string
	for _, test := range []struct {
		name  string
		files files
		want  []string
		shown []string
	}{
		{"the setting is on", files{here: fault, sysctl: sysctlOn}, []string{"problem critical behaviour n1"}, []string{"net.ipv4.tcp_tw_recycle is 1 on n1, native", remedyOn + "n1"}},
		{"the setting is emulated", files{here: fault, evidence.NodeFile("n1", evidence.TWRecycleFile): emulatedOn},
			[]string{"problem critical behaviour n1"}, []string{"net.ipv4.tcp_tw_recycle is 1 on n1", "for pod-n1, emulated", remedyOn + "n1"}},
		{"the setting was not read", files{here: fault, sysctl: ""}, []string{"problem critical behaviour n1", "unknown n1"},
			[]string{"net.ipv4.tcp_tw_recycle was not read on n1", remedyOn + "n1"}},
		{"the setting is off", files{here: fault, sysctl: sysctlOff}, []string{"problem critical behaviour n1"},
			[]string{"it was 1 before, or is in the pod's own namespace (Linux 4.11)"}},
		{"the kernel has no such setting", files{here: fault}, []string{"problem critical behaviour n1"}, []string{"n1's own kernel has no net.ipv4.tcp_tw_recycle"}},
		{"captured at the client", files{there: fault, sysctl: sysctlOn}, []string{"problem critical behaviour n2 n1"}, []string{remedyOn + "n1"}},
		{"captured at both ends", files{here: fault, there: fault, sysctl: sysctlOn}, []string{"problem critical behaviour n1"}, []string{"nodes/n2/captures", remedyOn + "n1"}},
		{"captured twice", files{here: fault, evidence.CaptureFile("n1", "b.pcap"): fault}, []string{"problem critical behaviour n1"}, []string{"b.pcap"}},
		{"and another node has the setting", files{here: fault, "nodes/n2/sysctl.txt": sysctlOn},
			[]string{"problem critical behaviour n1", "problem warning setting n2"}, nil},
		{"the listener has a node's own address", files{here: fault, "nodes/n2/sysctl.txt": sysctlOn,
			"nodes/n1/ip-addr.json": `[{"ifindex":2,"ifname":"eth0","addr_info":[{"family":"inet","local":"10.244.1.2","prefixlen":24,"scope":"global"}]}]`},
			[]string{"problem critical behaviour n1 n2"}, []string{remedyOn + "n2"}},
		{"the listener is of no known node", files{there: fault, evidence.LeasesFile: ""}, []string{"problem critical behaviour n2"},
			[]string{"the node of 10.244.1.2 is not known, so net.ipv4.tcp_tw_recycle was not read there"}},
		{"the listener is of no known node, and nothing was read", files{there: fault, evidence.LeasesFile: "", "nodes/n2/sysctl.txt": ""},
			[]string{"problem critical behaviour n2", "unknown n2"}, []string{remedyOn + "n2"}},
		{"the listener is in a node's bridge", files{there: fault, evidence.LeasesFile: "",
			"nodes/n1/ip-addr.json": `[{"ifindex":3,"ifname":"docker0","addr_info":[{"family":"inet","local":"10.244.1.1","prefixlen":24,"scope":"global"}]}]`},
			[]string{"problem critical behaviour n2 n1"}, []string{"n1's own kernel has no"}},
		{"captured at both ends, on the listener's node last", files{here: fault, there: fault, evidence.LeasesFile: "",
			"nodes/n2/ip-addr.json": `[{"ifindex":3,"ifname":"docker0","addr_info":[{"family":"inet","local":"10.244.1.1","prefixlen":24,"scope":"global"}]}]`},
			[]string{"problem critical behaviour n2"}, []string{"n2's own kernel has no"}},
		{"the listener is in a network of both nodes", files{there: fault, evidence.LeasesFile: "",
			"nodes/n1/ip-addr.json": `[{"ifindex":3,"ifname":"e","addr_info":[{"family":"inet","local":"10.244.1.1","prefixlen":24,"scope":"global"}]}]`,
			"nodes/n2/ip-addr.json": `[{"ifindex":3,"ifname":"e","addr_info":[{"family":"inet","local":"10.244.1.9","prefixlen":24,"scope":"global"}]}]`},
			[]string{"problem critical behaviour n2"}, []string{"the node of 10.244.1.2 is not known"}},

		{"cut off", files{here: fault[:len(fault)-5]}, []string{"problem critical behaviour n1"}, []string{"cut off at its end: judged up to there"}},
		{"cut off, and nothing in it", files{here: healthyOne[:len(healthyOne)-5]}, []string{"clean"},
			[]string{"1 captures are cut off and judged up to there: nodes/n1/captures/a.pcap"}},
		{"cut off within the file's header", files{here: fault[:20]}, []string{"unknown n1"}, []string{"ends within its header"}},
		{"no capture", files{here: "tcpdump: eth7: No such device exists\n"}, []string{"unknown n1"}, []string{"not a capture"}},
		{"damaged at its end", files{here: fault + strings.Repeat("\xff", 16)}, []string{"problem critical behaviour n1", "unknown n1"}, []string{"damaged capture"}},
		{"no packets", files{here: fault[:24]}, []string{"clean"}, []string{"none of 0 requests in 1 captures"}},
		{"snap length too short", files{here: shortened(healthyOne, 60)}, []string{"unknown n1"}, []string{"capture with -s 128"}},
		{"too little", files{here: short}, []string{"unknown n1"}, []string{"1 of 1 requests to 10.244.1.2:8080 with an older timestamp", "want 3 such requests", "for some minutes more"}},
		{"too little here, enough there", files{here: short, there: fault}, []string{"problem critical behaviour n2 n1"}, nil},
		{"no answers", files{here: recordedCapture(t, "one-sided")}, []string{"unknown n1"}, []string{"no answer to any of 10 requests", "ip route get POD-IP"}},
	} {
		c := recycleCluster(2)
		for file, text := range test.files {
			c.files[file] = text
		}
		found := c.judge(t, TWRecycle)
		wantFindings(t, test.name, found, test.want, test.shown)
		remedied := slices.ContainsFunc(test.shown, func(s string) bool { return strings.HasPrefix(s, remedyOn) })
		if remedied != (len(found[0].Remedy) > 0) {
			t.Errorf("%s: remedy %+v", test.name, found[0].Remedy)
		}
	}
}

// shortened is a capture, as TestRecord writes it, of which each packet has n bytes at most.
func shortened(pcap string, n int) string {
	const head, packetHead = 24, 16
	out, rest := pcap[:head], pcap[head:]
	for rest != "" {
		kept := int(rest[8]) | int(rest[9])<<8
		end := packetHead + kept
		out += rest[:8] + string([]byte{byte(min(kept, n)), 0, 0, 0}) + rest[12:packetHead+min(kept, n)]
		rest = rest[end:]
	}
	return out
}

func TestWhatTwoNodesHaveIsOfNeither(t *testing.T) {
	owners := map[string]string{}
	claim(owners, "docker0's", "n1")
	claim(owners, "docker0's", "n1")
	claim(owners, "cni0's", "n1")
	claim(owners, "docker0's", "n2")
	claim(owners, "docker0's", "n2")
	if owners["docker0's"] != "" || owners["cni0's"] != "n1" {
		t.Errorf("got %q", owners)
	}
}

// FuzzTWRecycle checks that no capture and no setting makes the detector panic or say nothing.
func FuzzTWRecycle(f *testing.F) {
	for _, name := range []string{"recycle", "one-sided", "repeated"} {
		pcap, err := os.ReadFile("../fixtures/captures/" + name + ".pcap")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pcap, sysctlOn, "6.18.0\n", emulatedOn)
		f.Add(pcap[:len(pcap)-7], sysctlAbsent, "3.10.0\n", emulatedOff)
	}
	f.Fuzz(func(t *testing.T, pcap []byte, sysctl, uname, emulated string) {
		c := recycleCluster(2)
		c.files[evidence.CaptureFile("n1", "a.pcap")] = string(pcap)
		c.files[evidence.NodeFile("n1", evidence.SysctlFile)] = sysctl
		c.files[evidence.NodeFile("n1", evidence.UnameFile)] = uname
		c.files[evidence.NodeFile("n1", evidence.TWRecycleFile)] = emulated
		for _, finding := range c.judge(t, TWRecycle) {
			checkFinding(t, finding)
			if strings.Contains(finding.Summary, "bug") {
				t.Error(finding.Summary)
			}
		}
	})
}
