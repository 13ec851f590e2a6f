package recycle

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

const second = time.Second

func TestRequestsAndWhatBecameOfThem(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(*script)
		want Tally
	}{
		{"newer and older", func(s *script) {
			s.ask(1000).answer()
			s.wait(second).ask(2000).answer()
			s.wait(second).ask(500)
			s.wait(second).ask(600).answer()
		}, Tally{First: Count{1, 0}, Forward: Count{1, 0}, Backward: Held{Count: Count{1, 1}}}},

		{"an older one that is answered is held against nobody", func(s *script) {
			s.ask(1000).answer()
			s.wait(second).ask(500).answer()
			s.wait(second).ask(600)
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{1, 1}}}},

		{"one tick back is no way back", func(s *script) {
			s.ask(1000).answer()
			s.wait(second).ask(999)
			s.wait(second).ask(998)
		}, Tally{First: Count{1, 0}, Forward: Count{0, 1}, Backward: Held{Count: Count{0, 1}}}},

		{"the clock wraps", func(s *script) {
			s.ask(0xffff_ff00).answer()
			s.wait(second).ask(0x100).answer()
			s.wait(second).ask(0xffff_ff80)
		}, Tally{First: Count{1, 0}, Forward: Count{1, 0}, Backward: Held{Count: Count{0, 1}}}},

		{"half of the clock's range ahead is behind", func(s *script) {
			s.ask(0).answer()
			s.wait(second).ask(0x7fff_ffff)
			s.wait(second).ask(0x8000_0001)
		}, Tally{First: Count{1, 0}, Forward: Count{0, 1}, Backward: Held{Count: Count{0, 1}}}},

		{"held for less than 60 s", func(s *script) {
			s.ask(1000).answer()
			s.wait(59 * second).ask(500)
			s.wait(second).ask(500)
		}, Tally{First: Count{1, 1}, Backward: Held{Count: Count{0, 1}}}},

		{"seconds are whole", func(s *script) {
			s.wait(990 * time.Millisecond).ask(1000).answer()
			s.wait(59*second + 9*time.Millisecond).ask(500)
		}, Tally{First: Count{1, 1}}},

		{"the same timestamp again counts as new", func(s *script) {
			s.ask(1000).answer()
			s.wait(40 * second).ask(1000).answer()
			s.wait(40 * second).ask(500)
		}, Tally{First: Count{1, 0}, Forward: Count{1, 0}, Backward: Held{Count: Count{0, 1}}}},

		{"repeated SYNs are one request", func(s *script) {
			s.ask(9000).answer()
			s.ask(500).again(second).again(2 * second).again(4 * second)
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{0, 1}, Repeated: 1}}},

		{"one SYN seen on two links is one try", func(s *script) {
			s.ask(1000).answer()
			s.ask(500).again(time.Millisecond)
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{0, 1}}}},

		{"an answer at the second try is one", func(s *script) {
			s.ask(9000).answer()
			s.ask(500).again(second).answer()
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{1, 0}}}},

		{"an answer when the client's clock has caught up tells nothing", func(s *script) {
			s.ask(1000).answer()
			s.ask(500).again(second).answer()
		}, Tally{First: Count{1, 0}}},

		{"an answer when the newer timestamp is forgotten is none", func(s *script) {
			s.ask(1e6).answer()
			s.ask(500).again(second).again(2 * second).again(4 * second).again(8 * second).again(16 * second).again(32 * second).answer()
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{0, 1}, Repeated: 1}}},

		{"a new request from an old port", func(s *script) {
			s.ask(1000).answer()
			c := s.ask(500)
			s.wait(2 * second)
			s.see(evidence.Segment{Src: c.src, Dst: c.dst, SYN: true, Seq: c.seq + 77, Timestamps: true, TSVal: 600})
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{0, 2}}}},

		{"refused is no answer of a listener", func(s *script) {
			s.ask(1000).answer()
			c := s.ask(500)
			s.see(evidence.Segment{Src: c.dst, Dst: c.src, RST: true, ACK: true, AckSeq: c.seq + 1})
		}, Tally{First: Count{1, 0}}},

		{"answered where the capture does not see it", func(s *script) {
			s.ask(1000).answer()
			s.ask(500).send(evidence.Segment{})
			s.ask(600).send(evidence.Segment{FIN: true})
		}, Tally{First: Count{1, 0}}},

		{"the answer's addresses are translated", func(s *script) {
			node := netip.MustParseAddrPort("192.168.7.1:30080")
			c := s.ask(1000)
			c.answerFrom(node, c.src)
			c = s.wait(second).ask(500)
			c.answerFrom(node, netip.MustParseAddrPort("10.9.1.2:5"))
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{1, 0}}}},

		{"a number that agrees by chance is no translated answer", func(s *script) {
			s.ask(1000).answer()
			c := s.ask(500)
			s.see(evidence.Segment{Src: c.dst, Dst: netip.MustParseAddrPort("10.9.1.2:5"), SYN: true, ACK: true, AckSeq: c.seq + 1, Timestamps: true, TSEcr: 9})
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{0, 1}}}},

		{"the capture begins in the middle", func(s *script) {
			s.ask(500)
			s.see(evidence.Segment{Src: oneListener, Dst: netip.AddrPortFrom(oneClient, 5), SYN: true, ACK: true, AckSeq: 5, Timestamps: true, TSEcr: 1000})
			s.wait(second).ask(600)
			s.wait(second).ask(2000).answer()
			s.wait(second).ask(700)
		}, Tally{First: Count{1, 2}, Backward: Held{Count: Count{0, 1}}}},

		{"the timestamp of the client's FIN is the newest", func(s *script) {
			c := s.ask(1000).answer()
			c.ts = 9000
			c.send(evidence.Segment{FIN: true})
			s.wait(second).ask(5000)
		}, Tally{First: Count{1, 0}, Backward: Held{Count: Count{0, 1}}}},

		{"no timestamp", func(s *script) {
			s.ask(1000).answer()
			s.see(evidence.Segment{Src: netip.AddrPortFrom(oneClient, 5), Dst: oneListener, SYN: true, Seq: 5})
		}, Tally{First: Count{1, 0}, Bare: Held{Count: Count{0, 1}}}},

		{"no timestamp, and none remembered", func(s *script) { s.askBare() }, Tally{NoTS: Count{0, 1}}},

		{"another client address", func(s *script) {
			s.ask(1000).answer()
			s.client = netip.MustParseAddr("10.244.3.1")
			s.ask(500)
		}, Tally{First: Count{1, 1}}},

		{"another port of the same address", func(s *script) {
			s.listener = netip.MustParseAddrPort("10.244.1.2:8081")
			s.ask(1000).answer()
			s.listener = oneListener
			s.ask(500)
		}, Tally{Backward: Held{Count: Count{0, 1}}}},

		{"another address", func(s *script) {
			s.listener = netip.MustParseAddrPort("10.244.1.3:8080")
			s.ask(1000).answer()
			s.listener = oneListener
			s.ask(500)
		}, Tally{First: Count{0, 1}}},
	} {
		s := newScript(t)
		test.play(s)
		got := s.sum()
		for _, k := range Kinds {
			h := got.Held(k)
			*h = Held{Count: h.Count, Repeated: h.Repeated}
		}
		if got != test.want {
			t.Errorf("%s: got %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

func TestEndOfTheCapture(t *testing.T) {
	s := newScript(t)
	s.ask(1000).answer()
	s.ask(500)
	s.wait(999 * time.Millisecond)
	s.ask(2000).answer()
	s.trace.End()
	if got := s.trace.Listeners[oneListener].Sum().Backward.Count; got != (Count{}) {
		t.Errorf("a SYN that was watched for less than a second counts: %+v", got)
	}

	s = newScript(t)
	s.ask(1000).answer()
	s.ask(500)
	s.wait(time.Second)
	s.ask(2000).answer()
	s.trace.End()
	if got := s.trace.Listeners[oneListener].Sum().Backward.Count; got != (Count{0, 1}) {
		t.Errorf("a SYN that was watched for a second does not count: %+v", got)
	}
}

func TestCountsOfTheCapture(t *testing.T) {
	s := newScript(t)
	s.ask(1000).answer()
	s.ask(500)
	s.ask(600).send(evidence.Segment{})
	s.see(evidence.Segment{Src: netip.AddrPortFrom(oneClient, 5), Dst: oneListener, SYN: true, Seq: 5, OptionsCut: true})
	s.end()
	if tr := s.trace; tr.Requests != 4 || tr.Answers != 1 || tr.Silent != 3 || tr.Cut != 1 {
		t.Errorf("got %d requests, %d answers, %d silent, %d cut", tr.Requests, tr.Answers, tr.Silent, tr.Cut)
	}
}

// A capture of hours must not be kept.
func TestTraceForgets(t *testing.T) {
	s := newScript(t)
	for range 5_000 {
		s.wait(second)
		s.client = s.client.Next()
		s.ask(1000).answer()
		s.ask(500)
	}
	tr := s.trace
	if len(tr.queue) > 500 || len(tr.live) > 500 || len(tr.bySeq) > 500 || len(tr.records) > 500 {
		t.Errorf("kept %d requests, %d connections, %d numbers, %d records", len(tr.queue), len(tr.live), len(tr.bySeq), len(tr.records))
	}
	if got, want := s.sum(), (Tally{First: Count{5_000, 0}, Backward: Held{Count: Count{0, 5_000}}}); got.First != want.First || got.Backward.Count != want.Backward.Count {
		t.Errorf("got %+v", got)
	}
}

func TestTraceIsBounded(t *testing.T) {
	s := newScript(t)
	s.trace.limit = 10
	for range 10 {
		s.ask(1000)
	}
	err := s.trace.See(&evidence.Segment{Time: s.now, Src: netip.AddrPortFrom(oneClient, 5), Dst: oneListener, SYN: true, Seq: 5})
	if !errors.Is(err, errTooMany) {
		t.Errorf("got %v", err)
	}
}
