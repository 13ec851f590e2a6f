package training

import (
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/kstate"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/undo"
)

// sentence is English where Chinese should be: two words. What is quoted is a command's, or another program's.
var (
	quoted   = regexp.MustCompile("`[^`]*`")
	sentence = regexp.MustCompile(`\b[A-Za-z]{2,}[ ,:;]+[a-z]{2,}\b`)
)

func TestLinesAreInChinese(t *testing.T) {
	lines := []string{
		"web-1 sees 10.1.0.0, not 10.1.0.3", "db-1 answered, not web-1", `DNS answers "10.0.0.7", not 10.0.0.8`, "DNS answers NXDOMAIN", "timeout", "not tried",
		"answer: unexpected EOF", "web-1 says more than its answer", "no probe server in web-1", "no probe server on host", "no etcd on web-1", "no CoreDNS in dns-1",
		"no dockerd on web-1", "web-3 → 172.20.1.2:31000: timeout", "web-3 (10.3.0.5) → db-2, for the MySQL server: connection refused",
		"link dummy0", "route inet 10.1.0.0/24 via 192.168.0.7 dev eth0", "policy rule 100 from all lookup 7",
	}
	for _, p := range []evidence.Probe{{Kind: evidence.ProbePod, OK: true, To: "web-1", Source: "10.1.0.3", Seen: "10.1.0.0"}, {Error: context.DeadlineExceeded.Error()}, {Error: io.EOF.Error()}} {
		lines = append(lines, probe.FailureFrom("", p))
	}
	for _, errno := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EPERM, syscall.EACCES,
		syscall.EINVAL, syscall.ENODEV, syscall.EADDRNOTAVAIL, syscall.EPIPE, syscall.ETIMEDOUT,
	} {
		lines = append(lines, errno.Error())
	}
	// One of everything that can be gone.
	row := []kstate.Row{{Object: "object", Text: "text"}}
	all := undo.Recorded{
		Flannel: []string{"n1"}, Leases: []evidence.Lease{{Node: "n1", PodCIDR: "10.1.0.0/24"}},
		Machines: map[string]agent.Recorded{"n1": {
			Processes: []string{"flanneld --ip-masq"}, Options: map[string]string{"/run/flanneld": ""},
			Network: kstate.State{
				Links: []kstate.Link{{Name: "flannel.1"}}, Addresses: row, Routes: row, Neighbours: row, FDB: row, Rules: row, Qdiscs: row, Filters: row,
				IPTables: []kstate.Table{{Program: "iptables-nft", Name: "filter", Text: "*filter\n-A FORWARD -j ACCEPT\nCOMMIT\n"}},
			},
		}},
	}
	gone := undo.Gone(all, all, undo.Recorded{})
	if len(gone) != 13 {
		t.Errorf("%d things are gone: %q", len(gone), gone)
	}
	for _, line := range append(lines, gone...) {
		got := inChinese(line)
		if strings.Contains(got, "原话") || sentence.MatchString(quoted.ReplaceAllString(got, "")) || !strings.ContainsFunc(got, func(r rune) bool { return r >= 0x4e00 }) {
			t.Errorf("%q in Chinese: %q", line, got)
		}
	}
	if got := inChinese("something else happened"); got != "程序的原话是 `something else happened`" || sentence.MatchString(quoted.ReplaceAllString(got, "")) {
		t.Error(got)
	}
}

func TestWhatFailsOnEveryTryIsToldOnce(t *testing.T) {
	if got := toldAll([]string{"a → b: timeout", "a → c: timeout", "a → b: timeout"}); len(got) != 2 || got[1][Chinese] != "a → c：超时" {
		t.Error(got)
	}
}

func TestErrorsAreInALanguage(t *testing.T) {
	err := needsReset(os.ErrNotExist)
	if !errors.Is(InLanguage(err, Chinese), os.ErrNotExist) || !strings.Contains(InLanguage(err, Chinese).Error(), "重新建立网络") || !strings.Contains(err.Error(), "makes the network anew") {
		t.Error(err, InLanguage(err, Chinese))
	}
	if other := InLanguage(io.EOF, Chinese); other != io.EOF {
		t.Error(other)
	}
}
