package kstate

import (
	"encoding/binary"
	"fmt"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ruleInvert is FIB_RULE_INVERT (linux/fib_rules.h): "not from …".
const ruleInvert = 1 << 1

var ruleFields = []field{
	{nl.FRA_PRIORITY, "", nil}, // in the object
	{nl.FRA_SRC, "", nil}, {nl.FRA_DST, "", nil},
	{nl.FRA_IIFNAME, "iif", asText}, {nl.FRA_OIFNAME, "oif", asText}, {nl.FRA_FWMARK, "fwmark", asFlagsHex},
	{nl.FRA_FWMASK, "fwmask", asFlagsHex}, {nl.FRA_TABLE, "lookup", asNumber}, {nl.FRA_GOTO, "goto", asNumber},
	{nl.FRA_SUPPRESS_PREFIXLEN, "suppress_prefixlength", asSigned}, {nl.FRA_SUPPRESS_IFGROUP, "suppress_ifgroup", asNumber},
	{nl.FRA_PROTOCOL, "protocol", asNumber}, {nl.FRA_IP_PROTO, "ipproto", asNumber}, {nl.FRA_PAD, "", nil},
}

func asSigned(v []byte, n names) string {
	if len(v) != 4 {
		return asHex(v, n)
	}
	return fmt.Sprint(int32(binary.NativeEndian.Uint32(v)))
}

func readRules(n names) ([]Row, error) {
	var rows []Row
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		msgs, err := rtnl.Rules(family)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		for _, m := range msgs {
			list, a, err := rtnl.Split(m, unix.SizeofRtMsg)
			if err != nil {
				return nil, fmt.Errorf("list rules: %w", err)
			}
			h := nl.DeserializeRtMsg(m) // as which struct fib_rule_hdr is laid out, with the action as the type
			h.Flags &= ruleInvert       // the others say that a name has no link now
			not := ""
			if h.Flags != 0 {
				not = "not "
			}
			rows = append(rows, Row{
				Object: fmt.Sprintf("%s priority %d", familyName(h.Family), a.Uint32(nl.FRA_PRIORITY)),
				Text: fmt.Sprintf("%sfrom %s to %s tos %#x action %d %s", not, prefix(a[nl.FRA_SRC], h.Src_len, "all"),
					prefix(a[nl.FRA_DST], h.Dst_len, "all"), h.Tos, h.Type, describe(list, ruleFields, n)),
				Message: rtnl.Message(m[:unix.SizeofRtMsg], list, nl.FRA_PAD),
			})
		}
	}
	return rows, nil
}
