#!/bin/sh
# Collects one node's part of a netfault evidence bundle with standard tools, as root on the node itself:
#   collect-evidence.sh [--later] FOLDER [NODE]
# writes FOLDER/nodes/NODE/ and FOLDER/bundle.json. NODE is the node's name in Kubernetes (`uname -n` if left out).
# With --later, some minutes after the first time, it adds what counts once more, so that counters can be seen to grow.
# What cannot be collected is left out and named in collect-errors.txt. docs/EVIDENCE.md has the rest.
set -u
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

later=
if [ "${1-}" = --later ]; then
	later=-later
	shift
fi
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: $0 [--later] FOLDER [NODE]" >&2
	exit 2
fi
node=${2:-$(uname -n)}
dir=$1/nodes/$node
# The rule is Kubernetes's (RFC 1123), and that of detect: words of a-z, 0-9 and '-' with '.' between, 253 characters at most.
wrong=
case $node in
'' | *[!a-z0-9.-]* | [!a-z0-9]* | *[!a-z0-9] | *..* | *.-* | *-.*) wrong=1 ;;
esac
if [ -n "$wrong" ] || [ ${#node} -gt 253 ]; then
	echo "$0: '$node' is not a node name: give the one that 'kubectl get nodes' shows" >&2
	exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "$0: iptables-save and conntrack need root" >&2
	exit 1
fi
if [ -n "$later" ] && ! [ -f "$dir/ip-link.json" ]; then
	echo "$0: $dir has nothing yet: run $0 without --later first" >&2
	exit 1
fi
if [ -z "$later" ] && [ -e "$dir" ] || [ -e "$dir/ip-link-later.json" ]; then
	echo "$0: $dir is there already: name another folder, or remove it first" >&2
	exit 1
fi
mkdir -p "$dir" || exit 1
errors=$dir/collect-errors$later.txt

# fail FILE REASON
fail() {
	rm -f "$dir/$1.part"
	printf '%s: %s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')" >>"$errors"
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

# take_json FILE COMMAND [ARGUMENT]...: as take, but for JSON: some versions print text in spite of -j, and end well.
take_json() {
	take "$@"
	[ -f "$dir/$1" ] || return 0
	case $(head -c 1 "$dir/$1")$(tail -c 2 "$dir/$1" | tr -d '\n') in
	'['*']' | '{'*'}') ;;
	*)
		rm -f "$dir/$1"
		fail "$1" "$2 printed no JSON: it is older than Linux 4.17, see docs/EVIDENCE.md, Old nodes"
		return 0
		;;
	esac
	# Routes of Linux 4.17 to 5.2 are no JSON to the letter, and are read all the same.
	if [ "$1" != ip-route.json ] && command -v jq >/dev/null && ! jq -c --stream . "$dir/$1" >/dev/null 2>&1; then
		rm -f "$dir/$1"
		fail "$1" "$2 printed JSON that jq cannot read"
	fi
}

# take_rules COMMAND: no rules at all are said so, since an empty file looks like a failure. Later, rules that have counted
# nothing are left out: they have not grown.
take_rules() {
	file=$1$later.txt
	take "$file" "$1" -c
	if [ -f "$dir/$file" ] && ! [ -s "$dir/$file" ]; then
		echo "# $1 printed nothing: there are no tables" >"$dir/$file"
	fi
	if [ -n "$later" ] && [ -f "$dir/$file" ]; then
		take "$file" grep -v '^\[0:0\] ' "$dir/$file"
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

# The features of VXLAN links, of the links that these go out by, and of bridges.
features() {
	links=$(ip -o -d link show type vxlan && ip -o -d link show type bridge) || return 1
	links=$(printf '%s\n' "$links" | sed -n 'h; s/^[0-9]*: \([^:@]*\).*/\1/p; g; s/.* vxlan .* dev \([^ ]*\) .*/\1/p' | sort -u)
	[ -n "$links" ] || echo '# there is neither a VXLAN link nor a bridge'
	for link in $links; do
		ethtool -k "$link" || return 1
	done
}

# The address, which says where the kernel has put itself, is left out.
modules() {
	cut -d ' ' -f 1-5 /proc/modules | grep '^br_netfilter ' || echo '# br_netfilter is not in /proc/modules'
}

# Legacy iptables' tables. Without the file, its module is not loaded, and there are none.
legacy_tables() {
	names=
	if [ -e /proc/net/ip_tables_names ]; then
		names=$(cat /proc/net/ip_tables_names) || return 1
	fi
	printf '%s\n' "${names:-# legacy iptables has no tables}"
}

# What `nft -j list ruleset` prints, without the tables of IPv6 and those that iptables-nft-save printed. Later, for counters
# alone, the elements of sets are left out.
ruleset() {
	tables=$(nft list tables) || return 1
	between=
	printf '{"nftables": ['
	printf '%s\n' "$tables" | while read -r _ family name; do
		case $family in
		'' | ip6) continue ;;
		ip) if grep -qx "\*$name" "$dir/iptables-nft-save.txt" 2>/dev/null; then continue; fi ;;
		esac
		table=$(nft -j ${later:+-t} list table "$family" "$name") || exit 1
		printf '%s' "$between"
		printf '%s\n' "$table" | sed -e 's/^{"nftables": \[//' -e 's/\]}$//'
		between=', '
	done || return 1
	printf ']}\n'
}

take_json "ip-link$later.json" ip -j -d -s -s link
take "netstat$later.txt" cat /proc/net/netstat
take "snmp$later.txt" cat /proc/net/snmp
if command -v conntrack >/dev/null; then
	take "conntrack-stats$later.txt" conntrack -S
else
	take "conntrack-stats$later.txt" cat /proc/net/stat/nf_conntrack
fi

if command -v iptables-nft-save >/dev/null || command -v iptables-legacy-save >/dev/null; then
	for world in nft legacy; do
		if command -v "iptables-$world-save" >/dev/null; then
			take_rules "iptables-$world-save"
		fi
	done
else
	take_rules iptables-save
fi

# Tables of nft's own, which iptables-save does not print.
if command -v nft >/dev/null; then
	take "nft-ruleset$later.json" ruleset
fi

if [ -z "$later" ]; then
	take_json ip-addr.json ip -j addr
	take_json ip-route.json ip -j route show table all
	take_json ip-rule.json ip -j rule
	take_json ip-neigh.json ip -j neigh show nud all
	take_json bridge-fdb.json bridge -j fdb
	take uname.txt uname -r
	take modules.txt modules
	take ip-tables-names.txt legacy_tables
	take subnet.env cat /run/flannel/subnet.env
	take sysctl.txt sysctls
	if command -v ethtool >/dev/null; then
		take ethtool.txt features
	fi
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
fi

if [ -f "$errors" ]; then
	echo "$0: not everything of $node could be collected:" >&2
	cat "$errors" >&2
	exit 1
fi
