package recycle

import (
	"net/netip"
	"time"
)

// tsOrder is how the timestamp of a SYN stands to the newest one of its source.
type tsOrder uint8

const (
	// tsUnknown: the SYN has no timestamp, and nothing to be held against it; or the capture kept too little of it.
	tsUnknown tsOrder = iota
	// tsFirst: no connection of the source was answered within recordLife.
	tsFirst
	tsForward
	tsBackward
	// tsBare: the SYN has no timestamp, and its source has a connection that was answered within recordLife.
	tsBare
)

// outcome is what became of a request.
type outcome uint8

const (
	pending outcome = iota
	answered
	unanswered
	// outOfSight: no answer was captured, but the client went on as one does that was answered.
	outOfSight
	// caughtUp: answered at a later try, whose timestamp was newer by then. The first may have been lost as any packet.
	caughtUp
	// refused: nothing listens there.
	refused
	// undecided: the capture ended too early to tell.
	undecided
)

// flow is one direction of a connection.
type flow struct{ src, dst netip.AddrPort }

// request is one connection that a client asks for: a SYN and its repetitions, which have its ports and its sequence number.
type request struct {
	flow
	seq    uint32
	at     time.Time
	order  tsOrder
	tsval  uint32
	behind uint32
	// The last try.
	lastAt    time.Time
	lastOrder tsOrder
	lastTSVal uint32
	tries     int
	outcome   outcome
	// timestamps says that the SYN has any.
	timestamps bool
	// late says that a backward or bare request was answered at last, when no timestamp was held against it any more.
	late bool
}

// record is what the kernel would remember of a source address: the newest timestamp and the second of its arrival.
type record struct {
	tsval  uint32
	second int64
}

// ends are a client's and a listener's address. Kernels from el7's 3.10 on have a record for each pair of them.
type ends struct{ client, listener netip.Addr }
