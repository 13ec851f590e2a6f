#!/bin/bash
# first-build.sh: builds netfault by the command that it is given, where nothing is built yet, which takes about a minute, and says how far
# it is. Of the tools that are built next, netfault says so itself.
set -euo pipefail
packages=$(CGO_ENABLED=0 go list -deps ./cmd/... | wc -l)
compiled=0
# With -v, the go command names each package when it compiles it. What else it says are downloads and errors.
env "$@" -v -o bin/ ./cmd/... 2>&1 | while IFS= read -r line; do
	if [[ "$line" = *[:\ ]* ]]; then
		echo "$line"
	elif [ $((++compiled % 50)) = 0 ]; then
		echo "netfault: $compiled of $packages packages compiled"
	fi
done >&2
