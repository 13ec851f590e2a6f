package rekey

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"

	"github.com/netfault/netfault/detectors/evidence"
)

// rewriteRoutes re-keys `ip -j route show table all`. What versions of ip print that write no JSON stays as wrong as it is, but for
// metrics, which nobody reads.
func rewriteRoutes(n *Names, data []byte) ([]byte, string, error) {
	if json.Valid(data) {
		return rewriteRouteList(n, data)
	}
	repaired, err := io.ReadAll(evidence.OldRoutes(bytes.NewReader(data)))
	if err != nil {
		return nil, "", err
	}
	out, note, err := rewriteRouteList(n, repaired)
	return namedType.ReplaceAll(out, []byte(`{$1`)), note, err
}

// namedType is the beginning of a route with a type.
var namedType = regexp.MustCompile(`\{"type":("[a-z]+")`)

var rewriteRouteList = rewriteJSON(list1(object(map[string]shape{
	"type": keywordOf, "dst": addressOf, "gateway": addressOf, "dev": interfaced, "table": keywordOf, "protocol": keywordOf,
	"scope": keywordOf, "prefsrc": addressOf, "metric": number, "flags": keywordsOf, "from": addressOf, "pref": keywordOf,
})))
