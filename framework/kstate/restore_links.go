package kstate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

var (
	errNotVirtual = errors.New("it is not a virtual link, so it is left alone")
	errNotMade    = errors.New("a link of this kind cannot be made again from here: its other end or its device is elsewhere")
)

// links deletes, makes and sets links, but for going up and down.
func (r *restorer) links() {
	for _, g := range r.got.Links {
		if _, ok := r.want.link(g.Name); !ok {
			r.failed(KindLink, g.Name, r.deleteLink(g))
		}
	}
	// Those that others stand on come first, as they did when they were made.
	for _, w := range r.want.Links {
		g, there := r.got.link(w.Name)
		if there && !r.mustBeMadeAgain(w, g) {
			r.failed(KindLink, w.Name, r.setLink(w, g))
			continue
		}
		if w.Kind != "vxlan" && w.Kind != "bridge" {
			r.failed(KindLink, w.Name, errNotMade)
			continue
		}
		if there {
			if err := r.deleteLink(g); err != nil {
				r.failed(KindLink, w.Name, err)
				continue
			}
		}
		r.failed(KindLink, w.Name, r.makeLink(w))
	}
}

// mustBeMadeAgain says whether the link is another one than it was. A VXLAN link's settings cannot be changed.
func (r *restorer) mustBeMadeAgain(w, g Link) bool {
	if w.Kind != g.Kind || w.Kind == "vxlan" && w.Attributes != g.Attributes {
		return true
	}
	virtual := w.Kind == "vxlan" || w.Kind == "bridge"
	return virtual && w.Index != g.Index && r.free(w.Index)
}

// free says whether no link that is to stay has the number.
func (r *restorer) free(index int) bool {
	return !slices.ContainsFunc(r.got.Links, func(g Link) bool {
		_, stays := r.want.link(g.Name)
		return g.Index == index && stays
	})
}

func (r *restorer) deleteLink(l Link) error {
	if l.Kind == "" {
		return errNotVirtual
	}
	err := r.conn.Change(unix.RTM_DELLINK, 0, ifInfoMsg(unix.AF_UNSPEC, l.Index, 0, 0))
	if errors.Is(err, unix.ENODEV) { // the other end of a pair went first
		return nil
	}
	return err
}

// makeLink makes the link, down. If its number was taken meanwhile, it gets another.
func (r *restorer) makeLink(w Link) error {
	now, err := readLinks()
	if err != nil {
		return err
	}
	data := slices.Clone(w.Data)
	list, err := rtnl.List(data)
	if err != nil {
		return err
	}
	for _, a := range list { // which share their bytes with data
		if w.Kind == "vxlan" && a.Type == nl.IFLA_VXLAN_LINK {
			if err := rtnl.Renumber(a.Value, renumbering(r.want.names(), now)); err != nil {
				return err
			}
		}
	}
	index := w.Index
	if slices.ContainsFunc(now, func(l Link) bool { return l.Index == index }) {
		index = 0
	}
	info := linkInfo(w.Kind, data)
	if w.Kind == "bridge" {
		info = linkInfo(w.Kind, nil) // its settings follow: this kernel may know only the defaults of some
	}
	err = r.conn.Change(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ifInfoMsg(unix.AF_UNSPEC, index, 0, 0),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(w.Name)),
		nl.NewRtAttr(unix.IFLA_ADDRESS, w.hardwareAddr()),
		nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(w.MTU))),
		nl.NewRtAttr(unix.IFLA_TXQLEN, nl.Uint32Attr(uint32(w.TxQLen))), info)
	if err != nil {
		return fmt.Errorf("make %s link: %w", w.Kind, err)
	}
	if w.Kind != "bridge" {
		return nil
	}
	if now, err = readLinks(); err != nil {
		return err
	}
	made, _ := State{Links: now}.link(w.Name)
	return r.setLink(w, made)
}

// linkInfo makes IFLA_LINKINFO.
func linkInfo(kind string, data []byte) *nl.RtAttr {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	info.AddRtAttr(nl.IFLA_INFO_DATA, data)
	return info
}

// changed returns the attributes of want that got has not or has another value of.
func changed(want, got []byte) ([]byte, error) {
	wants, err := rtnl.List(want)
	if err != nil {
		return nil, err
	}
	gots, err := rtnl.Parse(got)
	if err != nil {
		return nil, err
	}
	var b []byte
	for _, a := range wants {
		if v, ok := gots[a.Type]; !ok || !slices.Equal(v, a.Value) {
			b = rtnl.Append(b, a)
		}
	}
	return b, nil
}

// setLink changes what differs of a link's own settings.
func (r *restorer) setLink(w, g Link) error {
	var attrs []nl.NetlinkRequestData
	if w.MAC != g.MAC {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, w.hardwareAddr()))
	}
	if w.MTU != g.MTU {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(w.MTU))))
	}
	if w.TxQLen != g.TxQLen {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_TXQLEN, nl.Uint32Attr(uint32(w.TxQLen))))
	}
	if w.Attributes != g.Attributes {
		data, err := changed(w.Data, g.Data)
		if err != nil {
			return err
		}
		attrs = append(attrs, linkInfo(w.Kind, data))
	}
	if attrs == nil {
		return nil
	}
	return r.conn.Change(unix.RTM_NEWLINK, 0, ifInfoMsg(unix.AF_UNSPEC, g.Index, 0, 0), attrs...)
}

// linkFlags puts links under their masters, sets ports, and brings links up and down.
func (r *restorer) linkFlags() {
	index := make(map[string]int, len(r.got.Links))
	for _, g := range r.got.Links {
		index[g.Name] = g.Index
	}
	for _, w := range r.want.Links {
		g, there := r.got.link(w.Name)
		if !there {
			continue // told by links
		}
		r.failed(KindLink, w.Name, r.setMaster(w, g, index))
		r.failed(KindLink, w.Name, r.setFlags(w, g))
	}
}

func (r *restorer) setMaster(w, g Link, index map[string]int) error {
	if w.Master != g.Master {
		master, ok := index[w.Master]
		if w.Master != "" && !ok {
			return fmt.Errorf("there is no link %s to be under", w.Master)
		}
		err := r.conn.Change(unix.RTM_NEWLINK, 0, ifInfoMsg(unix.AF_UNSPEC, g.Index, 0, 0),
			nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
		if err != nil {
			return fmt.Errorf("put under %q: %w", w.Master, err)
		}
	}
	if w.PortData != nil && (w.Port != g.Port || w.Master != g.Master) {
		// The bridge reads IFLA_PROTINFO (net/bridge/br_netlink.c).
		err := r.conn.Change(unix.RTM_SETLINK, 0, ifInfoMsg(unix.AF_BRIDGE, g.Index, 0, 0),
			nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, w.PortData))
		if err != nil {
			return fmt.Errorf("set port: %w", err)
		}
	}
	return nil
}

func (r *restorer) setFlags(w, g Link) error {
	if slices.Equal(w.Flags, g.Flags) {
		return nil
	}
	var set, change uint32
	for _, f := range adminFlags {
		if slices.Contains(w.Flags, f.name) {
			set |= f.bit
		}
		change |= f.bit
	}
	return r.conn.Change(unix.RTM_NEWLINK, 0, ifInfoMsg(unix.AF_UNSPEC, g.Index, set, change))
}

// ifInfoMsg makes struct ifinfomsg (linux/rtnetlink.h).
func ifInfoMsg(family uint8, index int, flags, change uint32) *nl.IfInfomsg {
	return &nl.IfInfomsg{IfInfomsg: unix.IfInfomsg{Family: family, Index: int32(index), Flags: flags, Change: change}}
}
