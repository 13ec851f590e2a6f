package collect

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// policyJSON writes ip-rule.json: the policy rules of IPv4.
func policyJSON(w io.Writer) error {
	msgs, err := rtnl.Rules(unix.AF_INET)
	if err != nil {
		return fmt.Errorf("list policy rules: %w", err)
	}
	rows := make([]evidence.PolicyRule, 0, len(msgs))
	for _, m := range msgs {
		a, err := rtnl.Body(m, unix.SizeofRtMsg)
		if err == nil {
			err = knownRule(a)
		}
		if err != nil {
			return fmt.Errorf("list policy rules: %w", err)
		}
		rows = append(rows, policyRule(nl.DeserializeRtMsg(m).RtMsg, a))
	}
	return writeRows(w, rows)
}

// The masks of single ports (FRA_SPORT_MASK, FRA_DPORT_MASK in linux/fib_rules.h, Linux 6.15).
const (
	fraSPortMask = 28
	fraDPortMask = 29
)

// knownRule refuses rules with conditions that came after those below: without them a rule would look wider than it is. A mask
// of all bits is no condition, and the kernel has it for every single port.
func knownRule(a rtnl.Attrs) error {
	for t := range a {
		if t > unix.FRA_DPORT_RANGE && !((t == fraSPortMask || t == fraDPortMask) && a.Uint16(t) == 1<<16-1) {
			return fmt.Errorf("rule %d has an attribute that is not known here (%d)", a.Uint32(unix.FRA_PRIORITY), t)
		}
	}
	return nil
}

// policyRule reads a rule as iproute2 prints it (print_rule in ip/iprule.c), but for realms. struct fib_rule_hdr
// (linux/fib_rules.h) is laid out as struct rtmsg is, with the action in the place of the type.
func policyRule(h unix.RtMsg, a rtnl.Attrs) evidence.PolicyRule {
	row := evidence.PolicyRule{
		Priority: int(a.Uint32(unix.FRA_PRIORITY)),
		Not:      h.Flags&unix.FIB_RULE_INVERT != 0,
		IIF:      a.String(unix.FRA_IIFNAME),
		OIF:      a.String(unix.FRA_OIFNAME),
		L3MDev:   a.Uint8(unix.FRA_L3MDEV) != 0,
	}
	row.Src, row.SrcLen = rulePrefix(a, unix.FRA_SRC, h.Src_len)
	if row.Src == "" {
		row.Src = "all"
	}
	row.Dst, row.DstLen = rulePrefix(a, unix.FRA_DST, h.Dst_len)
	if h.Tos != 0 {
		row.TOS = fmt.Sprintf("0x%02x", h.Tos)
	}
	if a.Has(unix.FRA_FWMARK) || a.Has(unix.FRA_FWMASK) {
		row.FWMark = fmt.Sprintf("%#x", a.Uint32(unix.FRA_FWMARK))
		if mask := a.Uint32(unix.FRA_FWMASK); a.Has(unix.FRA_FWMASK) && mask != 1<<32-1 {
			row.FWMask = fmt.Sprintf("%#x", mask)
		}
	}
	if uids := a[unix.FRA_UID_RANGE]; len(uids) == 8 {
		first, last := int64(binary.NativeEndian.Uint32(uids)), int64(binary.NativeEndian.Uint32(uids[4:]))
		row.UIDStart, row.UIDEnd = &first, &last
	}
	if number := a.Uint8(unix.FRA_IP_PROTO); number != 0 {
		if row.IPProto = transports[number]; row.IPProto == "" {
			row.IPProto = fmt.Sprintf("ipproto-%d", number)
		}
	}
	row.SPort, row.SPortStart, row.SPortEnd = rulePorts(a[unix.FRA_SPORT_RANGE])
	row.DPort, row.DPortStart, row.DPortEnd = rulePorts(a[unix.FRA_DPORT_RANGE])
	if id := a[unix.FRA_TUN_ID]; len(id) == 8 {
		row.TunID = binary.BigEndian.Uint64(id)
	}
	if p := a.Uint8(unix.FRA_PROTOCOL); p != unix.RTPROT_UNSPEC && p != unix.RTPROT_KERNEL {
		row.Protocol = routeProtocol(p)
	}
	ruleAction(&row, h, a)
	return row
}

// ruleAction fills in what becomes of a packet that has all that the rule names.
func ruleAction(row *evidence.PolicyRule, h unix.RtMsg, a rtnl.Attrs) {
	table := uint32(h.Table)
	if a.Has(unix.FRA_TABLE) { // numbers above 255 fit only here
		table = a.Uint32(unix.FRA_TABLE)
	}
	if table != unix.RT_TABLE_UNSPEC {
		row.Table = routeTable(table)
		if n := int(int32(a.Uint32(unix.FRA_SUPPRESS_PREFIXLEN))); a.Has(unix.FRA_SUPPRESS_PREFIXLEN) && n != -1 {
			row.SuppressPrefixLen = &n
		}
	}
	switch h.Type {
	case unix.FR_ACT_TO_TBL:
	case unix.FR_ACT_GOTO:
		to := int(a.Uint32(unix.FRA_GOTO))
		row.Goto = &to
	case unix.FR_ACT_NOP:
		row.NOP = true
	default:
		row.Action = routeType(h.Type)
	}
}

// rulePrefix returns an address and the length of its prefix, 0 for that of a single address; "" for any address.
func rulePrefix(a rtnl.Attrs, attr uint16, length uint8) (addr string, bits int) {
	ip := a.Addr(attr)
	switch {
	case !ip.IsValid() && length == 0:
		return "", 0
	case !ip.IsValid():
		return "0", int(length)
	case int(length) == ip.BitLen():
		return ip.String(), 0
	}
	return ip.String(), int(length)
}

// rulePorts reads struct fib_rule_port_range: a single port, or the first and last.
func rulePorts(b []byte) (single, first, last int) {
	if len(b) != 4 {
		return 0, 0, 0
	}
	first, last = int(binary.NativeEndian.Uint16(b)), int(binary.NativeEndian.Uint16(b[2:]))
	if first == last {
		return first, 0, 0
	}
	return 0, first, last
}
