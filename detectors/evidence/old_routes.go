package evidence

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"slices"
)

// oldRoutes makes JSON of what `ip -j route` of old versions prints, and passes everything else on as it is:
//
//   - A route's type has no name, {"local","dst":…: iproute2 4.17 to 4.20 (ip/iproute.c: print_string without a key).
//   - The metrics of a route are text, "metrics":[1400 10 ], or have names in an array: iproute2 4.17 to 5.2 (print_rta_metrics in
//     ip/iproute.c). Nobody here reads them: they are left out.
type oldRoutes struct {
	in *bufio.Reader
	// out is what is to be given out next.
	out []byte
	// done is how much of the file is passed on or left out, and given how much was put into out.
	done, given int64
	// shifts say by how many bytes the output is ahead of the file, each from a place of the output on.
	shifts []shift
	// inString and escaped say where in a string the next byte is, and before is the last byte outside of strings.
	inString, escaped bool
	before            byte
}

type shift struct{ from, by int64 }

const (
	// longestType is the longest text of a type with its quotes and the comma: "unreachable", and its like.
	longestType = 16
	metricsName = `"metrics":[`
)

// OldRoutes gives out as JSON what any version of `ip -j route` prints.
func OldRoutes(r io.Reader) io.Reader { return newOldRoutes(r) }

func newOldRoutes(r io.Reader) *oldRoutes { return &oldRoutes{in: bufio.NewReader(r)} }

// original is the place in the file of what stands at a place of the output.
func (o *oldRoutes) original(at Pos) Pos {
	i, exact := slices.BinarySearchFunc(o.shifts, int64(at), func(s shift, at int64) int { return cmp.Compare(s.from, at) })
	if !exact {
		i--
	}
	if i < 0 {
		return at
	}
	return at - Pos(o.shifts[i].by)
}

// Read gives out what was made of the next piece of the file.
func (o *oldRoutes) Read(p []byte) (int, error) {
	for len(o.out) < len(p) && (len(o.out) == 0 || o.in.Buffered() > longestType) {
		if err := o.next(); err != nil {
			if len(o.out) == 0 {
				return 0, err
			}
			break // the error comes again
		}
	}
	n := copy(p, o.out)
	o.out = o.out[:copy(o.out, o.out[n:])]
	return n, nil
}

// next takes a byte, or what is to become something else.
func (o *oldRoutes) next() error {
	c, err := o.in.ReadByte()
	if err != nil {
		return err
	}
	switch {
	case o.inString:
		o.inString = c != '"' || o.escaped
		o.escaped = c == '\\' && !o.escaped
	case c == '"':
		o.inString = true
		if o.before == '{' && o.atNamelessType() {
			o.give([]byte(`"type":`)...)
			o.noteShift()
		} else if o.atOldMetrics() {
			return o.leaveMetricsOut()
		}
	}
	o.give(c)
	o.done++
	if !o.inString && c != ' ' && c != '\t' && c != '\r' && c != '\n' {
		o.before = c
	}
	return nil
}

// atNamelessType reports whether a short string that has begun ends, and a comma follows where a name must have its colon.
func (o *oldRoutes) atNamelessType() bool {
	text, _ := o.in.Peek(longestType) // at the end of the file there are fewer bytes
	_, after, ended := bytes.Cut(text, []byte{'"'})
	return ended && len(after) > 0 && after[0] == ','
}

// atOldMetrics reports whether the string that has begun is the name of metrics that are no objects.
func (o *oldRoutes) atOldMetrics() bool {
	text, err := o.in.Peek(len(metricsName)) // the first quote is taken already
	return err == nil && string(text[:len(text)-1]) == metricsName[1:] && text[len(text)-1] != '{'
}

// leaveMetricsOut passes empty metrics on, and leaves out all up to the bracket that closes them.
func (o *oldRoutes) leaveMetricsOut() error {
	o.inString, o.before = false, '['
	if _, err := o.in.Discard(len(metricsName) - 1); err != nil {
		return err
	}
	o.give([]byte(metricsName)...)
	o.done += int64(len(metricsName))
	for {
		next, err := o.in.Peek(1)
		if err != nil || next[0] == ']' {
			o.noteShift()
			return nil // an error comes again with the next byte
		}
		if _, err := o.in.Discard(1); err != nil {
			return err
		}
		o.done++
	}
}

func (o *oldRoutes) give(b ...byte) {
	o.out = append(o.out, b...)
	o.given += int64(len(b))
}

// noteShift notes that what is given from now on stands elsewhere than in the file.
func (o *oldRoutes) noteShift() {
	o.shifts = append(o.shifts, shift{from: o.given + 1, by: o.given - o.done})
}
