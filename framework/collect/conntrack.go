package collect

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Attributes that package nl has no name for (linux/netfilter/nfnetlink_conntrack.h).
const (
	ctaProtoICMPID     = 4
	ctaProtoICMPType   = 5
	ctaProtoICMPCode   = 6
	ctaProtoICMPv6ID   = 7
	ctaProtoICMPv6Type = 8
	ctaProtoICMPv6Code = 9
	ctaProtoinfoDCCP   = 2
	ctaProtoinfoSCTP   = 3
	// The first attribute in the protocol's part is its state, for TCP, DCCP and SCTP.
	ctaProtoinfoState  = 1
	ctaCountersPackets = 1
	ctaCountersBytes   = 2
)

// Status bits (linux/netfilter/nf_conntrack_common.h).
const (
	ipsSeenReply = 1 << 1
	ipsAssured   = 1 << 2
	ipsOffload   = 1 << 14
	ipsHWOffload = 1 << 15
)

var (
	tcpStates = []string{"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
		"CLOSE", "SYN_SENT2"}
	dccpStates = []string{"NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE",
		"INVALID"}
	sctpStates = []string{"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT",
		"SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"}
	transports = map[uint8]string{
		unix.IPPROTO_ICMP: "icmp", unix.IPPROTO_IGMP: "igmp", unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp",
		unix.IPPROTO_DCCP: "dccp", unix.IPPROTO_GRE: "gre", unix.IPPROTO_ICMPV6: "icmpv6", unix.IPPROTO_SCTP: "sctp",
		unix.IPPROTO_UDPLITE: "udplite",
	}
)

