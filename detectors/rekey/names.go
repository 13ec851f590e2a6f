package rekey

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

// Names knows what everything in one bundle is called in the new one. It is not changed once Bundle has returned it, and may
// then be used by several goroutines at once.
type Names struct {
	key Key
	// by is how far points in time are moved.
	by time.Duration
	// collecting is true while the bundle is read for the first time: then every name is noted, and is its own.
	collecting bool
	// frozen is true once the new bundle is written.
	frozen bool

	v4, v6 *space
	macs   map[evidence.MAC]evidence.MAC
	// full are the whole IPv6 addresses of the bundle, ends what becomes of the last three bytes of one.
	full map[netip.Addr]bool
	ends map[[3]byte][3]byte
	// nodes are the names of nodes, longest their greatest length.
	nodes   map[string]string
	longest int
	// words are other names that the bundle has, such as those of its own chains.
	words map[string]string
	// links are the names of the bundle's interfaces.
	links map[string]bool
	// captures are the names of files in captures/.
	captures map[string]string
}

func newNames(key Key) *Names {
	n := &Names{
		key: key, collecting: true,
		macs: map[evidence.MAC]evidence.MAC{}, full: map[netip.Addr]bool{}, ends: map[[3]byte][3]byte{},
		nodes: map[string]string{}, words: map[string]string{}, links: map[string]bool{}, captures: map[string]string{},
	}
	n.v4, n.v6 = newIPv4(&n.key), newIPv6(&n.key)
	return n
}

// file notes what the path of a file says.
func (n *Names) file(f file) {
	if f.node != "" {
		n.Node(f.node)
	}
}

// path returns the new path of a file.
func (n *Names) path(f file) string {
	if f.node == "" {
		return f.path
	}
	rest := strings.TrimPrefix(f.path, "nodes/"+f.node+"/")
	if dir, name := path.Split(rest); dir != "" {
		rest = dir + n.captureName(name)
	}
	return evidence.NodeFile(n.Node(f.node), rest)
}

// settle chooses the new names once all old ones are known.
func (n *Names) settle() error {
	if err := n.v4.settle(); err != nil {
		return err
	}
	if err := n.v6.settle(); err != nil {
		return err
	}
	n.collecting = false
	n.settleMACs()
	n.settleNodes()
	return nil
}

// stems are what new names of nodes begin with, the first that cannot be mistaken for an old one.
var stems = []string{"node-", "machine-", "member-", "node", "machine"}

