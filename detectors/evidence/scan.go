package evidence

import (
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner reads an array of flat objects from JSON and hands out a few wanted members of each, in bounded memory and
// without allocating. It exists for neighbour and FDB files, of which a cluster of N nodes has N² rows: it is several
// times as fast as a general decoder (BenchmarkRows). It accepts what jsontext accepts (RFC 8259 in UTF-8, at most
// 10,000 levels), but for two things: every element must be an object, and only wanted names are checked for
// duplicates. FuzzScanner holds it to that.
type scanner struct {
	r   io.Reader
	eof bool
	// buf[pos:end] is read but not consumed, buf[end] is 0: a byte that is part of no JSON, so that loops end there.
	buf      []byte
	pos, end int
	// base is the offset in the file of buf[0].
	base int64
	// fault is set where the buffer holds something that is no JSON, as opposed to too little of it.
	fault error
	// unusual says that the string last passed over has an escape or is not all ASCII.
	unusual bool
}

// maxDepth is the most levels of objects and arrays.
const maxDepth = 10_000

// column is a wanted member of every object.
type column struct {
	// name is as it stands in the JSON, with its quotes.
	name string
	// raw asks for the JSON text of the value, whatever it is; otherwise the value must be a string or null.
	raw bool
	// value is what the member holds in the object last read, nil if it is absent or null. It is valid until the next.
	value []byte
	seen  bool
}

// scanRows calls each after every object of the array that is all of r, with its place and with the values in cols. It stops
// at the first error, which each may return too. It reads into buf, of at least two bytes, and where an entry does not fit
// into a larger one.
func scanRows(r io.Reader, buf []byte, cols []column, each func(at Pos) error) error {
	s := &scanner{r: r, buf: buf}
	c, err := s.peek()
	if err == io.EOF {
		return errEmpty
	}
	if err != nil {
		return err
	}
	if c != '[' && isText(s.buf[s.pos:s.end]) {
		return errText
	}
	if c != '[' {
		return s.unexpected(s.pos, "want an array")
	}
	s.pos++
	for first := true; ; first = false {
		if c, err = s.inside(); err != nil {
			return err
		}
		switch {
		case c == ']':
			s.pos++
			return s.finish()
		case first:
		case c == ',':
			s.pos++
			if c, err = s.inside(); err != nil {
				return err
			}
		default:
			return s.unexpected(s.pos, "want ',' or ']'")
		}
		if c != '{' {
			return s.unexpected(s.pos, "want an object")
		}
		at := Pos(s.base + int64(s.pos) + 1)
		if err := s.element(cols); err != nil {
			return err
		}
		if err := each(at); err != nil {
			return err
		}
	}
}

// finish returns an error unless only white space follows.
func (s *scanner) finish() error {
	switch _, err := s.peek(); err {
	case io.EOF:
		return nil
	case nil:
		return errTrailing
	default:
		return err
	}
}

// inside is peek where the file must not end.
func (s *scanner) inside() (byte, error) {
	c, err := s.peek()
	if err == io.EOF {
		err = errShort
	}
	return c, err
}

// peek passes over white space and returns the byte at pos, or io.EOF.
func (s *scanner) peek() (byte, error) {
	for {
		s.pos = s.space(s.pos)
		if s.pos < s.end {
			return s.buf[s.pos], nil
		}
		if s.eof {
			return 0, io.EOF
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// element reads the object at pos, from its start again each time that the buffer turned out to hold too little of it.
func (s *scanner) element(cols []column) error {
	for {
		if next := s.object(s.pos, cols); next != -1 {
			s.pos = next
			return nil
		}
		if s.fault != nil {
			return s.fault
		}
		if s.eof {
			return errShort
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// fill moves what is not consumed to the start of the buffer, doubles the buffer if that fills it, and reads until it is
// full or the file ends; so an entry is read anew only when the buffer has doubled.
func (s *scanner) fill() error {
	s.base += int64(s.pos)
	s.end = copy(s.buf, s.buf[s.pos:s.end])
	s.pos = 0
	if s.end == len(s.buf)-1 {
		if len(s.buf) >= maxEntry {
			return errTooLong
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := io.ReadFull(s.r, s.buf[s.end:len(s.buf)-1])
	s.end += n
	s.buf[s.end] = 0
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.eof, err = true, nil
	}
	return err
}

// The functions below read from index i of the buffer and return the index after what they read, or -1 with s.fault set,
// or -1 without it if the buffer ends too early.

// unexpected is the fault of finding the byte at i where something else must stand.
func (s *scanner) unexpected(i int, want string) error {
	return fmt.Errorf("not JSON of the expected form: %s, found %q at byte %d", want, s.buf[i], s.base+int64(i))
}

// refuse sets the fault, unless i is where the buffer ends.
func (s *scanner) refuse(i int, want string) int {
	if i < s.end {
		s.fault = s.unexpected(i, want)
	}
	return -1
}

func (s *scanner) space(i int) int {
	for s.buf[i] == ' ' || s.buf[i] == '\n' || s.buf[i] == '\r' || s.buf[i] == '\t' {
		i++
	}
	return i
}

// object reads the object whose brace is at i into cols.
func (s *scanner) object(i int, cols []column) int {
	for j := range cols {
		cols[j].value, cols[j].seen = nil, false
	}
	i = s.space(i + 1)
	if s.buf[i] == '}' {
		return i + 1
	}
	for likely := 0; ; likely++ {
		var col *column
		if i, col = s.name(i, cols, likely); i == -1 {
			return -1
		}
		if i = s.colon(i); i == -1 {
			return -1
		}
		value := i
		if i = s.value(value, 2); i == -1 {
			return -1
		}
		if col != nil && !s.take(col, value, i) {
			return -1
		}
		i = s.space(i)
		switch s.buf[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.refuse(i, "want ',' or '}'")
		}
	}
}

// name reads the name at i and returns its column too, nil if it is not wanted. The tools print members in one order, so
// that the column at likely is tried first.
func (s *scanner) name(i int, cols []column, likely int) (next int, found *column) {
	if likely < len(cols) && s.starts(i, cols[likely].name) {
		found, next = &cols[likely], i+len(cols[likely].name)
	} else {
		if next = s.str(i); next == -1 {
			return -1, nil
		}
		name := s.buf[i:next]
		if s.unusual {
			name, _ = jsontext.AppendUnquote([]byte{'"'}, name)
			name = append(name, '"')
		}
		for j := range cols {
			if string(name) == cols[j].name {
				found = &cols[j]
			}
		}
	}
	if found != nil {
		if found.seen {
			s.fault = fmt.Errorf("an entry has two members %s", found.name)
			return -1, nil
		}
		found.seen = true
	}
	return next, found
}

// starts reports whether text stands at i.
func (s *scanner) starts(i int, text string) bool {
	return len(text) <= s.end-i && string(s.buf[i:i+len(text)]) == text
}

// colon passes over the colon between a name and its value, and the white space around it.
func (s *scanner) colon(i int) int {
	i = s.space(i)
	if s.buf[i] != ':' {
		return s.refuse(i, "want ':'")
	}
	return s.space(i + 1)
}

// take puts the value between start and end into c.
func (s *scanner) take(c *column, start, end int) bool {
	text := s.buf[start:end]
	switch {
	case text[0] == 'n':
	case c.raw:
		c.value = text
	case text[0] != '"':
		s.fault = fmt.Errorf("%s: want a string, found %s", c.name, kindName(jsontext.Value(text).Kind()))
	case s.unusual:
		c.value, s.fault = jsontext.AppendUnquote(nil, text)
	default:
		c.value = text[1 : len(text)-1]
	}
	return s.fault == nil
}

// value passes over any value; depth counts the objects and arrays around it.
func (s *scanner) value(i, depth int) int {
	switch c := s.buf[i]; c {
	case '"':
		return s.str(i)
	case '{', '[':
		if depth >= maxDepth {
			s.fault = fmt.Errorf("nested deeper than %d levels", maxDepth)
			return -1
		}
		return s.nested(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

// nested passes over the object or array at i.
func (s *scanner) nested(i, depth int) int {
	object := s.buf[i] == '{'
	closing := s.buf[i] + 2 // in ASCII, '}' and ']' are two after '{' and '['
	i = s.space(i + 1)
	if s.buf[i] == closing {
		return i + 1
	}
	for {
		if object {
			if i = s.str(i); i == -1 {
				return -1
			}
			if i = s.colon(i); i == -1 {
				return -1
			}
		}
		if i = s.value(i, depth); i == -1 {
			return -1
		}
		i = s.space(i)
		switch s.buf[i] {
		case ',':
			i = s.space(i + 1)
		case closing:
			return i + 1
		default:
			return s.refuse(i, "want ',' or the end of an object or array")
		}
	}
}

func (s *scanner) literal(i int, want string) int {
	for j := range len(want) {
		if s.buf[i+j] != want[j] {
			return s.refuse(i+j, "want "+want)
		}
	}
	return i + len(want)
}

// number passes over a number as RFC 8259 has it: no leading zeros, no sign '+', digits on both sides of the point.
func (s *scanner) number(i int) int {
	if s.buf[i] == '-' {
		i++
	}
	if s.buf[i] == '0' {
		i++
	} else if i = s.digits(i); i == -1 {
		return -1
	}
	if s.buf[i] == '.' {
		if i = s.digits(i + 1); i == -1 {
			return -1
		}
	}
	if s.buf[i] == 'e' || s.buf[i] == 'E' {
		i++
		if s.buf[i] == '+' || s.buf[i] == '-' {
			i++
		}
		if i = s.digits(i); i == -1 {
			return -1
		}
	}
	return i
}

func (s *scanner) digits(i int) int {
	start := i
	for s.buf[i] >= '0' && s.buf[i] <= '9' {
		i++
	}
	if i == start {
		return s.refuse(i, "want a value")
	}
	return i
}

// plain marks the bytes that stand for themselves in a string and are ASCII.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// allPlain reports whether plain holds for each of eight bytes. For each byte below 0x80 it finds out with the carry into
// its top bit whether it is below 0x20, and whether it differs by 0 from '"' or from '\\'.
func allPlain(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, escape := w^ones*'"', w^ones*'\\'
	return (w|(w-ones*0x20)|(quote-ones)|(escape-ones))&tops == 0
}

// str passes over the string at i.
func (s *scanner) str(i int) int {
	start := i
	if s.buf[i] != '"' {
		return s.refuse(i, "want a string")
	}
	s.unusual = false
	for i++; ; i++ {
		for i+8 <= s.end && allPlain(binary.LittleEndian.Uint64(s.buf[i:])) {
			i += 8
		}
		for plain[s.buf[i]] {
			i++
		}
		switch c := s.buf[i]; {
		case c == '"':
			i++
			if s.unusual && !validString(s.buf[start:i]) {
				s.fault = fmt.Errorf("not JSON: a string at byte %d has a wrong escape or is not UTF-8", s.base+int64(start))
				return -1
			}
			return i
		case c == '\\':
			s.unusual = true
			i++
			if i == s.end {
				return -1
			}
		case c >= utf8.RuneSelf:
			s.unusual = true
		default:
			return s.refuse(i, "want no control character in a string")
		}
	}
}

func validString(quoted []byte) bool {
	_, err := jsontext.AppendUnquote(nil, quoted)
	return err == nil
}
