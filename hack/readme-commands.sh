#!/bin/bash
# readme-commands.sh: run every command of README.md's sh blocks, in order, as a reader would. A comment "# exits N" behind
# a command says which exit code it must have; all others must exit 0. Run it as an ordinary user, as they would be.
set -euo pipefail
cd "$(dirname "$0")/.."
count=0
while IFS= read -r line <&3; do
	[ -n "$line" ] || continue
	want=0
	if [[ $line =~ \#\ exits\ ([0-9]+) ]]; then
		want=${BASH_REMATCH[1]}
	fi
	printf '\n== README: %s\n' "$line"
	got=0
	eval "$line" </dev/null || got=$?
	if [ "$got" != "$want" ]; then
		echo "README: \`$line\` exited $got, not $want" >&2
		exit 1
	fi
	count=$((count + 1))
done 3< <(awk '/^```sh$/{on=1; next} /^```$/{on=0} on' README.md)
echo
echo "$count commands of README.md, all as they say"
[ "$count" -ge 10 ]
