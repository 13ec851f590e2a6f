package recycle

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// The rule by which a listener's counts show that SYNs are dropped for their timestamps.
const (
	// minBackward is how many backward requests (or bare ones: the rule is the same for both) must have stayed unanswered.
	minBackward = 3
	// forwardLoss is the part of the forward requests that may stay unanswered, for other reasons: one in 20.
	forwardLoss = 20
	// Where some backward requests were answered, as they are when the client closes first, there must be minMixed that were
	// not, and chance must explain it with a probability of mixedChance at most. Between that and openChance, nothing is
	// decided.
	minMixed    = 10
	mixedChance = 1e-6
	openChance  = 0.01
)

// Count is how many requests of a kind were answered and how many were not.
type Count struct{ Answered, Unanswered int }

// Total is how many there were.
func (c Count) Total() int { return c.Answered + c.Unanswered }

// add counts a request; only the two outcomes that say something of the listener count.
func (c *Count) add(o outcome) {
	switch o {
	case answered:
		c.Answered++
	case unanswered:
		c.Unanswered++
	}
}

func (c *Count) addAll(o Count) {
	c.Answered += o.Answered
	c.Unanswered += o.Unanswered
}

// Held counts requests of one kind against which the kernel would hold a record.
type Held struct {
	Count
	// Repeated counts those that stayed unanswered though they were repeated.
	Repeated int
	// Switches counts the times that a forward request was answered after one of these was not.
	Switches int
	// returned counts those that stayed unanswered after such a switch.
	returned int
	// dropped says that the last request that tells was one of these, and unanswered.
	dropped bool
}

func (h *Held) add(r *request) {
	h.Count.add(r.outcome)
	if r.outcome != unanswered {
		return
	}
	h.dropped = true
	if r.tries > 1 {
		h.Repeated++
	}
	if h.Switches > 0 {
		h.returned++
	}
}

// passed notes that a forward request was answered.
func (h *Held) passed() {
	if h.dropped {
		h.dropped = false
		h.Switches++
	}
}

func (h *Held) addAll(o Held) {
	h.Count.addAll(o.Count)
	h.Repeated += o.Repeated
	h.Switches += o.Switches
	h.returned += o.returned
}

// Tally counts the requests of one source to one listener, or of all.
type Tally struct {
	First, Forward, NoTS Count
	// Backward have a timestamp that is older than the record of their source, and Bare have none though there is a record.
	Backward, Bare Held
	// Begin and End are the times of the first and the last request.
	Begin, End time.Time
}

// Held returns those of the kind.
func (t *Tally) Held(k Kind) *Held {
	if k == Bare {
		return &t.Bare
	}
	return &t.Backward
}

func (t *Tally) addAll(o Tally) {
	t.First.addAll(o.First)
	t.Forward.addAll(o.Forward)
	t.NoTS.addAll(o.NoTS)
	t.Backward.addAll(o.Backward)
	t.Bare.addAll(o.Bare)
}

// Kind is a kind of requests that is dropped.
type Kind uint8

const (
	// Older have an older timestamp than the last of their source.
	Older Kind = iota
	// Bare have none, though the last of their source has.
	Bare
)

// Kinds are both, the one that every kernel drops first.
var Kinds = []Kind{Older, Bare}

// String says which requests are meant, after "SYNs".
func (k Kind) String() string {
	if k == Bare {
		return "without a timestamp"
	}
	return "with an older timestamp"
}

// Source is one client address at one listener.
type Source struct {
	Tally
	table requestTable
}

// Listener is one address and port that answers connections.
type Listener struct {
	// Sources are those that asked.
	Sources map[netip.Addr]*Source
	// followed says that the capture has a later segment of a client that was answered, so that a client without one was not.
	followed bool
}

// count takes a request whose outcome is known, in the order of the first tries.
func (l *Listener) count(r *request) {
	s := l.Sources[r.src.Addr()]
	if s == nil {
		s = &Source{Tally: Tally{Begin: r.at}}
		l.Sources[r.src.Addr()] = s
	}
	s.End = r.at
	switch r.order {
	case tsFirst:
		s.First.add(r.outcome)
	case tsUnknown:
		s.NoTS.add(r.outcome)
	case tsForward:
		s.Forward.add(r.outcome)
		if r.outcome == answered {
			s.Backward.passed()
			s.Bare.passed()
		}
	case tsBackward:
		s.Backward.add(r)
	case tsBare:
		s.Bare.add(r)
	}
	s.table.add(r)
}

// Sum is the tally of all sources: the kernel treats them alike.
func (l *Listener) Sum() Tally {
	var all Tally
	for _, s := range l.Sources {
		all.addAll(s.Tally)
	}
	return all
}

// Strength is what a listener's counts say.
type Strength uint8

const (
	// NoSign: no request of the kind stayed unanswered, or others stayed so just as well.
	NoSign Strength = iota
	// WeakSign: it may be this fault, but there is too little to tell.
	WeakSign
	// StrongSign: SYNs are dropped for their timestamps.
	StrongSign
)

// Judge applies the rule to requests of a kind; where that leaves it open, lack is what the capture lacks.
func (l *Listener) Judge(k Kind) (s Strength, lack string) {
	t := l.Sum()
	b, f := t.Held(k), t.Forward
	chance := chanceOf(b.Count, f)
	switch {
	case b.Unanswered == 0:
		return NoSign, ""
	case chance > openChance && (b.Answered > 0 || f.Unanswered >= minBackward):
		return NoSign, ""
	case b.Unanswered < minBackward:
		return WeakSign, fmt.Sprintf("want %d such requests", minBackward)
	case b.Switches == 0:
		return WeakSign, "want one with a newer timestamp that was answered after one of them"
	case f.Unanswered*forwardLoss > f.Total():
		return WeakSign, fmt.Sprintf("%d of %d with a newer timestamp stayed unanswered, too", f.Unanswered, f.Total())
	case b.Answered > 0 && (b.Unanswered < minMixed || chance > mixedChance):
		return WeakSign, fmt.Sprintf("%d of %d %s were answered", b.Answered, b.Total(), k)
	case b.Repeated == 0 && !l.followed && b.returned == 0:
		return WeakSign, "none was repeated, so that they may have been answered on another way"
	}
	return StrongSign, ""
}

// chanceOf is the probability that at least as many of the unanswered requests are backward (or bare) as there are, if answers have
// nothing to do with timestamps (Fisher's exact test, one-sided).
func chanceOf(backward, forward Count) float64 {
	all, n := backward.Total()+forward.Total(), backward.Total()
	lost := backward.Unanswered + forward.Unanswered
	var p float64
	for k := backward.Unanswered; k <= min(n, lost); k++ {
		p += math.Exp(logChoose(lost, k) + logChoose(all-lost, n-k) - logChoose(all, n))
	}
	return p
}

// logChoose is the logarithm of the number of ways to choose k of n; there is none for a k that n has not.
func logChoose(n, k int) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
