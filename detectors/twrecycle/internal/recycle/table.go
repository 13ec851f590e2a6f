package recycle

import "fmt"

const (
	// maxTable is the most lines of requests that a finding quotes.
	maxTable = 12
	// maxAlike is how many requests in a row are quoted one by one where they are alike; the others are counted.
	maxAlike = 3
)

// requestTable quotes the requests of one source to one listener, one a line as they came, from the last request before the first
// that was dropped.
type requestTable struct {
	lines  []string
	before string
	// alike counts the requests of the row that goes on, of which last is the latest.
	alike int
	last  *request
}

func (t *requestTable) add(r *request) {
	drop := (r.order == tsBackward || r.order == tsBare) && r.outcome == unanswered
	if t.last != nil && t.last.order == r.order && t.last.outcome == r.outcome {
		t.alike++
	} else {
		t.endRow()
		t.alike = 1
	}
	t.last = r
	switch {
	case len(t.lines) == 0 && !drop:
		t.before = requestText(r)
	case len(t.lines) == 0:
		if t.before != "" {
			t.lines = append(t.lines, t.before)
		}
		t.lines = append(t.lines, requestText(r))
	case t.alike <= maxAlike:
		t.append(requestText(r))
	}
}

// endRow says how many of a row were not quoted.
func (t *requestTable) endRow() {
	if more := t.alike - maxAlike; more > 0 && len(t.lines) > 0 {
		t.append(fmt.Sprintf("and %d more like it", more))
	}
	t.alike = 0
}

func (t *requestTable) append(line string) {
	if len(t.lines) < maxTable {
		t.lines = append(t.lines, line)
	}
}

// requestText is the line of one request.
func requestText(r *request) string {
	text := fmt.Sprintf("%s port %d to %s, ", r.at.UTC().Format("15:04:05.000"), r.src.Port(), r.dst)
	switch {
	case r.order == tsUnknown || r.order == tsBare:
		text += "no TSval"
	case r.order == tsBackward:
		text += fmt.Sprintf("TSval %d (older by %d)", r.tsval, r.behind)
	default:
		text += fmt.Sprintf("TSval %d", r.tsval)
	}
	switch r.outcome {
	case answered:
		text += ": answered"
	case caughtUp:
		text += ": answered when its timestamp was newer"
	case outOfSight:
		text += ": answered, on another way"
	case refused:
		text += ": refused"
	case undecided:
		text += ": not answered when the capture ended"
	default:
		text += ": unanswered"
	}
	if r.tries > 1 {
		text += fmt.Sprintf(", tried %d times in %.0f s", r.tries, r.lastAt.Sub(r.at).Seconds())
	}
	if r.late {
		text += ", until the newer timestamp was forgotten"
	}
	return text
}

// Table returns a line for each request of the source, in their order, from the one before the first that was dropped: at
// most 12, with rows of like requests counted.
func (s *Source) Table() []string {
	s.table.endRow()
	return s.table.lines
}
