// Package iptables answers, from what iptables-save and nft print, what happens to packets on a machine. Evaluate says of the
// packets of new connections that it forwards whether any rule rewrites their source address, which rule, and for which
// packets. Filter says of packets that it forwards, receives or makes which of them a rule or a policy drops or rejects.
//
// The question is asked for a set of packets (any pod here, to any pod there, any protocol and port), and answered for
// every one of them: it splits the set by the rules as it walks through them in the kernel's order. A single packet
// is a set of one. Where a rule holds something that this package does not understand, the packets for which that decides
// are unknown, and the answer says which rule it was; nothing is ever taken for harmless because it was not understood.
//
// Both worlds of iptables' rules, nf_tables and legacy, and the tables of nft's own (FromNFT) are live in the kernel at once, and
// are judged together. The rules of the kernel that this package follows were read in Linux 6.18 (net/ipv4/netfilter/ip_tables.c,
// net/netfilter/nf_tables_core.c, nf_nat_core.c, nft_*.c and xt_*.c) and are held to by TestKernel and its like, which compare
// thousands of random rule sets with a live kernel.
package iptables
