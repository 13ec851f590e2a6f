package kstate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Offloads are read and set by ethtool's netlink family (Documentation/networking/ethtool-netlink.rst, Linux 5.7), which
// lists those of all links at once. The ioctl before it wants the address of a buffer that Go may move meanwhile.

// ethtoolVersion is the family's (ETHTOOL_GENL_VERSION, linux/ethtool_netlink.h).
const ethtoolVersion = 1

// ethtoolFamily returns the number that this kernel has given the family.
func ethtoolFamily() (int, error) {
	family, err := netlink.GenlFamilyGet("ethtool")
	if errors.Is(err, unix.ENOENT) {
		return 0, errors.New("offloads: this kernel has no ethtool by netlink; Linux 5.7 has")
	}
	if err != nil {
		return 0, fmt.Errorf("offloads: family ethtool: %w", err)
	}
	return int(family.ID), nil
}

// readOffloads returns, by link, the offloads that are asked for, in the words of ethtool -k and separated by spaces. What
// becomes of them depends on each other and on the driver, and is not compared.
func readOffloads() (map[string]string, error) {
	family, err := ethtoolFamily()
	if err != nil {
		return nil, err
	}
	msgs, err := rtnl.Dump(unix.NETLINK_GENERIC, family, uint16(family),
		&nl.Genlmsg{Command: unix.ETHTOOL_MSG_FEATURES_GET, Version: ethtoolVersion},
		nl.NewRtAttr(unix.ETHTOOL_A_FEATURES_HEADER|unix.NLA_F_NESTED, nil))
	if err != nil {
		return nil, fmt.Errorf("offloads: %w", err)
	}
	offloads := make(map[string]string, len(msgs))
	for _, m := range msgs {
		link, on, err := requestedFeatures(m)
		if err != nil {
			return nil, fmt.Errorf("offloads: %w", err)
		}
		offloads[link] = strings.Join(on, " ")
	}
	return offloads, nil
}

// requestedFeatures reads one answer: the features that can be changed and are asked for, sorted.
func requestedFeatures(msg []byte) (link string, on []string, err error) {
	attrs, err := rtnl.Body(msg, nl.SizeofGenlmsg)
	if err != nil {
		return "", nil, err
	}
	header, err := attrs.Nested(unix.ETHTOOL_A_FEATURES_HEADER)
	if err != nil {
		return "", nil, err
	}
	link = header.String(unix.ETHTOOL_A_HEADER_DEV_NAME)
	if link == "" {
		return "", nil, errors.New("an answer names no link")
	}
	changeable, err := bitNames(attrs[unix.ETHTOOL_A_FEATURES_HW])
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", link, err)
	}
	wanted, err := bitNames(attrs[unix.ETHTOOL_A_FEATURES_WANTED])
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", link, err)
	}
	for _, name := range wanted {
		if slices.Contains(changeable, name) {
			on = append(on, name)
		}
	}
	slices.Sort(on)
	return link, on, nil
}

// bitNames lists the names of the bits that are set in a bit set of the long form. One without a mask lists just those; one
// with a mask lists all bits of the mask.
func bitNames(bitset []byte) ([]string, error) {
	set, err := rtnl.Parse(bitset)
	if err != nil {
		return nil, err
	}
	bits, err := rtnl.List(set[unix.ETHTOOL_A_BITSET_BITS])
	if err != nil {
		return nil, err
	}
	var names []string
	for _, b := range bits {
		bit, err := rtnl.Parse(b.Value)
		if err != nil {
			return nil, err
		}
		if set.Has(unix.ETHTOOL_A_BITSET_NOMASK) || bit.Has(unix.ETHTOOL_A_BITSET_BIT_VALUE) {
			names = append(names, bit.String(unix.ETHTOOL_A_BITSET_BIT_NAME))
		}
	}
	return names, nil
}

// diffOffloads leaves out links that only one of the two has, which are told by themselves.
func diffOffloads(want, got State) []Difference {
	var diffs []Difference
	for _, l := range want.Links {
		w, ok := want.Offloads[l.Name]
		if !ok {
			continue // a state recorded by a netfault that did not look
		}
		g, ok := got.Offloads[l.Name]
		if ok && w != g {
			wantOnly, gotOnly := onlyIn(w, g), onlyIn(g, w)
			diffs = append(diffs, Difference{KindOffload, l.Name, signed("on ", wantOnly, "off ", gotOnly), signed("off ", wantOnly, "on ", gotOnly)})
		}
	}
	return diffs
}

func onlyIn(a, b string) []string {
	in := strings.Fields(b)
	return slices.DeleteFunc(strings.Fields(a), func(name string) bool { return slices.Contains(in, name) })
}

func signed(aSign string, a []string, bSign string, b []string) string {
	var parts []string
	for _, name := range a {
		parts = append(parts, aSign+name)
	}
	for _, name := range b {
		parts = append(parts, bSign+name)
	}
	return strings.Join(parts, ", ")
}

func (r *restorer) offloads() {
	for _, d := range diffOffloads(r.want, r.got) {
		r.failed(d.Kind, d.Object, setOffloads(d.Object, r.want.Offloads[d.Object], r.got.Offloads[d.Object]))
	}
}

// setOffloads switches on what only want has, and off what only got has.
func setOffloads(link, want, got string) error {
	family, err := ethtoolFamily()
	if err != nil {
		return err
	}
	header := nl.NewRtAttr(unix.ETHTOOL_A_FEATURES_HEADER|unix.NLA_F_NESTED, nil)
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_DEV_NAME, nl.ZeroTerminated(link))
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_FLAGS, nl.Uint32Attr(unix.ETHTOOL_FLAG_OMIT_REPLY))
	wanted := nl.NewRtAttr(unix.ETHTOOL_A_FEATURES_WANTED|unix.NLA_F_NESTED, nil)
	bits := wanted.AddRtAttr(unix.ETHTOOL_A_BITSET_BITS|unix.NLA_F_NESTED, nil)
	change := func(names []string, on bool) {
		for _, name := range names {
			bit := bits.AddRtAttr(unix.ETHTOOL_A_BITSET_BITS_BIT|unix.NLA_F_NESTED, nil)
			bit.AddRtAttr(unix.ETHTOOL_A_BITSET_BIT_NAME, nl.ZeroTerminated(name))
			if on {
				bit.AddRtAttr(unix.ETHTOOL_A_BITSET_BIT_VALUE, nil)
			}
		}
	}
	change(onlyIn(want, got), true)
	change(onlyIn(got, want), false)
	conn, err := rtnl.Dial(unix.NETLINK_GENERIC)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Change(family, 0,
		&nl.Genlmsg{Command: unix.ETHTOOL_MSG_FEATURES_SET, Version: ethtoolVersion}, header, wanted)
}
