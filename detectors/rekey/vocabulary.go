package rekey

import (
	"encoding/base32"
	"regexp"
	"strings"
)

// keywords are words that tools and protocols print everywhere alike, and that say nothing of whose cluster it is.
var keywords = setOf(`
	tcp udp sctp dccp udplite icmp icmpv6 ipv6-icmp igmp gre esp ah ipip ipencap ipv6 ipv4 ip ip6 inet inet6 inet4 arp bridge
	netdev ospf vrrp all any none default main local unspec kernel boot static ra dhcp zebra bird babel bgp isis rip eigrp
	redirect mrouted gated mrt ntk xorp keepalived openr global host link site nowhere unicast broadcast multicast throw
	unreachable prohibit blackhole nat anycast xresolve ether loopback sit tunnel tunnel6 void ppp infiniband vxlan veth vlan
	bond team dummy tun tap wireguard macvlan macvtap ipvlan ifb geneve vrf ip6tnl gretap nlmon self master permanent
	reachable stale noarp extern_learn offload onlink linkdown pervasive dead sticky router proxy trap unresolved managed
	pod service nodeport dns egress large etcd annotation host-gw ali-vpc alloc gce aws-vpc tencent-vpc ipsec extension true false
	null set comment multiport mark connmark conntrack state addrtype statistic limit mac iprange physdev owner
	recent rpfilter socket tcpmss length ttl hl string u32 bpf cgroup connlimit hashlimit time pkttype realm policy
	src dst src,dst dst,dst dst,src src,src dst,dst,src src,src,dst nth random icmp-port-unreachable
	icmp-host-unreachable icmp-net-unreachable icmp-proto-unreachable icmp-host-prohibited icmp-admin-prohibited
	icmp-net-prohibited tcp-reset echo-request echo-reply destination-unreachable time-exceeded parameter-problem
	pass accept drop return reject jump goto masquerade snat dnat filter route prerouting input forward output postrouting
	ingress mangle raw security broute linux windows amd64 arm64 arm ppc64le s390x riscv64 Ready InternalIP InternalIP
	ExternalIP Hostname InternalDNS ExternalDNS True False Unknown IPv4 IPv6 FQDN Node List NodeList v1
	ClusterIP NodePort LoadBalancer ExternalName Cluster Local Running Pending Succeeded Failed k3s rke2 3.10 el7 4.x
	cubic reno bbr dctcp htcp vegas westwood bic highspeed hybla illinois lp nv scalable veno yeah cdg
	fq_codel fq pfifo_fast noqueue mq sfq cake codel ftp tftp sip h323 RAS Q.931 pptp amanda sane snmp irc netbios-ns
	NodeStatusNeverUpdated KubeletReady Live Loading Unloading br_netfilter bridge, iptables ipvs nftables
	inverted packets bytes probability socket-exists bridge-slave low medium high
`)

func setOf(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}

// shouted are names of states, flags and actions.
var shouted = setOf(`
	INCOMPLETE REACHABLE STALE DELAY PROBE FAILED NOARP PERMANENT NONE LOOPBACK BROADCAST MULTICAST POINTOPOINT UP DOWN
	LOWER_UP NO-CARRIER M-DOWN PROMISC ALLMULTI DYNAMIC MASTER SLAVE DORMANT ECHO TRAILERS PORTSEL AUTOMEDIA NOTRAILERS
	RUNNING DEBUG UNKNOWN NOTPRESENT LOWERLAYERDOWN TESTING NEW ESTABLISHED RELATED INVALID UNTRACKED SNAT DNAT EXPECTED
	SEEN_REPLY ASSURED CONFIRMED SYN ACK FIN RST PSH URG ALL SYN_SENT SYN_SENT2 SYN_RECV FIN_WAIT CLOSE_WAIT LAST_ACK
	TIME_WAIT CLOSE LISTEN LOCAL UNICAST ANYCAST BLACKHOLE UNREACHABLE PROHIBIT THROW NAT XRESOLVE UNSPEC ORIGINAL REPLY
	TCP UDP SCTP COOKIE_WAIT COOKIE_ECHOED SHUTDOWN_SENT SHUTDOWN_RECD SHUTDOWN_ACK_SENT ACCEPT DROP RETURN QUEUE REJECT
	OPEN REQUEST RESPOND PARTOPEN CLOSEREQ CLOSING TIMEWAIT
`)

