package rekey

import (
	"net/netip"
	"strconv"
	"strings"
)

// Text re-keys text that was made of the bundle, such as a finding's summary or a command's arguments: addresses with and
// without a length, link addresses, names of nodes and pods, and what else the bundle calls by a name of its own. Only whole
// words are names: letters, digits and "_" do not adjoin them; a node's name may also stand between "-" and "." ("pod-n1").
//
// The text of a report on the new bundle is that of the old one's report, re-keyed, where three things hold: the report does
// not cut a name in two; no node is called like a word that reports use ("node", "pod"); and it names no address that
// is neither in the bundle nor the edge of a network in it.
func (n *Names) Text(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && inRun[s[end]] {
			end++
		}
		if end == i {
			out.WriteByte(s[i])
			i++
			continue
		}
		if to, used := n.withSlashes(s[i:]); used > 0 {
			out.WriteString(to)
			i += used
			continue
		}
		run, rest := s[i:end], s[end:]
		if rewrite := freeText(run); rewrite != nil {
			value, used := quotedValue(rest)
			out.WriteString(run)
			out.WriteString(value.before)
			if value.text != "" {
				out.WriteString(rewrite(n, value.text))
			}
			out.WriteString(value.after)
			i = end + used
			continue
		}
		i = end + n.run(&out, run, rest)
	}
	return out.String()
}

// withSlashes re-keys a name with slashes in it at the beginning of s, such as kube-proxy's nftables mode gives to the chain of a Service;
// used is 0 if there is none.
func (n *Names) withSlashes(s string) (to string, used int) {
	end := 0
	for end < len(s) && (inRun[s[end]] || s[end] == '/' || s[end] == '_') {
		end++
	}
	name := strings.TrimRight(s[:end], ".:-")
	if !strings.Contains(name, "/") {
		return "", 0
	}
	to, ok := n.words[name]
	if !ok {
		return "", 0
	}
	return to, len(name)
}

// inRun marks the bytes of which names and addresses consist.
var inRun = func() (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c)) || strings.ContainsRune("._-:", rune(c)) && c < 0x80
	}
	return t
}()

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// run re-keys a run of such bytes, with the length of a network that may follow it in rest, of which it returns how much it
// used.
func (n *Names) run(out *strings.Builder, run, rest string) (used int) {
	for run != "" {
		if text, length, mask := n.address(run, rest); length > 0 {
			out.WriteString(text)
			run = run[length:]
			if run == "" {
				return mask
			}
			continue
		}
		if c := run[0]; c == ':' || c == '-' || c == '.' {
			out.WriteByte(c)
			run = run[1:]
			continue
		}
		word, _, _ := strings.Cut(run, ":")
		word = n.beforeAddress(word)
		out.WriteString(n.inText(word))
		run = run[len(word):]
	}
	return 0
}

// beforeAddress returns what of word stands before an IPv4 address in it, as in a range or "ip-10.0.0.1".
func (n *Names) beforeAddress(word string) string {
	if _, ok := n.whole(word); ok {
		return word
	}
	for i := 1; i < len(word); i++ {
		if word[i-1] == '-' && word[i] >= '0' && word[i] <= '9' {
			if _, length, _ := n.address(word[i:], ""); length > 0 {
				return word[:i]
			}
		}
	}
	return word
}

// maxAddress is more than the longest text of an address has, with what may be behind it in a sentence.
const maxAddress = 64

