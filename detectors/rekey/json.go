package rekey

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// shape says what of a JSON value is kept: exactly one of its fields is set. What has no shape is left out, and so is a value
// of another kind than its shape; null is kept.
type shape struct {
	// members are those of an object, by name.
	members map[string]shape
	// elements is the shape of every element of an array.
	elements *shape
	// text re-keys a string.
	text func(*Names, string) string
	// plain keeps numbers, true and false.
	plain bool
	// any re-keys whatever is there, each string by anyText.
	any bool
}

func list1(s shape) shape                            { return shape{elements: &s} }
func object(members map[string]shape) shape          { return shape{members: members} }
func text(rewrite func(*Names, string) string) shape { return shape{text: rewrite} }

var (
	number = shape{plain: true}
	// null is a member that says something by being there.
	null = shape{members: map[string]shape{}}
)

// rewriteJSON re-keys a file of one JSON value. Every value that is kept stays on its line.
func rewriteJSON(s shape) rewriter {
	return func(n *Names, data []byte) ([]byte, string, error) {
		r := &jsonRewriter{names: n, in: data, dec: jsontext.NewDecoder(bytes.NewReader(data))}
		if kind := r.dec.PeekKind(); kind != s.kind() {
			if kind == jsontext.KindInvalid {
				_, err := r.dec.ReadToken()
				return nil, "", jsonError(err)
			}
			return nil, "", fmt.Errorf("not what is expected: it begins with %s", kind)
		}
		if err := r.value(s); err != nil {
			return nil, "", jsonError(err)
		}
		if _, err := r.dec.ReadToken(); err != io.EOF {
			return nil, "", fmt.Errorf("something follows the end of the JSON value")
		}
		r.breaks(int64(len(data)))
		return r.out, "", nil
	}
}

func jsonError(err error) error {
	if err == io.EOF {
		return errEmpty
	}
	return fmt.Errorf("not JSON: %w", err)
}

func (s shape) kind() jsontext.Kind {
	switch {
	case s.members != nil:
		return '{'
	case s.elements != nil:
		return '['
	case s.text != nil:
		return '"'
	default:
		return '0'
	}
}

// takes reports whether a value of that kind has the shape.
func (s shape) takes(kind jsontext.Kind) bool {
	return s.any || kind == 'n' || kind == s.kind() || s.plain && (kind == 't' || kind == 'f')
}

type jsonRewriter struct {
	names *Names
	in    []byte
	dec   *jsontext.Decoder
	out   []byte
	// lengths are those of the networks whose addresses are members of the object being read, which stand beside them.
	lengths map[string]int
	// done is up to where the line breaks of in are in out.
	done int64
}

// breaks writes the line breaks of the input up to end.
func (r *jsonRewriter) breaks(end int64) {
	for range bytes.Count(r.in[r.done:end], []byte{'\n'}) {
		r.out = append(r.out, '\n')
	}
	r.done = end
}

// token reads the next token and writes the line breaks before it.
func (r *jsonRewriter) token() (jsontext.Token, error) {
	t, err := r.dec.ReadToken()
	if err == nil {
		r.breaks(r.dec.InputOffset())
	}
	return t, err
}

// value writes the next value, which has the shape s or is null.
func (r *jsonRewriter) value(s shape) error {
	switch r.dec.PeekKind() {
	case '{':
		if err := r.readLengths(); err != nil {
			return err
		}
		return r.object(s)
	case '[':
		if s.any {
			return r.array(s)
		}
		return r.array(*s.elements)
	case '"':
		t, err := r.token()
		if err != nil {
			return err
		}
		rewrite := s.text
		if rewrite == nil {
			rewrite = (*Names).keyword
		}
		r.out, err = jsontext.AppendQuote(r.out, rewrite(r.names, t.String()))
		return err
	}
	t, err := r.token()
	if err == nil {
		r.out = append(r.out, t.String()...)
	}
	return err
}

// lengthOf are the members that hold the length of the network whose address another member holds: in the JSON of
// `ip -j rule` and of nft.
var lengthOf = map[string]string{"src": "srclen", "dst": "dstlen", "addr": "len"}

