package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxEntry is the most bytes that one entry of an array, or a file that is not an array, may take. The largest in life, a
// Kubernetes Node with its list of images, stays below 100 KiB.
const maxEntry = 1 << 20

var (
	errEmpty    = errors.New("the file is empty, as a failed command leaves it")
	errTooLong  = fmt.Errorf("an entry is longer than %d bytes", maxEntry)
	errShort    = errors.New("cut short: the file ends in the middle of the JSON")
	errText     = errors.New("text, not JSON, as `ip -j` of Linux 4.14 to 4.16 prints it: see docs/EVIDENCE.md, Old nodes")
	errTrailing = errors.New("something follows the end of the JSON value")
)

// decoder reads one JSON file strictly (RFC 8259 in UTF-8, no duplicate names, at most 10,000 levels) in bounded memory.
type decoder struct {
	*jsontext.Decoder
	limit limitReader
	// at is the place of the element that array has come to.
	at Pos
	// original is the place in the file of one in what the decoder reads, nil if that is the file itself.
	original func(Pos) Pos
}

// limitReader fails with errTooLong when more than left bytes are read before left is raised again.
type limitReader struct {
	r    io.Reader
	left int
}

func (l *limitReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// decode opens file, hands read a decoder at its start and checks that read left nothing but white space.
func (b *Bundle) decode(file string, read func(*decoder) error) error {
	f, err := b.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	d := &decoder{limit: limitReader{r: f, left: maxEntry}}
	if path.Base(file) == RouteFile {
		old := newOldRoutes(f)
		d.limit.r, d.original = old, old.original
	}
	d.Decoder = jsontext.NewDecoder(&d.limit)
	switch d.PeekKind() {
	case '0':
		return fileError(file, errText) // "1: lo: …"
	case jsontext.KindInvalid:
		if _, err := d.ReadToken(); err == io.EOF {
			return fileError(file, errEmpty)
		} else if err != nil && isText(d.UnreadBuffer()) {
			return fileError(file, errText)
		}
	}
	if err := read(d); errors.Is(err, errTooLong) {
		return fileError(file, errTooLong)
	} else if err != nil {
		return fileError(file, readable(err))
	}
	return fileError(file, d.end())
}

// isText reports whether something begins as a line of `ip` does without -j: with a word or an address.
func isText(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return wordOrAddress.Match(b) && !bytes.HasPrefix(b, []byte("null"))
}

var wordOrAddress = regexp.MustCompile(`^[a-z0-9]`)

// end returns an error unless the file ends here.
func (d *decoder) end() error {
	d.limit.left = maxEntry
	switch _, err := d.ReadToken(); err {
	case io.EOF:
		return nil
	case nil:
		return errTrailing
	default:
		return readable(err)
	}
}

// readable shortens the errors of the JSON packages to what a reader of a report needs.
func readable(err error) error {
	switch {
	case errors.Is(err, errTooLong):
		return errTooLong
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errShort
	}
	if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("not JSON: %w", err)
	}
	return err
}

// array calls each before every element of the array that comes next; each must read exactly that element.
func (d *decoder) array(each func() error) error {
	if err := d.begin('['); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		d.limit.left = maxEntry
		d.at = d.place()
		if err := each(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// place returns the place of the value that PeekKind has seen: behind the white space and the comma before it.
func (d *decoder) place() Pos {
	before := 0
	for _, c := range d.UnreadBuffer() {
		if !strings.ContainsRune(" \t\r\n,", rune(c)) {
			break
		}
		before++
	}
	at := Pos(d.InputOffset() + int64(before) + 1)
	if d.original != nil {
		return d.original(at)
	}
	return at
}

// arrayIn calls each as array does, for the member with that name of the object that comes next, which command prints. The
// rest of the object may take no more than maxEntry bytes between two elements.
func (d *decoder) arrayIn(name, command string, each func() error) error {
	if err := d.begin('{'); err != nil {
		return err
	}
	found := false
	for d.PeekKind() != '}' {
		member, err := d.ReadToken()
		if err != nil {
			return err
		}
		if member.String() != name {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		found = true
		if err := d.array(each); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no %q: want the output of %s", name, command)
	}
	_, err := d.ReadToken()
	return err
}

// begin reads the token that opens an array or an object.
func (d *decoder) begin(want jsontext.Kind) error {
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != want {
		return fmt.Errorf("want %s, found %s", kindName(want), kindName(t.Kind()))
	}
	return nil
}

// value reads the next value into v; fields that v does not have are passed over.
func (d *decoder) value(v any) error {
	return json.UnmarshalDecode(d.Decoder, v)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '[':
		return "an array"
	case '{':
		return "an object"
	case '"':
		return "a string"
	case '0':
		return "a number"
	default:
		return strings.ToLower(k.String())
	}
}

// errStop ends the reading of a file whose reader has seen enough.
var errStop = errors.New("stop")

// entries yields the elements of the array in file, each as a T that check accepts, which is told its place and may put that
// down; a failure is yielded last.
func entries[T any](b *Bundle, file string, check func(*T, Pos) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := b.decode(file, func(d *decoder) error {
			return d.array(func() error {
				var v T
				if err := d.value(&v); err != nil {
					return err
				}
				if err := check(&v, d.at); err != nil {
					return err
				}
				if !yield(v, nil) {
					return errStop
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStop) {
			var none T
			yield(none, err)
		}
	}
}