// conntrack writes conntrack.txt in the format of `conntrack -L -o extended` (libnetfilter_conntrack's
// snprintf_default.c), a line for each connection of IPv4 and IPv6. The fields secctx=, delta-time= and the zones of one
// direction are left out. The lines are written as the answers come: a full table has hundreds of thousands.
func conntrack(w io.Writer) error {
	out := bufio.NewWriter(w)
	err := rtnl.Each(unix.NETLINK_NETFILTER, unix.NFNL_SUBSYS_CTNETLINK<<8|nl.IPCTNL_MSG_CT_GET,
		func(m []byte) error { return writeFlow(out, m) },
		&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	if err != nil {
		return fmt.Errorf("list conntrack entries: %w", err)
	}
	return out.Flush()
}

func writeFlow(w io.Writer, m []byte) error {
	a, err := rtnl.Body(m, nl.SizeofNfgenmsg)
	if err != nil {
		return err
	}
	orig, err := readTuple(a, nl.CTA_TUPLE_ORIG)
	if err != nil {
		return err
	}
	reply, err := readTuple(a, nl.CTA_TUPLE_REPLY)
	if err != nil {
		return err
	}
	l3, l3num := "ipv4", unix.AF_INET
	if m[0] == unix.AF_INET6 {
		l3, l3num = "ipv6", unix.AF_INET6
	}
	l4, ok := transports[orig.protocol]
	if !ok {
		l4 = "unknown"
	}
	fmt.Fprintf(w, "%-8s %d %-8s %d ", l3, l3num, l4, orig.protocol)
	if a.Has(nl.CTA_TIMEOUT) {
		fmt.Fprintf(w, "%d ", a.Uint32BE(nl.CTA_TIMEOUT))
	}
	state, err := protocolState(a)
	if err != nil {
		return err
	}
	if state != "" {
		fmt.Fprintf(w, "%s ", state)
	}
	status := a.Uint32BE(nl.CTA_STATUS)
	orig.write(w)
	if err := writeCounters(w, a, nl.CTA_COUNTERS_ORIG); err != nil {
		return err
	}
	if status&ipsSeenReply == 0 {
		io.WriteString(w, "[UNREPLIED] ")
	}
	reply.write(w)
	if err := writeCounters(w, a, nl.CTA_COUNTERS_REPLY); err != nil {
		return err
	}
	switch {
	case status&ipsHWOffload != 0:
		io.WriteString(w, "[HW_OFFLOAD] ")
	case status&ipsOffload != 0:
		io.WriteString(w, "[OFFLOAD] ")
	case status&ipsAssured != 0:
		io.WriteString(w, "[ASSURED] ")
	}
	if a.Has(nl.CTA_MARK) {
		fmt.Fprintf(w, "mark=%d ", a.Uint32BE(nl.CTA_MARK))
	}
	if a.Has(nl.CTA_ZONE) {
		fmt.Fprintf(w, "zone=%d ", a.Uint16BE(nl.CTA_ZONE))
	}
	_, err = fmt.Fprintf(w, "use=%d\n", a.Uint32BE(nl.CTA_USE))
	return err
}

// tuple is one direction of a connection.
type tuple struct {
	ip, proto rtnl.Attrs
	protocol  uint8
}

func readTuple(a rtnl.Attrs, attr uint16) (t tuple, err error) {
	both, err := a.Nested(attr)
	if err != nil {
		return t, err
	}
	if t.ip, err = both.Nested(nl.CTA_TUPLE_IP); err != nil {
		return t, err
	}
	if t.proto, err = both.Nested(nl.CTA_TUPLE_PROTO); err != nil {
		return t, err
	}
	t.protocol = t.proto.Uint8(nl.CTA_PROTO_NUM)
	return t, nil
}

func (t tuple) write(w io.Writer) {
	src, dst := t.ip.Addr(nl.CTA_IP_V4_SRC), t.ip.Addr(nl.CTA_IP_V4_DST)
	if !src.IsValid() {
		src, dst = t.ip.Addr(nl.CTA_IP_V6_SRC), t.ip.Addr(nl.CTA_IP_V6_DST)
	}
	fmt.Fprintf(w, "src=%s dst=%s ", src, dst)
	switch t.protocol {
	case unix.IPPROTO_ICMP:
		fmt.Fprintf(w, "type=%d code=%d id=%d ",
			t.proto.Uint8(ctaProtoICMPType), t.proto.Uint8(ctaProtoICMPCode), t.proto.Uint16BE(ctaProtoICMPID))
	case unix.IPPROTO_ICMPV6:
		fmt.Fprintf(w, "type=%d code=%d id=%d ",
			t.proto.Uint8(ctaProtoICMPv6Type), t.proto.Uint8(ctaProtoICMPv6Code), t.proto.Uint16BE(ctaProtoICMPv6ID))
	case unix.IPPROTO_GRE:
		fmt.Fprintf(w, "srckey=%#x dstkey=%#x ",
			t.proto.Uint16BE(nl.CTA_PROTO_SRC_PORT), t.proto.Uint16BE(nl.CTA_PROTO_DST_PORT))
	default:
		if t.proto.Has(nl.CTA_PROTO_SRC_PORT) {
			fmt.Fprintf(w, "sport=%d dport=%d ",
				t.proto.Uint16BE(nl.CTA_PROTO_SRC_PORT), t.proto.Uint16BE(nl.CTA_PROTO_DST_PORT))
		}
	}
}

// protocolState returns the state that a protocol with connections has, or "".
func protocolState(a rtnl.Attrs) (string, error) {
	info, err := a.Nested(nl.CTA_PROTOINFO)
	if err != nil {
		return "", err
	}
	for attr, names := range map[uint16][]string{
		nl.CTA_PROTOINFO_TCP: tcpStates, ctaProtoinfoDCCP: dccpStates, ctaProtoinfoSCTP: sctpStates,
	} {
		if !info.Has(attr) {
			continue
		}
		part, err := info.Nested(attr)
		if err != nil {
			return "", err
		}
		if v := int(part.Uint8(ctaProtoinfoState)); v < len(names) {
			return names[v], nil
		}
		return "UNKNOWN", nil
	}
	return "", nil
}

// writeCounters writes what net.netfilter.nf_conntrack_acct=1 counts.
func writeCounters(w io.Writer, a rtnl.Attrs, attr uint16) error {
	c, err := a.Nested(attr)
	if err != nil {
		return err
	}
	packets, bytes := c[ctaCountersPackets], c[ctaCountersBytes]
	if len(packets) != 8 || len(bytes) != 8 {
		return nil
	}
	_, err = fmt.Fprintf(w, "packets=%d bytes=%d ", binary.BigEndian.Uint64(packets), binary.BigEndian.Uint64(bytes))
	return err
}