// numeric are numbers, also hexadecimal, with what stands between several of them.
var numeric = regexp.MustCompile(`^[+-]?(0x[0-9a-fA-F]+|[0-9]+(\.[0-9]+)?(%|ms|s|/sec|/second|/min|/minute|/hour|/day)?)` +
	`([,:/ \t-](0x[0-9a-fA-F]+|[0-9]+))*$`)

// isNumber reports whether s is a number or several, and no address: one may have nothing but decimal digits.
func isNumber(s string) bool {
	if strings.Trim(s, "0123456789") == "" {
		return s != ""
	}
	if s[0] > '9' {
		return false
	}
	return strings.Count(s, ":") < 2 && numeric.MatchString(s)
}

// known reports whether s is a word, or several with commas between them, that means the same everywhere.
func known(s string) bool {
	if keywords[s] || isNumber(s) {
		return true
	}
	for part := range strings.SplitSeq(s, ",") {
		if !keywords[part] && !shouted[part] && !isNumber(part) {
			return false
		}
	}
	return true
}

// keyword returns s if it is known, and else another word.
func (n *Names) keyword(s string) string {
	if s == "" || known(s) {
		return s
	}
	return n.word("word", s)
}

// chains are the names of tables, chains and targets that programs use everywhere alike.
var chains = setOf(`
	filter nat mangle raw security kube-proxy firewalld PREROUTING INPUT FORWARD OUTPUT POSTROUTING
	ACCEPT DROP RETURN QUEUE REJECT LOG NFLOG ULOG TRACE AUDIT TCPMSS TOS DSCP ECN CLASSIFY CHECKSUM SECMARK CONNSECMARK SET
	MARK CONNMARK NOTRACK CT MASQUERADE SNAT DNAT REDIRECT TPROXY NETMAP CLUSTERIP TTL HL NFQUEUE TEE IDLETIMER TCPOPTSTRIP
	input forward output prerouting postrouting
	cali-INPUT cali-FORWARD cali-OUTPUT cali-PREROUTING cali-POSTROUTING cali-from-host-endpoint cali-to-host-endpoint
	cali-wl-to-host cali-from-wl-dispatch cali-to-wl-dispatch cali-from-hep-forward cali-to-hep-forward cali-nat-outgoing
	cali-fip-dnat cali-fip-snat cali-cidr-block cali-failsafe-in cali-failsafe-out cali-rpf-skip cali-to-hep-egress
	CNI-HOSTPORT-DNAT CNI-HOSTPORT-MASQ CNI-HOSTPORT-SETMARK CNI-FORWARD CNI-ADMIN CNI-ISOLATION-STAGE-1
	CNI-ISOLATION-STAGE-2 IP-MASQ-AGENT POD-SNAT-1 POD-SNAT-2
`)

// commonChain are the other chains that a program always calls the same.
var commonChain = regexp.MustCompile(`^(KUBE(-[A-Z]+)+|FLANNEL(-[A-Z]+)+|DOCKER(-[A-Z0-9]+)*|WEAVE(-[A-Z]+)+|ISTIO(_[A-Z]+)+|` +
	`LIBVIRT_[A-Z]+|CILIUM(_[A-Za-z]+)+|ufw6?-[a-z-]+)$`)

// hashedName are the names that hold a hash of what they belong to, which can be found by trying: kube-proxy's chains of a
// Service and of an endpoint, the CNI plugins' of a container, Calico's of a policy and of a set of addresses.
var hashedName = regexp.MustCompile(`^(KUBE(?:-[A-Z]+)+-|CNI-(?:DN-|SN-)?|cali-[a-z]+-|cali40[a-z]*:|cali:)([A-Za-z0-9._-]{5,24})$`)

// hashed re-keys a name that ends in a hash.
func (n *Names) hashed(s string) (string, bool) {
	if chains[s] || commonChain.MatchString(s) && !endsInHash.MatchString(s) {
		return "", false
	}
	parts := hashedName.FindStringSubmatch(s)
	if parts == nil || strings.HasPrefix(s, "KUBE-") && !endsInHash.MatchString(s) || n.collecting {
		return "", false
	}
	sum := n.key.sum("hash", []byte(s))
	hash := base32.StdEncoding.EncodeToString(sum[:])
	return parts[1] + hash[:min(16, len(parts[2]))], true
}

