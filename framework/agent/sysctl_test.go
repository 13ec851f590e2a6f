package agent

import "testing"

func TestParseSysctl(t *testing.T) {
	for _, c := range []struct {
		args []string
		want sysctlRequest
		ours bool
	}{
		{[]string{"net.ipv4.tcp_tw_recycle"}, sysctlRequest{}, true},
		{[]string{"-n", "net/ipv4/tcp_tw_recycle"}, sysctlRequest{bare: true}, true},
		{[]string{"-w", "net.ipv4.tcp_tw_recycle=0"}, sysctlRequest{write: true, value: "0"}, true},
		{[]string{"net.ipv4.tcp_tw_recycle=1"}, sysctlRequest{write: true, value: "1"}, true},
		{[]string{"-q", "-w", "net.ipv4.tcp_tw_recycle = 1"}, sysctlRequest{write: true, quiet: true, value: "1"}, true},
		{[]string{"-w", "net.ipv4.tcp_tw_recycle="}, sysctlRequest{write: true}, true},
		{[]string{"net.ipv4.ip_forward"}, sysctlRequest{}, false},
		{[]string{"net.ipv4.tcp_tw_recycle", "net.ipv4.ip_forward"}, sysctlRequest{}, false},
		{[]string{"-a"}, sysctlRequest{}, false},
		{nil, sysctlRequest{}, false},
	} {
		got, ours := parseSysctl(c.args)
		if ours != c.ours || ours && got != c.want {
			t.Errorf("sysctl %q: %+v, %v; want %+v, %v", c.args, got, ours, c.want, c.ours)
		}
	}
}
