package iptables

import (
	"fmt"
	"testing"
)

// The Services of kube-proxy's rules, and the rule that marks what goes to each: one that stands beside the Service's, as old versions
// write it, or else one in the Service's chain.
func TestServices(t *testing.T) {
	rules := mustParse(t, NFT, `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SVC-B - [0:0]
:KUBE-SVC-C - [0:0]
-A KUBE-SERVICES ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -d 10.96.0.1/32 -p udp -m udp --dport 443 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.2/32 -p udp -m udp --dport 53 -j KUBE-SVC-B
-A KUBE-SERVICES -d 10.96.0.3/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-C
-A KUBE-SVC-B -d 10.96.0.2/32 -j KUBE-MARK-MASQ
COMMIT
`)
	var got string
	for _, s := range rules.Services(10) {
		marks := 0
		if s.Marks != nil {
			marks = s.Marks.Line
		}
		got += fmt.Sprintf("%s %d:%d marked by %d, ", s.Addr, s.Proto, s.Port, marks)
	}
	if want := "10.96.0.1 6:443 marked by 9, 10.96.0.2 17:53 marked by 14, 10.96.0.3 6:80 marked by 0, "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := rules.Services(2); len(got) != 2 {
		t.Errorf("of two at most: %v", got)
	}
}

// The same of kube-proxy's nftables mode.
func TestNativeServices(t *testing.T) {
	const dnat = `{"dnat":{"addr":"10.244.2.2","port":8080}}`
	rules := native(t, "chain pre prerouting nat -100", "chain end", "chain svc", "chain none",
		`map "name":"s","type":["ipv4_addr","inet_proto","inet_service"],"map":"verdict","elem":[`+
			`[{"concat":["10.96.0.1","tcp",65535]},{"goto":{"target":"svc"}}],[{"concat":["10.96.0.1","tcp",65536]},{"goto":{"target":"svc"}}],`+
			`[{"concat":["10.96.0.2","tcp",80]},{"goto":{"target":"none"}}]]`,
		`pre {"vmap":{"key":{"concat":[`+payload("ip", "daddr")+","+meta("l4proto")+","+payload("th", "dport")+`]},"data":"@s"}}`,
		"end "+dnat, `svc {"goto":{"target":"end"}}`, `none {"accept":null}`)
	got := rules.Services(10)
	if len(got) != 1 || got[0].Port != 65535 || got[0].Rule == nil {
		t.Errorf("got %+v", got)
	}
}