// address re-keys the address at the beginning of run. mask is how many bytes of rest belong to it, if it goes on to the
// end of run: the length or the mask of its network.
func (n *Names) address(run, rest string) (text string, length, mask int) {
	end := 0
	for end < len(run) && end < maxAddress && (isHex(run[end]) || run[end] == ':' || run[end] == '.') {
		end++
	}
	if end == len(run) || !isAlnum(run[end]) && run[end] != '_' {
		whole := strings.TrimRight(run[:end], ".")
		if strings.HasSuffix(whole, ":") && !strings.HasSuffix(whole, "::") {
			whole = whole[:len(whole)-1]
		}
		if text, ok := n.macText(whole); ok {
			return text, len(whole), 0
		}
		if a, err := netip.ParseAddr(whole); err == nil && a.Is6() {
			return n.withLength(a, whole, run, rest)
		}
	}
	end = 0
	for end < len(run) && end < maxAddress && (run[end] >= '0' && run[end] <= '9' || run[end] == '.') {
		end++
	}
	if end < len(run) && (isAlnum(run[end]) || run[end] == '_') {
		return "", 0, 0
	}
	whole := strings.TrimRight(run[:end], ".")
	if a, err := netip.ParseAddr(whole); err == nil {
		return n.withLength(a, whole, run, rest)
	}
	return "", 0, 0
}

// withLength re-keys an address that stands at the beginning of run as whole.
func (n *Names) withLength(a netip.Addr, whole, run, rest string) (text string, length, mask int) {
	if len(whole) == len(run) {
		if bits, used := lengthIn(rest, a.BitLen()); used > 0 {
			to := n.prefix(netip.PrefixFrom(a, bits))
			return to.Addr().String() + rest[:used], len(whole), used
		}
	}
	return n.addr(a).String(), len(whole), 0
}

// lengthIn reads "/24" or "/255.255.255.0" at the beginning of s. A mask with holes counts as the whole length.
func lengthIn(s string, most int) (bits, used int) {
	if !strings.HasPrefix(s, "/") {
		return 0, 0
	}
	end := 1
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.') {
		end++
	}
	if end < len(s) && (isAlnum(s[end]) || s[end] == '_') {
		return 0, 0
	}
	text := strings.TrimRight(s[1:end], ".")
	if m, err := netip.ParseAddr(text); err == nil && m.Is4() && most == 32 {
		bits = commonBits(m, netip.AddrFrom4([4]byte{0xff, 0xff, 0xff, 0xff}))
		if first(netip.AddrFrom4([4]byte{0xff, 0xff, 0xff, 0xff}), bits) != m {
			bits = most
		}
		return bits, 1 + len(text)
	}
	bits, err := strconv.Atoi(text)
	if err != nil || bits > most {
		return 0, 0
	}
	return bits, 1 + len(text)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// inText re-keys a word without colons.
func (n *Names) inText(word string) string {
	if to, ok := n.whole(word); ok {
		return to
	}
	if trimmed := strings.TrimRight(word, ".-"); trimmed != word {
		if to, ok := n.whole(trimmed); ok {
			return to + word[len(trimmed):]
		}
	}
	return n.segments(word)
}

// whole re-keys a word that is a name as a whole.
func (n *Names) whole(word string) (string, bool) {
	if to, ok := n.nodes[word]; ok {
		return to, true
	}
	if to, ok := n.words[word]; ok {
		return to, true
	}
	if to, ok := n.captures[word]; ok {
		return to, true
	}
	if to, ok := n.hashed(word); ok {
		return to, true
	}
	return n.ifaceByMAC(word)
}

// value is what an option is given: before and after are the space and the quotes around it.
type value struct{ before, text, after string }

// quotedValue reads a space and a word, which may be quoted as iptables-save does it, at the beginning of s.
func quotedValue(s string) (v value, used int) {
	if !strings.HasPrefix(s, " ") {
		return value{}, 0
	}
	if !strings.HasPrefix(s, ` "`) {
		end := 1
		for end < len(s) && s[end] > ' ' {
			end++
		}
		return value{before: " ", text: s[1:end]}, end
	}
	for end := 2; end < len(s); end++ {
		switch s[end] {
		case '\\':
			end++
		case '"':
			return value{before: ` "`, text: s[2:end], after: `"`}, end + 1
		}
	}
	return value{before: ` "`, text: s[2:]}, len(s)
}
