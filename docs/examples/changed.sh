#!/bin/sh
# changed.sh BUNDLE: a detector for `netfault gate`, see ../GATE.md. It says which pods are seen under another address than their own.
# It needs jq, and uses netfault's own names for what it finds.
set -u
probes="$1/cluster/probes.json"

# report FINDINGS CODE prints the report and ends.
report() {
	jq -cn --argjson findings "$1" '{version: 2, findings: [$findings[] + {detector: "source-address"}]}'
	exit "$2"
}

[ -e "$probes" ] || report '[{"verdict": "not-applicable"}]' 0
found=$(jq -c '
	if any(.[] | .from, .to; test("^[a-z0-9][a-z0-9.-]*$") | not) then error("a node has a name that none can have") else . end
	| [.[] | select(.kind == "pod")] as $pods
	| [$pods[] | select(.ok and (.seen // "") != "" and (.source // "") != "" and .seen != .source)
		| {verdict: "problem", case: "changed", node: .from, peer: .to}]
	| unique
	| if any($pods[]; .untried) then . + [{verdict: "unknown"}]
	  elif . == [] then [{verdict: "clean"}] else . end
' "$probes") || report '[{"verdict": "unknown"}]' 2
case $found in
*'"problem"'*) report "$found" 1 ;;
*'"unknown"'*) report "$found" 2 ;;
'') report '[{"verdict": "unknown"}]' 2 ;;
esac
report "$found" 0
