#!/usr/bin/env python3
"""unanswered.py BUNDLE: a detector for `netfault gate`, see ../GATE.md. It says which pods get no answer from another node's."""
import json
import re
import sys


def judge(probes):
    """Yields what there is to say: problems, and what is unknown; or else one finding that is neither."""
    pods = [p for p in probes if p["kind"] == "pod"]
    if not all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", p[end]) for p in probes for end in ("from", "to")):
        raise ValueError("a node has a name that none can have")
    broken = sorted({(p["from"], p["to"]) for p in pods if not p.get("untried") and not p["ok"]})
    for node, peer in broken:
        yield {"verdict": "problem", "case": "no-reply", "node": node, "peer": peer}
    if any(p.get("untried") for p in pods):
        yield {"verdict": "unknown"}
    elif not broken:
        yield {"verdict": "clean" if pods else "not-applicable"}


try:
    with open(sys.argv[1] + "/cluster/probes.json") as file:
        found = list(judge(json.load(file)))
except FileNotFoundError:
    found = [{"verdict": "not-applicable"}]
except (ValueError, KeyError, TypeError) as damaged:
    print(damaged, file=sys.stderr)
    found = [{"verdict": "unknown"}]
print(json.dumps({"version": 2, "findings": [{"detector": "unanswered", **f} for f in found]}))
verdicts = {f["verdict"] for f in found}
sys.exit(1 if "problem" in verdicts else 2 if "unknown" in verdicts else 0)