// readLengths looks ahead for them in the object that comes next.
func (r *jsonRewriter) readLengths() error {
	r.lengths = nil
	if r.dec.StackDepth() > maxDepth {
		return nil
	}
	var members map[string]jsontext.Value
	start := r.dec.InputOffset()
	rest := bytes.TrimLeft(r.in[start:], " \t\r\n,:")
	ahead := jsontext.NewDecoder(bytes.NewReader(rest))
	if !bytes.Contains(rest[:min(len(rest), maxAhead)], []byte(`len"`)) {
		return nil
	}
	if err := json.UnmarshalDecode(ahead, &members); err != nil {
		return err
	}
	for address, length := range lengthOf {
		if bits, err := strconv.Atoi(string(members[length])); err == nil {
			if r.lengths == nil {
				r.lengths = map[string]int{}
			}
			r.lengths[address] = bits
		}
	}
	return nil
}

// maxDepth is how deep the JSON of tools is at most, so that looking ahead takes no time of note.
const maxDepth = 30

// maxAhead is how far behind the beginning of an object the length of a network stands.
const maxAhead = 512

// addressWithLength re-keys the address of a network whose length stands beside it.
func (n *Names) addressWithLength(s string, bits int) string {
	a, err := netip.ParseAddr(s)
	if err != nil || bits < 0 || bits > a.BitLen() {
		return n.addressText(s)
	}
	return n.prefix(netip.PrefixFrom(a, bits)).Addr().String()
}

func (r *jsonRewriter) object(o shape) error {
	lengths := r.lengths
	if _, err := r.token(); err != nil {
		return err
	}
	r.out = append(r.out, '{')
	any := false
	for r.dec.PeekKind() != '}' {
		// The name is read without its line breaks: where the member is left out, they come with the next value.
		name, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		at, key := r.dec.InputOffset(), name.String()
		s, ok := o.members[key]
		written := key
		if o.any {
			s, ok = shape{any: true, text: anyText(key)}, true
			written = r.names.nftMember(key)
		}
		if bits, found := lengths[key]; found && s.text != nil {
			s.text = func(n *Names, text string) string { return n.addressWithLength(text, bits) }
		}
		if !ok || !s.takes(r.dec.PeekKind()) {
			if err := r.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if any {
			r.out = append(r.out, ',')
		}
		any = true
		r.breaks(at)
		if r.out, err = jsontext.AppendQuote(r.out, written); err != nil {
			return err
		}
		r.out = append(r.out, ':')
		if err := r.value(s); err != nil {
			return err
		}
	}
	if _, err := r.token(); err != nil {
		return err
	}
	r.out = append(r.out, '}')
	return nil
}

func (r *jsonRewriter) array(s shape) error {
	if _, err := r.token(); err != nil {
		return err
	}
	r.out = append(r.out, '[')
	any := false
	for r.dec.PeekKind() != ']' {
		if !s.takes(r.dec.PeekKind()) {
			if err := r.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if any {
			r.out = append(r.out, ',')
		}
		any = true
		if err := r.value(s); err != nil {
			return err
		}
	}
	if _, err := r.token(); err != nil {
		return err
	}
	r.out = append(r.out, ']')
	return nil
}

// addressText re-keys an address or a network; something else becomes another word.
func (n *Names) addressText(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return n.prefix(p).String()
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return n.addr(a).String()
	}
	if to, ok := n.macText(s); ok {
		return to
	}
	return n.keyword(s)
}

// endpoint re-keys ADDRESS:PORT.
func (n *Names) endpoint(s string) string {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(n.addr(a.Addr()), a.Port()).String()
	}
	return n.addressText(s)
}

// named re-keys an address or a node's name.
func (n *Names) named(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return n.addressText(s)
	}
	if n.collecting {
		return s
	}
	if to, ok := n.nodes[s]; ok {
		return to
	}
	return n.word("name", s)
}

// tool keeps what netfault says of itself.
func (n *Names) tool(s string) string {
	if s == "by hand" || strings.HasPrefix(s, "netfault ") && known(strings.TrimPrefix(s, "netfault ")) {
		return s
	}
	return "netfault"
}

// standInOf is what netfault writes of a stand-in.
var standInOf = regexp.MustCompile(`^(a stand-in for flanneld v[0-9.]+|recorded rules for dockerd)$`)

func (n *Names) standIn(s string) string {
	if standInOf.MatchString(s) {
		return s
	}
	return "a stand-in"
}
