#!/bin/sh
# Stands before Debian's iptables programs in the images of kube-proxy and flannel: uses nftables or the legacy tables,
# whichever the kubelet of the node used, whose chain KUBE-IPTABLES-HINT is there since Kubernetes 1.24. The official
# images do the same with kubernetes-sigs/iptables-wrappers.
name=${0##*/} # such as ip6tables-restore
family=${name%%tables*}
suffix=${name#*tables}
mode=legacy
if "${family}tables-nft-save" -t mangle 2>/dev/null | grep -q "^:KUBE-IPTABLES-HINT"; then
	mode=nft
fi
exec "/usr/sbin/${family}tables-$mode$suffix" "$@"
