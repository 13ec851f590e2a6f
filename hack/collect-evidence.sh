#!/bin/sh
# Collects one node's part of a netfault evidence bundle with standard tools, as root on the node itself:
#   collect-evidence.sh FOLDER [NODE]
# writes FOLDER/nodes/NODE/ and FOLDER/bundle.json. NODE is the node's name in Kubernetes (`uname -n` if left out).
# What cannot be collected is left out and named in collect-errors.txt. docs/EVIDENCE.md has the rest.
set -u
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: $0 FOLDER [NODE]" >&2
	exit 2
fi
node=${2:-$(uname -n)}
dir=$1/nodes/$node
case $node in
'' | *[!a-z0-9.-]* | [!a-z0-9]* | *[!a-z0-9])
	echo "$0: '$node' is not a node name: give the one that 'kubectl get nodes' shows" >&2
	exit 2
	;;
esac
if [ "$(id -u)" -ne 0 ]; then
	echo "$0: iptables-save and conntrack need root" >&2
	exit 1
fi
if [ -e "$dir" ]; then
	echo "$0: $dir is there already: name another folder, or remove it first" >&2
	exit 1
fi
mkdir -p "$dir" || exit 1

# fail FILE REASON
fail() {
	rm -f "$dir/$1.part"
	printf '%s: %s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')" >>"$dir/collect-errors.txt"
}

# take FILE COMMAND [ARGUMENT]...: a file that has its own name is what a command printed that succeeded.
take() {
	file=$1
	shift
	if ! command -v "$1" >/dev/null; then
		fail "$file" "$1 is not installed"
	elif ! reason=$("$@" 2>&1 >"$dir/$file.part"); then
		fail "$file" "$* failed: $reason"
	else
		mv "$dir/$file.part" "$dir/$file"
	fi
}

# take_rules FILE COMMAND: no rules at all are said so, since an empty file looks like a failure.
take_rules() {
	take "$1" "$2"
	if [ -f "$dir/$1" ] && ! [ -s "$dir/$1" ]; then
		echo "# $2 printed nothing: there are no tables" >"$dir/$1"
	fi
}

# Secrets stay on the node.
sysctls() {
	sysctl -a 2>/dev/null | grep '^net\.' | grep -v -e tcp_fastopen_key -e stable_secret
}

# Without -f, some versions list IPv4 only.
flows() {
	conntrack -L -o extended -f ipv4 && conntrack -L -o extended -f ipv6
}

take ip-link.json ip -j -d -s -s link
take ip-addr.json ip -j addr
take ip-route.json ip -j route show table all
take ip-neigh.json ip -j neigh
take bridge-fdb.json bridge -j fdb
take uname.txt uname -r
take netstat.txt cat /proc/net/netstat
take sysctl.txt sysctls

if command -v iptables-nft-save >/dev/null || command -v iptables-legacy-save >/dev/null; then
	for world in nft legacy; do
		if command -v "iptables-$world-save" >/dev/null; then
			take_rules "iptables-$world-save.txt" "iptables-$world-save"
		fi
	done
else
	take_rules iptables-save.txt iptables-save
fi

# Tables of nft's own, which iptables-save does not print, show in the list of chains.
if command -v nft >/dev/null; then
	take nft-chains.json nft -j list chains
fi

if command -v conntrack >/dev/null; then
	take conntrack.txt flows
else
	take conntrack.txt cat /proc/net/nf_conntrack
fi

printf '{"version": 1, "collectedAt": "%s", "cluster": "by hand", "tool": "by hand"}\n' \
	"$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$1/bundle.json"

if [ -f "$dir/collect-errors.txt" ]; then
	echo "$0: not everything of $node could be collected:" >&2
	cat "$dir/collect-errors.txt" >&2
	exit 1
fi
