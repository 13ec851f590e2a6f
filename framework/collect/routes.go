package collect

import (
	"fmt"
	"io"
	"strconv"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// routesJSON writes ip-route.json: IPv4 and IPv6, all tables. As `ip` does, it leaves out what is the default (type
// unicast, protocol boot, scope global, table main).
func routesJSON(w io.Writer, t *linkTable) error {
	rows := []evidence.Route{}
	for _, fam := range []int{unix.AF_INET, unix.AF_INET6} {
		msgs, err := rtnl.Routes(fam)
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, m := range msgs {
			a, err := rtnl.Body(m, unix.SizeofRtMsg)
			if err != nil {
				return fmt.Errorf("list routes: %w", err)
			}
			if h := nl.DeserializeRtMsg(m); h.Flags&unix.RTM_F_CLONED == 0 {
				rows = append(rows, t.route(h, a))
			}
		}
	}
	return writeRows(w, rows)
}

func (t *linkTable) route(h *nl.RtMsg, a rtnl.Attrs) evidence.Route {
	flags, _ := bitNames(h.Flags, routeFlags)
	row := evidence.Route{
		Dst:    routeDst(h, a),
		Metric: int(a.Uint32(unix.RTA_PRIORITY)),
		Flags:  flags,
	}
	if h.Type != unix.RTN_UNICAST {
		row.Type = routeType(h.Type)
	}
	if gw := a.Addr(unix.RTA_GATEWAY); gw.IsValid() {
		row.Gateway = gw.String()
	}
	if dev := a.Uint32(unix.RTA_OIF); dev != 0 {
		row.Dev = t.name(int(dev))
	}
	table := uint32(h.Table)
	if a.Has(unix.RTA_TABLE) { // numbers above 255 fit only here
		table = a.Uint32(unix.RTA_TABLE)
	}
	if table != unix.RT_TABLE_MAIN {
		row.Table = routeTable(table)
	}
	if h.Protocol != unix.RTPROT_BOOT {
		row.Protocol = routeProtocol(h.Protocol)
	}
	if h.Scope != unix.RT_SCOPE_UNIVERSE {
		row.Scope = scope(h.Scope)
	}
	if src := a.Addr(unix.RTA_PREFSRC); src.IsValid() {
		row.PrefSrc = src.String()
	}
	if pref := a[unix.RTA_PREF]; len(pref) == 1 && h.Family == unix.AF_INET6 {
		row.Pref = routerPreference(pref[0])
	}
	return row
}

// routeDst formats a destination: "default", an address, or a prefix.
func routeDst(h *nl.RtMsg, a rtnl.Attrs) string {
	dst := a.Addr(unix.RTA_DST)
	switch {
	case dst.IsValid() && int(h.Dst_len) == dst.BitLen():
		return dst.String()
	case dst.IsValid():
		return dst.String() + "/" + strconv.Itoa(int(h.Dst_len))
	case h.Dst_len == 0:
		return "default"
	}
	return "0/" + strconv.Itoa(int(h.Dst_len))
}
