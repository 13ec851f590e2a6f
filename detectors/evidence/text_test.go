package evidence

import (
	"fmt"
	"strings"
	"testing"
)

// Text files of a node that are read line by line.
func TestTextFiles(t *testing.T) {
	text := func(s any, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		return fmt.Sprint(s)
	}
	sysctls := func(s string) string {
		var all []string
		for set, err := range bundleOf(NodeFile("n1", SysctlFile), s).Sysctls("n1") {
			if err != nil {
				return "error: " + err.Error()
			}
			all = append(all, set.Key+"="+set.Value)
		}
		return strings.Join(all, ";")
	}
	netstat := func(s string) string { return text(bundleOf(NodeFile("n1", NetstatFile), s).Netstat("n1")) }
	uname := func(s string) string { return text(bundleOf(NodeFile("n1", UnameFile), s).Uname("n1")) }
	emulated := func(s string) string {
		var all []string
		for e, err := range bundleOf(NodeFile("n1", TWRecycleFile), s).TWRecycle("n1") {
			if err != nil {
				return "error: " + err.Error()
			}
			all = append(all, fmt.Sprintf("%s %t %d", e.Scope, e.On(), e.Dropped))
		}
		return strings.Join(all, ";")
	}
	const entry = `{"source":"emulated (Linux 6.18 has no such setting)","semantics":"4.x","value":1,"scope":"pod-n1","dropped":12}`
	for _, test := range []struct {
		read       func(string) string
		text, want string
	}{
		{sysctls, "net.ipv4.tcp_rmem = 4096\t131072\t6291456\nnet.ipv4.x = a\nnet.ipv4.x = b\nnet.ipv4.empty = \nnet.ipv4.bare =\n", "net.ipv4.tcp_rmem=4096\t131072\t6291456;net.ipv4.x=a;net.ipv4.x=b;net.ipv4.empty=;net.ipv4.bare="},
		{sysctls, "net.ipv4.x = a\r\nnet.ipv4.y = b\r\n", "net.ipv4.x=a;net.ipv4.y=b"},
		{sysctls, "sysctl: permission denied on key 'net.ipv4.x'\nsysctl: reading key \"net.ipv6.y\"\nnet.ipv4.z = 1\n", "net.ipv4.x=;net.ipv6.y=;net.ipv4.z=1"},
		{sysctls, "", "error: nodes/n1/sysctl.txt: line 1: the file is empty"},
		{sysctls, "net.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_tw_re", "error: nodes/n1/sysctl.txt: line 2: cut short"},
		{sysctls, "net.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_tw_reuse = 1", "error: nodes/n1/sysctl.txt: line 2: cut short"},
		{sysctls, "sysctl: cannot stat /proc/sys: No such file\n", "error: nodes/n1/sysctl.txt: line 1: want \"key = value\""},
		{sysctls, "a b.c = 1\n", "error: nodes/n1/sysctl.txt: line 1: want"},
		{sysctls, "\n", "error: nodes/n1/sysctl.txt: line 1: want"},
		{sysctls, "net.x = " + strings.Repeat("1", 2<<20) + "\n", "error: nodes/n1/sysctl.txt: line 1: an entry is longer"},

		{netstat, "TcpExt: PAWSPassive ListenDrops\nTcpExt: 3 18446744073709551615\nIpExt: InOctets\nIpExt: 5\n", "map[IpExtInOctets:{5 80} TcpExtListenDrops:{18446744073709551615 33} TcpExtPAWSPassive:{3 33}]"},
		{netstat, "TcpExt: A B\nTcpExt: 3\n", "error: nodes/n1/netstat.txt: line 2: TcpExt: has 2 names and TcpExt: has 1 values"},
		{netstat, "TcpExt: A\nIpExt: 3\n", "error: nodes/n1/netstat.txt: line 2"},
		{netstat, "TcpExt: A\nTcpExt: x\n", `error: nodes/n1/netstat.txt: line 2: A is "x": want a number`},
		{netstat, "TcpExt: A\n", "error: nodes/n1/netstat.txt: cut short"},
		{netstat, "Active connections\n", "error: nodes/n1/netstat.txt: line 1: want"},
		{netstat, "TcpExt: A\nTcpExt: 1", "error: nodes/n1/netstat.txt: line 2: cut short"},

		{uname, "3.10.0-1160.el7.x86_64\n", "{3.10.0-1160.el7.x86_64 3 10}"},
		{uname, "6.18\n", "{6.18 6 18}"},
		{uname, "Linux n1 6.18.0 x86_64\n", "error: nodes/n1/uname.txt: line 1"},
		{uname, "6.18.0\n6.18.0\n", "error: nodes/n1/uname.txt: line 2: a second line"},
		{uname, "6.18.0", "error: nodes/n1/uname.txt: line 1: cut short"},
		{uname, "", "error: nodes/n1/uname.txt: line 1: the file is empty"},

		{emulated, "[" + entry + "]", "pod-n1 true 12"},
		{emulated, "[]", ""},
		{emulated, "[" + strings.Replace(entry, `"value":1,`, ``, 1) + "]", `error: nodes/n1/tw-recycle.json: scope "pod-n1": value: want 0 or 1`},
		{emulated, "[" + strings.Replace(entry, `"value":1`, `"value":2`, 1) + "]", "error: nodes/n1/tw-recycle.json: scope"},
		{emulated, "[" + strings.Replace(entry, `4.x`, `5.x`, 1) + "]", `error: nodes/n1/tw-recycle.json: scope "pod-n1": semantics "5.x"`},
		{emulated, "[" + strings.Replace(entry, `pod-n1`, ``, 1) + "]", "error: nodes/n1/tw-recycle.json: an entry lacks source or scope"},
		{emulated, "[" + entry, "error: nodes/n1/tw-recycle.json: cut short"},
		{emulated, strings.Replace("["+entry+"]", "12", "-12", 1), "error: nodes/n1/tw-recycle.json"},
	} {
		if got := test.read(test.text); got != test.want && !(strings.HasPrefix(test.want, "error: ") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%.60q: got %.200q\nwant %q", test.text, got, test.want)
		}
	}
}

func TestReleases(t *testing.T) {
	for _, test := range []struct {
		r    Release
		want bool
	}{{Release{"", 3, 10}, true}, {Release{"", 4, 11}, true}, {Release{"", 4, 12}, false}, {Release{"", 5, 1}, false}} {
		if got := test.r.Before(4, 12); got != test.want {
			t.Errorf("%+v before 4.12: %t", test.r, got)
		}
	}
}

// FuzzText checks that no text makes a reader of text files panic.
func FuzzText(f *testing.F) {
	f.Add("net.ipv4.tcp_tw_recycle = 1\n")
	f.Add("TcpExt: A\nTcpExt: 1\n")
	f.Add("3.10.0-1160.el7.x86_64\n")
	f.Fuzz(func(t *testing.T, text string) {
		b := bundleOf(NodeFile("n1", SysctlFile), text, NodeFile("n1", NetstatFile), text, NodeFile("n1", UnameFile), text)
		_, netstat := b.Netstat("n1")
		_, uname := b.Uname("n1")
		for file, err := range map[string]error{SysctlFile: drain(b.Sysctls("n1")), NetstatFile: netstat, UnameFile: uname} {
			if err != nil {
				wantFileError(t, err, NodeFile("n1", file), "")
			}
		}
	})
}
