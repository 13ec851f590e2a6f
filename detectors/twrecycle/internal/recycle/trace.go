// Package recycle follows the connection requests in a packet capture, and says of each listener whether it leaves SYNs
// unanswered for their TCP timestamps, as Linux did with net.ipv4.tcp_tw_recycle=1.
//
// A request is a SYN with its repetitions. It is backward if its timestamp is older than the newest one of a connection
// that the same listener's address answered to the same source address within the last 60 seconds, and bare if there is such a
// connection and the SYN has no timestamp at all, which el7's and 4.x kernels drop as well.
package recycle

import (
	"errors"
	"net/netip"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

const (
	// recordLife is how many seconds of wall-clock time the kernel holds a timestamp against a source address
	// (TCP_PAWS_MSL in net/ipv4/tcp.h of Linux 3.10 to 4.11).
	recordLife = 60
	// tsWindow is by how much a timestamp may run backwards (TCP_PAWS_WINDOW).
	tsWindow = 1
	// watched is how long a SYN must have been left without an answer to count as unanswered: a client takes it as lost
	// after as long (RFC 6298 section 2).
	watched = time.Second
	// quiet is after how long without another try a request is over: Linux waits 64 s at most between two tries.
	quiet = 70 * time.Second
	// copied is within what time a second copy of a SYN is the same try, seen on another interface.
	copied = 100 * time.Millisecond
	// maxTracked is how many requests, connections, records and listeners a trace keeps at a time, each: some hundred MB of them.
	maxTracked = 1 << 20
)

// errTooMany ends a trace.
var errTooMany = errors.New("too many connections at a time to follow: capture on the listener's own interface")

// Trace follows the requests of one capture. What it keeps is bounded by what goes on within quiet.
type Trace struct {
	records map[ends]record
	// live holds the requests that are pending, and those answered until the client closes.
	live  map[flow]*request
	bySeq map[uint32]*request
	// queue holds requests in the order of their first try, to be counted in that order.
	queue []*request
	// Listeners are those that were asked; what they hold is whole after End.
	Listeners map[netip.AddrPort]*Listener
	// limit is maxTracked, but for tests.
	limit int
	swept time.Time
	now   time.Time
	// Requests counts the requests, Answers those with an answer in the capture, Silent those without.
	Requests, Answers, Silent int
	// Cut counts the SYNs of which the capture kept too little to know their timestamps.
	Cut int
}

// New returns a trace at the beginning of a capture.
func New() *Trace {
	return &Trace{
		limit: maxTracked, records: map[ends]record{}, live: map[flow]*request{}, bySeq: map[uint32]*request{},
		Listeners: map[netip.AddrPort]*Listener{},
	}
}

// See takes the next segment of the capture. The error ends the trace.
func (t *Trace) See(s *evidence.Segment) error {
	t.now = s.Time
	if t.now.Sub(t.swept) >= quiet/8 || t.now.Before(t.swept) {
		t.sweep()
	}
	switch there := (flow{s.Src, s.Dst}); {
	case s.SYN && !s.ACK && !s.RST:
		return t.syn(there, s)
	case s.SYN && s.ACK:
		t.synAck(flow{s.Dst, s.Src}, s)
	case s.RST && s.ACK && t.isPending(flow{s.Dst, s.Src}, s.AckSeq):
		t.live[flow{s.Dst, s.Src}].outcome = refused
	default:
		t.client(there, s)
	}
	return nil
}

// isPending reports whether a segment that acknowledges ack answers a pending request.
func (t *Trace) isPending(f flow, ack uint32) bool {
	r := t.live[f]
	return r != nil && r.outcome == pending && r.seq+1 == ack
}

func (t *Trace) syn(f flow, s *evidence.Segment) error {
	if s.OptionsCut {
		t.Cut++
	}
	order, behind := t.order(f, s)
	if r := t.live[f]; r != nil && r.seq == s.Seq {
		if r.outcome == pending && s.Time.Sub(r.lastAt) >= copied {
			r.tries++
			r.lastAt, r.lastOrder, r.lastTSVal = s.Time, order, s.TSVal
		}
		return nil
	} else if r != nil {
		t.settle(r)
	}
	if max(len(t.queue), len(t.live), len(t.records), len(t.Listeners)) >= t.limit {
		return errTooMany
	}
	r := &request{
		flow: f, seq: s.Seq, at: s.Time, order: order, tsval: s.TSVal, behind: behind,
		lastAt: s.Time, lastOrder: order, lastTSVal: s.TSVal, tries: 1, timestamps: s.Timestamps,
	}
	t.live[f], t.bySeq[s.Seq] = r, r
	t.queue = append(t.queue, r)
	t.Requests++
	return nil
}

// order compares the timestamp of a SYN with the record of its source, as tcp_peer_is_proven() does in
// net/ipv4/tcp_metrics.c, and says by how much it is behind. (3.10.0 answers bare ones; 3.10.0-1160.el7 and 4.x do not.)
func (t *Trace) order(f flow, s *evidence.Segment) (o tsOrder, behind uint32) {
	if s.OptionsCut {
		return tsUnknown, 0
	}
	r, ok := t.records[ends{f.src.Addr(), f.dst.Addr()}]
	fresh := ok && s.Time.Unix()-r.second < recordLife
	switch {
	case !s.Timestamps && fresh:
		return tsBare, 0
	case !s.Timestamps:
		return tsUnknown, 0
	case !fresh:
		return tsFirst, 0
	}
	if d := int32(r.tsval - s.TSVal); d > tsWindow {
		return tsBackward, uint32(d)
	}
	return tsForward, 0
}

func (t *Trace) synAck(f flow, s *evidence.Segment) {
	r := t.live[f]
	if r == nil || r.seq+1 != s.AckSeq {
		// An answer whose addresses are translated on the way still acknowledges the client's number and echoes its timestamp.
		if r = t.bySeq[s.AckSeq-1]; r == nil || !r.echoedBy(s) {
			return
		}
	}
	if r.outcome != pending {
		return
	}
	t.Answers++
	r.outcome = answered
	if r.order == tsBackward {
		switch r.lastOrder {
		case tsFirst:
			r.outcome, r.late = unanswered, true
		case tsForward:
			r.outcome = caughtUp
		}
	}
	if r.order == tsBare && r.lastOrder != tsBare {
		r.outcome, r.late = unanswered, true
	}
	if r.timestamps {
		t.remember(r.flow, r.lastTSVal, s.Time)
	}
}

// echoedBy reports whether an answer has the request's timestamp or, as the request, none.
func (r *request) echoedBy(s *evidence.Segment) bool {
	return r.timestamps == s.Timestamps && (!r.timestamps || s.TSEcr == r.lastTSVal || s.TSEcr == r.tsval)
}

// remember writes a record as tcp_remember_stamp() does: the kernel does so when the connection closes, and only if the
// server closes first. Both cannot be seen in every capture, so every connection is taken for one that left a record.
func (t *Trace) remember(f flow, tsval uint32, at time.Time) {
	key := ends{f.src.Addr(), f.dst.Addr()}
	r, ok := t.records[key]
	if !ok || int32(r.tsval-tsval) <= 0 || at.Unix()-r.second > recordLife {
		t.records[key] = record{tsval, at.Unix()}
	}
}

// client takes any other segment, which tells something if it is the client's of a request.
func (t *Trace) client(f flow, s *evidence.Segment) {
	r := t.live[f]
	if r == nil || !s.ACK {
		return
	}
	switch r.outcome {
	case pending:
		// The client acknowledges something: it was answered, where this capture could not see it.
		r.outcome = outOfSight
	case answered:
		t.listener(r).followed = true
		if s.FIN && s.Timestamps {
			t.remember(f, s.TSVal, s.Time)
		}
	}
	if s.FIN || s.RST {
		delete(t.live, f)
	}
}

// settle gives a request that is pending its outcome: nobody answered.
func (t *Trace) settle(r *request) {
	if r.outcome == pending {
		r.outcome = unanswered
		if r.tries == 1 && t.now.Sub(r.at) < watched {
			r.outcome = undecided
		}
	}
}

// sweep ends what is over and forgets what no longer counts.
func (t *Trace) sweep() {
	t.swept = t.now
	for f, r := range t.live {
		if t.now.Sub(r.lastAt) > quiet {
			t.settle(r)
			delete(t.live, f)
		}
	}
	for e, r := range t.records {
		if t.now.Unix()-r.second > recordLife {
			delete(t.records, e)
		}
	}
	t.count()
}

// count takes the requests whose outcome is known, up to the first that is still open.
func (t *Trace) count() {
	n := 0
	for _, r := range t.queue {
		if r.outcome == pending {
			break
		}
		n++
		if t.bySeq[r.seq] == r {
			delete(t.bySeq, r.seq)
		}
		if r.outcome == unanswered || r.outcome == outOfSight {
			t.Silent++
		}
		t.listener(r).count(r)
	}
	t.queue = t.queue[n:]
}

// End settles what is left when the capture is over.
func (t *Trace) End() {
	for _, r := range t.queue {
		t.settle(r)
	}
	t.count()
}

func (t *Trace) listener(r *request) *Listener {
	l := t.Listeners[r.dst]
	if l == nil {
		l = &Listener{Sources: map[netip.Addr]*Source{}}
		t.Listeners[r.dst] = l
	}
	return l
}
