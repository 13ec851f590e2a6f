package recycle

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

// SYNs without timestamps are dropped as well while the kernel remembers one of their source.
func TestBare(t *testing.T) {
	pass := func(s *script, times int) {
		for range times {
			s.wait(3 * time.Second).ask(1000 + uint32(s.port)*10).answer()
		}
	}
	hang := func(s *script, times int) {
		for range times {
			s.wait(3 * time.Second).askBare().again(time.Second)
		}
	}
	for _, test := range []struct {
		name string
		play func(*script)
		want Strength
		lack string
	}{
		{"all unanswered", func(s *script) { pass(s, 1); hang(s, 3); pass(s, 1); hang(s, 3) }, StrongSign, ""},
		{"answered before anything with a timestamp", func(s *script) {
			s.askBare().answer()
			pass(s, 1)
			hang(s, 3)
			pass(s, 1)
		}, StrongSign, ""},
		{"answered once the record is old, at a later try", func(s *script) {
			pass(s, 1)
			hang(s, 2)
			pass(s, 1)
			s.wait(time.Second).askBare().again(time.Second).again(2 * time.Second).again(60 * time.Second).answer()
			pass(s, 1)
		}, StrongSign, ""},
		{"too few", func(s *script) { pass(s, 1); hang(s, 2); pass(s, 1) }, WeakSign, "want 3"},
		{"no timestamps at all", func(s *script) { hang(s, 5) }, NoSign, ""},
		{"unanswered long after the last with one", func(s *script) {
			pass(s, 1)
			s.wait(time.Minute)
			hang(s, 5)
		}, NoSign, ""},
		{"answered as well, as by 3.10.0", func(s *script) {
			for range 5 {
				pass(s, 1)
				s.wait(time.Second).askBare().answer()
			}
		}, NoSign, ""},
		{"some lost, others answered", func(s *script) {
			for range 5 {
				pass(s, 8)
				s.wait(time.Second).askBare().answer()
			}
			hang(s, 3)
			pass(s, 1)
		}, WeakSign, "5 of 8 without a timestamp were answered"},
		{"answered through NAT, where the answer comes from another address", func(s *script) {
			for range 5 {
				pass(s, 1)
				s.wait(time.Second)
				c := s.askBare()
				c.answerFrom(netip.MustParseAddrPort("10.96.0.11:80"), c.src)
			}
		}, NoSign, ""},
		{"cut off before their options", func(s *script) {
			pass(s, 1)
			for range 5 {
				s.wait(time.Second)
				s.port++
				s.see(evidence.Segment{Src: netip.AddrPortFrom(s.client, s.port), Dst: s.listener, SYN: true, Seq: uint32(s.port), OptionsCut: true})
			}
			pass(s, 1)
		}, NoSign, ""},
	} {
		s := newScript(t)
		s.kind = Bare
		test.play(s)
		got, lack := s.end()
		if got != test.want || !strings.Contains(lack, test.lack) {
			t.Errorf("%s: got %v %q, want %v %q: %+v", test.name, got, lack, test.want, test.lack, s.trace.Listeners[oneListener].Sum())
		}
		// Nothing here has an older timestamp.
		if older, _ := s.trace.Listeners[oneListener].Judge(Older); older != NoSign {
			t.Errorf("%s: older ones: %v", test.name, older)
		}
	}
}
