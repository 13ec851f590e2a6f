package collect

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// features writes ethtool.txt: what `ethtool -k` prints of each VXLAN link, of the links that these go out by, and of each
// bridge. It needs ethtool netlink, of Linux 5.6 and newer.
func features(w io.Writer, t *linkTable) error {
	devs, err := t.featureLinks()
	if err != nil {
		return err
	}
	family, err := netlink.GenlFamilyGet(unix.ETHTOOL_GENL_NAME)
	if err != nil {
		return fmt.Errorf("find ethtool in this kernel (it must be 5.6 or newer): %w", err)
	}
	out := bufio.NewWriter(w)
	for _, dev := range devs {
		list, err := readFeatures(family.ID, dev)
		if err != nil {
			return fmt.Errorf("features of link %s: %w", dev, err)
		}
		fmt.Fprintf(out, "Features for %s:\n", dev)
		writeFeatures(out, list)
	}
	if len(devs) == 0 {
		fmt.Fprintln(out, "# there is neither a VXLAN link nor a bridge")
	}
	return out.Flush()
}

// featureLinks returns the names of the links whose features are written, in the order of the kernel's list.
func (t *linkTable) featureLinks() ([]string, error) {
	rows, err := t.links()
	if err != nil {
		return nil, err
	}
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, l := range rows {
		if l.Info == nil {
			continue
		}
		switch l.Info.Kind {
		case "vxlan":
			add(l.Name)
			add(l.Info.Data.Link)
		case "bridge":
			add(l.Name)
		}
	}
	return names, nil
}

// feature is one of a link's, by the kernel's name.
type feature struct {
	name                             string
	changeable, wanted, on, noChange bool
}

// readFeatures asks the kernel for a link's features, in its order.
func readFeatures(family uint16, dev string) ([]feature, error) {
	req := nl.NewNetlinkRequest(int(family), 0)
	req.AddData(&nl.Genlmsg{Command: unix.ETHTOOL_MSG_FEATURES_GET, Version: 1})
	header := nl.NewRtAttr(unix.ETHTOOL_A_FEATURES_HEADER|unix.NLA_F_NESTED, nil)
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_DEV_NAME, nl.ZeroTerminated(dev))
	req.AddData(header)
	msgs, err := req.Execute(unix.NETLINK_GENERIC, family)
	if err != nil {
		return nil, err
	}
	if len(msgs) != 1 {
		return nil, fmt.Errorf("the kernel gave %d answers", len(msgs))
	}
	a, err := rtnl.Body(msgs[0], nl.SizeofGenlmsg)
	if err != nil {
		return nil, err
	}
	// This set lists every feature, the others those that are in them.
	list, err := bitset(a[unix.ETHTOOL_A_FEATURES_HW])
	if err != nil {
		return nil, err
	}
	all := make([]feature, len(list))
	place := make(map[uint32]*feature, len(list))
	for i, b := range list {
		all[i] = feature{name: b.name, changeable: b.set}
		place[b.index] = &all[i]
	}
	for attr, mark := range map[uint16]func(*feature){
		unix.ETHTOOL_A_FEATURES_WANTED:   func(f *feature) { f.wanted = true },
		unix.ETHTOOL_A_FEATURES_ACTIVE:   func(f *feature) { f.on = true },
		unix.ETHTOOL_A_FEATURES_NOCHANGE: func(f *feature) { f.noChange = true },
	} {
		list, err := bitset(a[attr])
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if f := place[b.index]; f != nil {
				mark(f)
			}
		}
	}
	return slices.DeleteFunc(all, func(f feature) bool { return f.name == "" }), nil
}

// namedBit is one bit of a set.
type namedBit struct {
	index uint32
	name  string
	// set is the mark.
	set bool
}

// bitset reads a set of bits in its long form (Documentation/networking/ethtool-netlink.rst, Bit sets). A set that says which
// bits it is about marks those that are set; another lists these alone, without the mark.
func bitset(b []byte) ([]namedBit, error) {
	a, err := rtnl.Parse(b)
	if err != nil {
		return nil, err
	}
	bits, err := rtnl.List(a[unix.ETHTOOL_A_BITSET_BITS])
	if err != nil {
		return nil, err
	}
	list := make([]namedBit, 0, len(bits))
	for _, bit := range bits {
		one, err := rtnl.Parse(bit.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, namedBit{
			index: one.Uint32(unix.ETHTOOL_A_BITSET_BIT_INDEX),
			name:  one.String(unix.ETHTOOL_A_BITSET_BIT_NAME),
			set:   one.Has(unix.ETHTOOL_A_BITSET_BIT_VALUE),
		})
	}
	return list, nil
}

// featureGroups are the names that ethtool has had for features since before the kernel had names for them, in the order in
// which it prints them, each for those kernel names that match (off_flag_def in ethtool's common.c).
var featureGroups = []struct{ name, kernel string }{
	{"rx-checksumming", "rx-checksum"},
	{"tx-checksumming", "tx-checksum-*"},
	{"scatter-gather", "tx-scatter-gather*"},
	{"tcp-segmentation-offload", "tx-tcp*-segmentation"},
	{"udp-fragmentation-offload", "tx-udp-fragmentation"},
	{"generic-segmentation-offload", "tx-generic-segmentation"},
	{"generic-receive-offload", "rx-gro"},
	{"large-receive-offload", "rx-lro"},
	{"rx-vlan-offload", "rx-vlan-hw-parse"},
	{"tx-vlan-offload", "tx-vlan-hw-insert"},
	{"ntuple-filters", "rx-ntuple-filter"},
	{"receive-hashing", "rx-hashing"},
}

// writeFeatures writes features as dump_features in ethtool's netlink/features.c does: first the old names, then the rest.
func writeFeatures(w io.Writer, list []feature) {
	written := make([]bool, len(list))
	for _, group := range featureGroups {
		var members []feature
		on := "off"
		for i, f := range list {
			if ok, _ := path.Match(group.kernel, f.name); ok {
				members, written[i] = append(members, f), true
				if f.on {
					on = "on"
				}
			}
		}
		switch len(members) {
		case 0:
		case 1:
			writeFeature(w, group.name, members[0])
		default:
			fmt.Fprintf(w, "%s: %s\n", group.name, on)
			for _, f := range members {
				writeFeature(w, "\t"+f.name, f)
			}
		}
	}
	for i, f := range list {
		if !written[i] {
			writeFeature(w, f.name, f)
		}
	}
}

func writeFeature(w io.Writer, name string, f feature) {
	onOff := map[bool]string{true: "on", false: "off"}
	note := ""
	switch {
	case !f.changeable || f.noChange:
		note = " [fixed]"
	case f.wanted != f.on:
		note = " [requested " + onOff[f.wanted] + "]"
	}
	fmt.Fprintf(w, "%s: %s%s\n", name, onOff[f.on], note)
}