// endsInHash are names with 16 letters and digits at the end, as kube-proxy makes them.
var endsInHash = regexp.MustCompile(`-[A-Z0-9]{16}$`)

// chain returns the new name of a table, a chain or a target.
func (n *Names) chain(s string) string {
	if to, ok := n.hashed(s); ok {
		return to
	}
	if n.collecting || chains[s] || commonChain.MatchString(s) {
		return s
	}
	return n.word("chain", s)
}

// commonSet are the sets that kube-proxy and Calico always call the same.
var commonSet = regexp.MustCompile(`^(KUBE(-[A-Z0-9]+)+|` +
	`cali40(all-ipam-pools|masq-ipam-pools|this-host|all-hosts-net|all-vxlan-net))$`)

// set returns the new name of a set of addresses.
func (n *Names) set(s string) string {
	if to, ok := n.hashed(s); ok {
		return to
	}
	if n.collecting || commonSet.MatchString(s) {
		return s
	}
	return n.word("set", s)
}

// version keeps a version's number and, of what follows it, what tells distributions apart.
func (n *Names) version(s string) string {
	if versionText.MatchString(s) {
		return s
	}
	return n.word("version", s)
}

var versionText = regexp.MustCompile(`^v?[0-9]+\.[0-9]+[A-Za-z0-9.+_~-]*$`)

// anyText returns how a string that is a member of that name in the JSON of nft is re-keyed.
func anyText(member string) func(*Names, string) string {
	switch member {
	case "table", "name", "chain", "target":
		return (*Names).chain
	case "comment":
		return (*Names).comment
	case "prefix":
		return (*Names).prose
	}
	return (*Names).nftText
}

// nftMember keeps the names of members that nft has.
func (n *Names) nftMember(s string) string {
	if nftMembers[s] || known(s) || nftWords[s] || nftOperator.MatchString(s) {
		return s
	}
	return n.word("member", s)
}

// nftOperator are the operators that are members: {"&": [A, B]}.
var nftOperator = regexp.MustCompile(`^[&|^<>!=+*/%-]{1,2}$`)

var nftMembers = setOf(`
	metainfo json_schema_version version release_name table family name handle chain type hook prio policy dev rule expr comment
	index match op left right payload base offset len field meta key dir elem map vmap range counter target log group snaplen
	level prefix queue num rate burst per inv rate_unit burst_unit val type_flags value flow xt dup fwd synproxy secmark quota used
	flowtable devices concat exthdr fib numgen mod mode jhash symhash seed osf tproxy lookup data stmt size auto-merge gc-interval
	expires last continue notrack desc ruleset add
`)

// nftText re-keys a string of a rule of nft: an interface, a set, an address, or a known word.
func (n *Names) nftText(s string) string {
	if n.links[s] {
		return n.iface(s)
	}
	if set, ok := strings.CutPrefix(s, "@"); ok {
		// As the member "name" of the set itself.
		return "@" + n.chain(set)
	}
	if nftWords[s] || s == "tcp reset" || s == "ip saddr" || s == "ip daddr" {
		return s
	}
	return n.value(s)
}

// nftWords are those of nft's JSON (libnftables-json(5)) that are no words elsewhere.
var nftWords = setOf(`
	== != < > <= >= in lo saddr daddr sport dport protocol nexthdr flags type code id iifname oifname iif oif iifgroup oifgroup
	iiftype oiftype nfproto l4proto nftrace priority skuid skgid day hour time state direction status expiration helper label zone original reply
	established related new invalid untracked ether_addr ipv4_addr ipv6_addr inet_proto inet_service mark ct_id ifname vmap
	tcp udp th hbh rt meta ct ip ip6 icmp icmpv6 ether arp vlan dnat snat fully-random random persistent port addr host net
	second minute hour day packets bytes emerg alert crit err warn notice info debug audit fib_addr oifindex result
	constant interval timeout dynamic performance memory expr fin syn rst psh ack urg ecn cwr seq ackseq doff window checksum urgptr length
	icmpx port-unreachable admin-prohibited host-unreachable no-route addr-unreachable net-unreachable prot-unreachable
	net-prohibited host-prohibited verdict dormant
`)
