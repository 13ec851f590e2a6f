// Package nftables reads rule sets as `nft -j list ruleset` prints them (libnftables-json(5)), and writes their rules in nft's
// own syntax. What rules do to packets, package iptables says: iptables' rules and these are in force together.
package nftables
