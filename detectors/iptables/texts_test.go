package iptables

import (
	"fmt"
	"strings"
	"testing"
)

// A text names the first parts of the traffic, and says that there are more.
func TestLongTexts(t *testing.T) {
	ports := func(from, n uint32) (s set) {
		for i := range n {
			s = append(s, span{from + 2*i, from + 2*i})
		}
		return s
	}
	whole := full()
	part := func(d int, s set) box {
		b := full()
		b[d] = s
		return b
	}
	for _, c := range []struct {
		boxes []box
		want  string
	}{
		{[]box{part(dimDport, ports(1, maxItems))}, "to ports 1, 3, 5, 7, 9, 11"},
		{[]box{part(dimDport, ports(1, maxItems+2))}, "to ports 1, 3, 5, 7, 9, 11, and 2 more"},
		{[]box{part(dimProto, set{{0, 127}})}, "protocols 0-127"},
		{[]box{part(dimProto, set{{0, 128}})}, "all but protocols 129-255"},
	} {
		if got := (Traffic{boxes: c.boxes, whole: whole}).String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	var many []box
	for i := range uint32(maxBoxes + 1) {
		many = append(many, part(dimDport, set{{i, i}}))
	}
	if got := (Traffic{boxes: many, whole: whole}).String(); !strings.HasSuffix(got, "to port 3; and 1 more parts of the traffic") {
		t.Errorf("got %q", got)
	}
	if got := (Traffic{boxes: many[:maxBoxes], whole: whole}).String(); !strings.HasSuffix(got, "to port 3") {
		t.Errorf("got %q", got)
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"80": "{80 80} true", "80:90": "{80 90} true", "80:80": "{80 80} true", "0:65535": "{0 65535} true",
		"90:80": "false", ":80": "false", "80:": "false", "65536": "false", "": "false", "-1": "false", "4294967376": "false",
	} {
		s, ok := parseRange(text, ":")
		if got := fmt.Sprint(s, ok); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]bool{"1": true, "255": true, "tcp": true, "sctp": true, "0": false, "256": false, "none": false} {
		if _, ok := parseProto(text); ok != want {
			t.Errorf("protocol %s: %t", text, ok)
		}
	}
	for text, want := range map[string]bool{"10.244.1.2": true, "255.255.255.255": true, "10.244.1": false, "10.244.1.256": false, "10.244.1.2.3": false, "fd00::1": false, "": false} {
		if _, ok := parseAddr(text); ok != want {
			t.Errorf("address %s: %t", text, ok)
		}
	}
}

func TestClip(t *testing.T) {
	for n, want := range map[int]int{59: 59, 60: 60, 61: 60 + len("…")} {
		if got := clip(strings.Repeat("a", n)); len(got) != want {
			t.Errorf("of %d bytes: %q", n, got)
		}
	}
}
