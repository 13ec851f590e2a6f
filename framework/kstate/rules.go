package kstate

import (
	"encoding/binary"
	"fmt"

	"github.com/netfault/netfault/framework/collect/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// sizeofRuleHeader is the size in bytes of struct fib_rule_hdr (linux/fib_rules.h): family, dst_len, src_len, tos, table,
// two reserved, action, and 32 bits of flags.
const sizeofRuleHeader = 12

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
			list, a, err := attrsAfter(m, sizeofRuleHeader)
			if err != nil {
				return nil, fmt.Errorf("list rules: %w", err)
			}
			dstLen, srcLen, tos, action := m[1], m[2], m[3], m[7]
			// The other flags say that a name has no link now.
			flags := binary.NativeEndian.Uint32(m[8:]) & ruleInvert
			binary.NativeEndian.PutUint32(m[8:], flags)
			not := ""
			if flags != 0 {
				not = "not "
			}
			rows = append(rows, Row{
				Object: fmt.Sprintf("%s priority %d", familyName(m[0]), a.Uint32(nl.FRA_PRIORITY)),
				Text: fmt.Sprintf("%sfrom %s to %s tos %#x action %d %s", not, prefix(a[nl.FRA_SRC], srcLen, "all"),
					prefix(a[nl.FRA_DST], dstLen, "all"), tos, action, describe(list, ruleFields, n)),
				Message: message(m[:sizeofRuleHeader], list, nl.FRA_PAD),
			})
		}
	}
	return rows, nil
}
