package drops

// Class puts together reasons that people would call one: the kernel's names of them grow finer from version to version.
type Class string

const (
	// WrongLinkAddress is a frame for another's link address (MAC) than that of the interface at which it arrived.
	WrongLinkAddress Class = "wrong link address"
	// TrafficControl is a tc filter, such as a BPF program, or an XDP program.
	TrafficControl Class = "traffic control"
	// Filtered is a rule of netfilter's: iptables or nftables.
	Filtered Class = "packet filter"
	// ReversePath is a source address to which the way back does not lead through the interface at which it came (rp_filter).
	ReversePath Class = "reverse path filter"
	// NoRoute is a destination to which no route leads, or that is not valid here.
	NoRoute Class = "no route"
	// NoNeighbour is a next hop whose link address nobody tells.
	NoNeighbour Class = "no neighbour"
	// AtSocket is a packet that arrived, and that no socket takes.
	AtSocket Class = "socket"
	// Ended is what a socket still held when it was closed: that has arrived, or was not sent, and is no loss on the way.
	Ended Class = "end of a socket"
	// Unnamed is a drop of which the kernel does not say why. It may be none: a connection in TIME_WAIT takes in a late packet, and
	// frees it like that (net/ipv4/tcp_ipv4.c, discard_it in tcp_v4_rcv, Linux 6.18).
	Unnamed Class = "reason not named"
	// Other is every other reason.
	Other Class = "other"
)

// classes are the kernel's reasons by their names (include/net/dropreason-core.h, 5.17 to 6.18).
var classes = map[string]Class{
	"OTHERHOST": WrongLinkAddress,

	"TC_INGRESS": TrafficControl, "TC_EGRESS": TrafficControl, "XDP": TrafficControl,

	"NETFILTER_DROP": Filtered,

	"IP_RPFILTER": ReversePath,

	"IP_OUTNOROUTES": NoRoute, "IP_INNOROUTES": NoRoute, "IP_INADDRERRORS": NoRoute, "IP_INVALID_DEST": NoRoute,

	"NEIGH_CREATEFAIL": NoNeighbour, "NEIGH_FAILED": NoNeighbour, "NEIGH_QUEUEFULL": NoNeighbour, "NEIGH_DEAD": NoNeighbour,

	"NO_SOCKET": AtSocket, "SOCKET_FILTER": AtSocket, "SOCKET_RCVBUFF": AtSocket, "SOCKET_BACKLOG": AtSocket, "SOCKET_CLOSE": AtSocket,
	"TCP_LISTEN_OVERFLOW": AtSocket, "TCP_CLOSE": AtSocket, "TCP_RESET": AtSocket,

	"QUEUE_PURGE": Ended,

	"NOT_SPECIFIED": Unnamed,
}

// ClassOf is the class of a Drop's Reason.
func ClassOf(reason string) Class {
	if c, ok := classes[reason]; ok {
		return c
	}
	return Other
}
