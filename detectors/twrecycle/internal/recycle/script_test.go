package recycle

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

// script writes a capture, segment by segment. All clients are behind one address, and ask one listener, unless said
// otherwise.
type script struct {
	t        *testing.T
	trace    *Trace
	now      time.Time
	client   netip.Addr
	listener netip.AddrPort
	port     uint16
	seq      uint32
	// kind is which requests end judges.
	kind Kind
}

var (
	oneClient   = netip.MustParseAddr("10.244.1.1")
	oneListener = netip.MustParseAddrPort("10.244.1.2:8080")
)

// newScript begins just after a second has begun.
func newScript(t *testing.T) *script {
	return &script{
		t: t, trace: New(), now: time.Date(2026, 3, 1, 12, 0, 0, int(time.Millisecond), time.UTC),
		client: oneClient, listener: oneListener, port: 40000, seq: 1 << 31,
	}
}

func (s *script) see(seg evidence.Segment) {
	s.t.Helper()
	seg.Time = s.now
	if err := s.trace.See(&seg); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) wait(d time.Duration) *script {
	s.now = s.now.Add(d)
	return s
}

// connection is one that a client asks for.
type connection struct {
	s        *script
	src, dst netip.AddrPort
	seq, ts  uint32
	// bare is one without timestamps.
	bare bool
}

// ask sends a SYN with the timestamp.
func (s *script) ask(ts uint32) *connection {
	s.t.Helper()
	s.port++
	s.seq += 100_003
	c := &connection{s: s, src: netip.AddrPortFrom(s.client, s.port), dst: s.listener, seq: s.seq, ts: ts}
	s.see(evidence.Segment{Src: c.src, Dst: c.dst, SYN: true, Seq: c.seq, Timestamps: true, TSVal: ts})
	return c
}

// askBare sends a SYN without one.
func (s *script) askBare() *connection {
	s.t.Helper()
	s.port++
	s.seq += 100_003
	c := &connection{s: s, src: netip.AddrPortFrom(s.client, s.port), dst: s.listener, seq: s.seq, bare: true}
	s.see(evidence.Segment{Src: c.src, Dst: c.dst, SYN: true, Seq: c.seq})
	return c
}

// again sends the SYN again, the timestamp grown by the milliseconds d.
func (c *connection) again(d time.Duration) *connection {
	c.s.t.Helper()
	c.s.wait(d)
	if !c.bare {
		c.ts += uint32(d.Milliseconds())
	}
	c.s.see(evidence.Segment{Src: c.src, Dst: c.dst, SYN: true, Seq: c.seq, Timestamps: !c.bare, TSVal: c.ts})
	return c
}

// answer sends the SYN-ACK.
func (c *connection) answer() *connection {
	c.s.t.Helper()
	return c.answerFrom(c.dst, c.src)
}

func (c *connection) answerFrom(src, dst netip.AddrPort) *connection {
	c.s.t.Helper()
	c.s.see(evidence.Segment{Src: src, Dst: dst, SYN: true, ACK: true, AckSeq: c.seq + 1, Timestamps: !c.bare, TSVal: 7, TSEcr: c.ts})
	return c
}

// send sends a later segment of the client's.
func (c *connection) send(seg evidence.Segment) *connection {
	c.s.t.Helper()
	seg.Src, seg.Dst, seg.Seq, seg.ACK, seg.Timestamps, seg.TSVal = c.src, c.dst, c.seq+1, true, true, c.ts
	c.s.see(seg)
	return c
}

// end ends the capture after two more seconds, at a segment that has nothing to do with it all, and returns the listener's
// verdict.
func (s *script) end() (Strength, string) {
	s.t.Helper()
	s.wait(2 * time.Second)
	other := netip.MustParseAddrPort("192.0.2.1:1")
	s.see(evidence.Segment{Src: other, Dst: other, ACK: true})
	s.trace.End()
	l := s.trace.Listeners[oneListener]
	if l == nil {
		s.t.Fatal("no request to the listener")
	}
	return l.Judge(s.kind)
}

// sum ends the capture and returns the counts of the one listener.
func (s *script) sum() Tally {
	s.t.Helper()
	s.end()
	return s.trace.Listeners[oneListener].Sum()
}