// settleNodes gives nodes names with numbers, in the order of the old names. A node that is named by its address keeps to
// be: its text cannot be told from the address.
func (n *Names) settleNodes() {
	var names []string
	for name := range maps.Keys(n.nodes) {
		n.longest = max(n.longest, len(name))
		if a, err := netip.ParseAddr(name); err == nil {
			n.nodes[name] = n.addr(a).String()
		} else {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	stem, digits := n.stem(len(names)), len(strconv.Itoa(len(names)))
	for i, name := range names {
		n.nodes[name] = fmt.Sprintf("%s%0*d", stem, digits, i+1)
	}
}

func (n *Names) stem(count int) string {
	clashes := func(stem string) bool {
		for _, part := range append(strings.FieldsFunc(stem, isSeparator), strings.TrimRightFunc(stem, isSeparator)) {
			if _, ok := n.nodes[part]; ok {
				return true
			}
		}
		for name := range n.nodes {
			if strings.HasPrefix(name, stem) {
				return true
			}
			// A name that is a number would be found again behind the stem.
			if number, err := strconv.Atoi(name); err == nil && number <= count && strings.HasSuffix(stem, "-") {
				return true
			}
		}
		return false
	}
	for _, stem := range stems {
		if !clashes(stem) {
			return stem
		}
	}
	sum := n.key.sum("stem")
	return "n" + hex.EncodeToString(sum[:5]) + "x"
}

// Node returns the new name of a node; what is no node of the bundle keeps its name.
func (n *Names) Node(name string) string {
	if n.collecting {
		if evidence.CheckNodeName(name) != nil {
			return name
		}
		if a, err := netip.ParseAddr(name); err == nil {
			n.addr(a)
		}
		n.nodes[name] = ""
		return name
	}
	if to, ok := n.nodes[name]; ok {
		return to
	}
	return name
}

// end returns the new name of one end of a probe: a node, or the lab's host outside of the cluster.
func (n *Names) end(name string) string {
	if name == outside {
		return name
	}
	return n.Node(name)
}

const outside = "host"

// enough is how many hexadecimal digits tell the new names of one bundle apart.
const enough = 10

// draw returns a name for s of a kind, the same wherever it is asked for.
func (n *Names) draw(kind, s string) string {
	sum := n.key.sum("word", []byte(kind), []byte{0}, []byte(s))
	return kind + "-" + hex.EncodeToString(sum[:])[:enough]
}

// word returns the new name of something that is not known here, and remembers it for Text.
func (n *Names) word(kind, s string) string {
	if n.collecting || s == "" {
		return s
	}
	to, ok := n.words[s]
	if !ok {
		to = n.draw(kind, s)
		n.remember(s, to)
	}
	return to
}

// remember makes Text call s to.
func (n *Names) remember(s, to string) {
	if !n.collecting && !n.frozen {
		n.words[s] = to
	}
}

// freeze ends all remembering.
func (n *Names) freeze() { n.frozen, n.v4.frozen, n.v6.frozen = true, true, true }

// labPod is the name of a pod that the project's labs have on every node.
var labPod = regexp.MustCompile(`^(pod|client|coredns)-(.+)$`)

// pod returns the new name of what a server says of itself, or of a pod's network namespace: an address, a node, a pod.
func (n *Names) pod(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return n.addr(a).String()
	}
	if n.collecting || s == "" || s == outside {
		return s
	}
	if to, ok := n.nodes[s]; ok {
		return to
	}
	if parts := labPod.FindStringSubmatch(s); parts != nil && n.nodes[parts[2]] != "" {
		return parts[1] + "-" + n.nodes[parts[2]]
	}
	return n.word("pod", s)
}

// byMAC is the name of an interface that udev calls by its link address (systemd.net-naming-scheme(7)).
var byMAC = regexp.MustCompile(`^(en|wl|ww)x([0-9a-f]{12})$`)

// iface returns the new name of an interface, which is the old one but for a node's name or a link address in it.
func (n *Names) iface(s string) string {
	if n.collecting {
		n.links[s] = true
	}
	if to, ok := n.ifaceByMAC(s); ok || n.collecting {
		return to
	}
	return n.segments(s)
}

func (n *Names) ifaceByMAC(s string) (string, bool) {
	parts := byMAC.FindStringSubmatch(s)
	if parts == nil {
		return s, false
	}
	number, err := strconv.ParseUint(parts[2], 16, 48)
	if err != nil {
		return s, false
	}
	return fmt.Sprintf("%sx%012x", parts[1], uint64(n.mac(evidence.MAC(number)))), true
}

func isSeparator(r rune) bool { return r == '-' || r == '.' || r == '_' }

// segments replaces the names of nodes in s that begin and end at its ends or at one of - . _ there, the longest first.
func (n *Names) segments(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		if i == 0 || isSeparator(rune(s[i-1])) {
			if to, length := n.nodeAt(s[i:]); length > 0 {
				out.WriteString(to)
				i += length
				continue
			}
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String()
}

// nodeAt returns the new name of the node whose name s begins with, and the length of the old one.
func (n *Names) nodeAt(s string) (to string, length int) {
	for length = min(len(s), n.longest); length > 0; length-- {
		if length < len(s) && !isSeparator(rune(s[length])) {
			continue
		}
		if to, ok := n.nodes[s[:length]]; ok {
			return to, length
		}
	}
	return "", 0
}

// nameCaptures chooses the new names of captures: those called by an interface keep to be, the others get numbers.
func (n *Names) nameCaptures(files []file) {
	number := 0
	for _, f := range files {
		name := path.Base(f.path)
		if path.Base(path.Dir(f.path)) != capturesDir || n.captures[name] != "" {
			continue
		}
		stem, rest, _ := strings.Cut(name, ".pcap")
		if n.links[stem] && (rest == "" || rest == "ng") {
			n.captures[name] = n.iface(stem) + ".pcap" + rest
			continue
		}
		number++
		n.captures[name] = fmt.Sprintf("capture-%d.pcap", number)
	}
}

func (n *Names) captureName(name string) string {
	if to, ok := n.captures[name]; ok {
		return to
	}
	return name
}
