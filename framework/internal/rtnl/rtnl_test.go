package rtnl_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A message that is taken apart and put together again is the same, padding and all.
func TestMessageOfItsOwnParts(t *testing.T) {
	attrs := []rtnl.Attr{{Type: 1, Value: []byte("abcde")}, {Type: 2, Value: []byte{}}, {Type: 3, Value: []byte{1, 2, 3, 4}}, {Type: 1, Value: []byte{7}}}
	header := []byte{9, 8, 7, 6, 5, 4} // is padded as well
	m := rtnl.Message(header, attrs)
	list, byType, err := rtnl.Split(m, len(header))
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b rtnl.Attr) bool { return a.Type == b.Type && bytes.Equal(a.Value, b.Value) }
	if !slices.EqualFunc(list, attrs, same) {
		t.Errorf("attributes %v, want %v", list, attrs)
	}
	if !bytes.Equal(byType[1], []byte{7}) || !byType.Has(2) || byType.Has(4) {
		t.Errorf("by type: %v", byType)
	}
	if again := rtnl.Message(m[:len(header)], list); !bytes.Equal(again, m) {
		t.Errorf("made again: %x, was %x", again, m)
	}
	if list, _, _ = rtnl.Split(rtnl.Message(header, attrs, 1, 3), len(header)); len(list) != 1 || list[0].Type != 2 {
		t.Errorf("without types 1 and 3: %v", list)
	}
}

func TestSplitMessageCutShort(t *testing.T) {
	m := rtnl.Message(make([]byte, 12), []rtnl.Attr{{Type: 1, Value: make([]byte, 8)}})
	for _, length := range []int{0, 11, 12 + 4, len(m) - 1} {
		if _, _, err := rtnl.Split(m[:length], 12); err == nil {
			t.Errorf("%d bytes of %d: no error", length, len(m))
		}
	}
	if _, err := rtnl.Nexthops([]byte{16, 0, 0, 0, 0, 0, 0, 0}); !errors.Is(err, unix.EBADMSG) {
		t.Errorf("a next hop longer than its list: error %v, want %v", err, unix.EBADMSG)
	}
}

// A route over two links is made again after both have got other numbers, from what the dump gave of it.
func TestRouteOverRenumberedLinks(t *testing.T) {
	scratchns.Enter(t)
	makeLinks(t, 100, 101)
	scratchns.Script(t, `ip route add 192.0.2.0/24 nexthop via 198.51.100.2 dev br0 nexthop via 203.0.113.2 dev br1`)
	message := multipath(t)
	scratchns.Script(t, "ip link del br0\nip link del br1")
	makeLinks(t, 205, 204)

	conn, err := rtnl.Dial(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	unknown := errors.New("unknown number")
	renumber := func(old int) (int, error) {
		if now, ok := map[int]int{100: 205, 101: 204}[old]; ok {
			return now, nil
		}
		return 0, unknown
	}
	if err := rtnl.Route.Add(conn, message, renumber); err != nil {
		t.Fatal(err)
	}
	if got := hopIndexes(t, multipath(t)); !slices.Equal(got, []int{205, 204}) {
		t.Errorf("next hops over the links %v, want [205 204]", got)
	}
	if err := rtnl.Route.Remove(conn, multipath(t)); err != nil {
		t.Error(err)
	}
	if err := rtnl.Route.Remove(conn, message); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if err := rtnl.Route.Add(conn, message, func(int) (int, error) { return 0, unknown }); !errors.Is(err, unknown) {
		t.Errorf("a link that nobody knows: error %v, want %v", err, unknown)
	}
}

// makeLinks makes br0 and br1 with the numbers told.
func makeLinks(t *testing.T, first, second int) {
	t.Helper()
	for name, index := range map[string]int{"br0": first, "br1": second} {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, Index: index}}); err != nil {
			t.Fatal(err)
		}
	}
	scratchns.Script(t, `
		ip addr add 198.51.100.1/24 dev br0
		ip addr add 203.0.113.1/24 dev br1
		ip link set br0 up
		ip link set br1 up`)
}

// multipath dumps the one route that has next hops.
func multipath(t *testing.T) []byte {
	t.Helper()
	msgs, err := rtnl.Routes(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range msgs {
		if list, a, err := rtnl.Split(m, unix.SizeofRtMsg); err != nil {
			t.Fatal(err)
		} else if a.Has(unix.RTA_MULTIPATH) {
			nl.DeserializeRtMsg(m).Flags = 0 // whether a link is up is told, not asked for
			return rtnl.Message(m[:unix.SizeofRtMsg], list)
		}
	}
	t.Fatal("there is no route with next hops")
	return nil
}

func hopIndexes(t *testing.T, message []byte) []int {
	t.Helper()
	a, err := rtnl.Body(message, unix.SizeofRtMsg)
	if err != nil {
		t.Fatal(err)
	}
	hops, err := rtnl.Nexthops(a[unix.RTA_MULTIPATH])
	if err != nil {
		t.Fatal(err)
	}
	var indexes []int
	for _, h := range hops {
		indexes = append(indexes, int(binary.NativeEndian.Uint32(h.Header[4:])))
	}
	return indexes
}
