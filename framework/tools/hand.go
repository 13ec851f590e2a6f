package tools

// HandTool is a program that somebody looks for who is logged in to a machine, and that no lab needs by itself.
type HandTool struct {
	Name string
	// Package is Debian's that brings it.
	Package string
}

// HandTools are what a shell in an exercise promises beside what labs need. Machines of embedded labs have them from this machine, and
// nodes of kind clusters those that their image lacks.
var HandTools = []HandTool{
	{"tcpdump", "tcpdump"}, {"dig", "bind9-dnsutils"}, {"nft", "nftables"}, {"ethtool", "ethtool"}, {"ss", "iproute2"}, {"curl", "curl"},
}
