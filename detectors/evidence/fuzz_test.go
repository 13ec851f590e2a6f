package evidence

import (
	"bytes"
	stdjson "encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// scanned reads text with the scanner, through a buffer of the given size and a reader that returns little at a time.
func scanned(text []byte, buffer int) (rows []string, err error) {
	cols := []column{{name: `"dst"`}, {name: `"dev"`}, {name: `"state"`, raw: true}}
	err = scanRows(iotest.HalfReader(bytes.NewReader(text)), make([]byte, buffer), cols, func(Pos) error {
		rows = append(rows, strings.Join([]string{string(cols[0].value), string(cols[1].value), string(cols[2].value)}, "|"))
		return nil
	})
	return rows, err
}

// decoded reads text as scanned does, with the JSON package.
func decoded(text []byte, opts ...jsontext.Options) (rows []string, err error) {
	var all []jsontext.Value
	if err := json.Unmarshal(text, &all, json.JoinOptions(opts...)); err != nil {
		return nil, err
	}
	for _, one := range all {
		var row struct {
			Dst   string         `json:"dst"`
			Dev   string         `json:"dev"`
			State jsontext.Value `json:"state"`
		}
		if err := json.Unmarshal(one, &row, json.JoinOptions(opts...)); err != nil {
			return nil, err
		}
		if string(row.State) == "null" {
			row.State = nil
		}
		rows = append(rows, strings.Join([]string{row.Dst, row.Dev, string(row.State)}, "|"))
	}
	return rows, nil
}

// A buffer keeps bytes of what it held before, which must not be taken for the end of a file that is cut short.
func TestScannerBuffers(t *testing.T) {
	for n := range len(ipNeigh) {
		text := []byte(ipNeigh[:n])
		want, wantErr := scanned(text, 64<<10)
		for _, buffer := range []int{2, 3, 8, 50, 100, 200} {
			got, err := scanned(text, buffer)
			if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%q with a buffer of %d bytes:\n%q, %v\nwant %q, %v", text, buffer, got, err, want, wantErr)
			}
		}
	}
}

// onlyObjects reports whether text is an array of objects, given that it is JSON.
func onlyObjects(text []byte) bool {
	var all []jsontext.Value
	return json.Unmarshal(text, &all) == nil && all != nil && !slices.ContainsFunc(all, func(v jsontext.Value) bool { return v.Kind() != '{' })
}

// FuzzScanner holds the scanner between two decoders: what it accepts, a decoder that ignores duplicate names reads with
// the same values, and encoding/json finds to be JSON; what a decoder that refuses duplicate names accepts, it accepts.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		ipNeigh, bridgeFDB, ipNeighDetailed, ipLink, "[]", "", " [ ] ", "[{}]", "[{},{}]", "[{},]", "[,{}]", "[{}", "{}", "null",
		`[{"dst":"a","dst":"b"}]`, `[{"x":1,"x":2}]`, `[{"dst":null,"state":null}]`, `[{"d\u0073t":"\ud83d\ude00"}]`,
		`[{"dst":"\ud800"}]`, `[{"x":"\ud800"}]`, "[{\"dst\":\"\xff\"}]", `[{"dst":"é"}]`, `[{"x":[1,-0,0.5,1e9,1E-2,{"y":[]}]}]`,
		`[{"x":01}]`, `[{"x":-}]`, `[{"x":1.}]`, `[{"x":.5}]`, `[{"x":1e}]`, `[{"x":+1}]`, `[{"x":tru}]`, `[{"x":nul}]`, `[{"x":truee}]`,
		`[{"x":"\u12"}]`, `[{"x":"\q"}]`, `[{"x":"\`, `[{"x":{"a":1,}}]`, `[{"x":[1,]}]`, `[{"x" 1}]`, `[{"x":1 "y":2}]`, "[{\"x\":\"a\tb\"}]",
		"[{\"dst\":\"0123456\x7f89abcde\\\"f\"}]", `[{"x":[}]}]`, `[{"x":{]}}]`, `[{"dst":7}]`, `[{"dst":"a"}] x`, "\ufeff[]", "[{\"\x00\":1}]",
		"[{\"dst\":\"\x80\x81\x82\x83\x84\x85\x86\x87\"}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := scanned(text, 64<<10)
		small, smallErr := scanned(text, 2)
		if !slices.Equal(rows, small) || (err == nil) != (smallErr == nil) {
			t.Fatalf("the buffer's size matters:\n%q, %v\n%q, %v", rows, err, small, smallErr)
		}
		if err == nil {
			if !stdjson.Valid(text) || !utf8.Valid(text) {
				t.Fatal("accepts what is not JSON in UTF-8")
			}
			want, wantErr := decoded(text, jsontext.AllowDuplicateNames(true))
			if wantErr != nil || !slices.Equal(rows, want) {
				t.Fatalf("reads %q, a decoder %q, %v", rows, want, wantErr)
			}
		} else if want, wantErr := decoded(text); wantErr == nil && onlyObjects(text) {
			t.Fatalf("refuses %q: %v", want, err)
		}
	})
}

// fuzzFile checks that the reader of one file never panics, and that its errors name the file.
func fuzzFile(f *testing.F, file string, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
		f.Add([]byte(seed[:len(seed)/2]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := readers[file](bundleOf(file, string(text))); err != nil {
			wantFileError(t, err, file, "")
		} else if !utf8.Valid(text) || !stdjson.Valid(text) {
			t.Error("accepts what is not JSON in UTF-8")
		}
	})
}

func FuzzInfo(f *testing.F)       { fuzzFile(f, InfoFile, infoJSON) }
func FuzzLeases(f *testing.F)     { fuzzFile(f, LeasesFile, leasesJSON) }
func FuzzKubeNodes(f *testing.F)  { fuzzFile(f, NodesFile, nodesJSON) }
func FuzzProbes(f *testing.F)     { fuzzFile(f, ProbesFile, probesJSON) }
func FuzzLinks(f *testing.F)      { fuzzFile(f, NodeFile("n1", LinkFile), ipLink) }
func FuzzAddrs(f *testing.F)      { fuzzFile(f, NodeFile("n1", AddrFile), ipAddr) }
func FuzzRoutes(f *testing.F)     { fuzzFile(f, NodeFile("n1", RouteFile), ipRoute) }
func FuzzNeighbours(f *testing.F) { fuzzFile(f, NodeFile("n1", NeighFile), ipNeigh, ipNeighDetailed) }
func FuzzFDB(f *testing.F)        { fuzzFile(f, NodeFile("n1", FDBFile), bridgeFDB) }
func FuzzNFTChains(f *testing.F)  { fuzzFile(f, NodeFile("n1", NFTChainsFile), nftChains) }
func FuzzPolicy(f *testing.F)     { fuzzFile(f, NodeFile("n1", PolicyFile), ipRule) }
func FuzzServices(f *testing.F)   { fuzzFile(f, ServicesFile, servicesJSON) }
func FuzzEndpoints(f *testing.F)  { fuzzFile(f, EndpointSlicesFile, endpointSlicesJSON) }
func FuzzPods(f *testing.F)       { fuzzFile(f, PodsFile, podsJSON) }
func FuzzDaemonSets(f *testing.F) { fuzzFile(f, DaemonSetsFile, daemonSetsJSON) }
func FuzzKubeProxy(f *testing.F)  { fuzzFile(f, KubeProxyFile, kubeProxyJSON) }

// FuzzParseMAC holds ParseMAC to net.ParseMAC.
func FuzzParseMAC(f *testing.F) {
	for _, seed := range []string{"0e:00:00:00:00:11", "0E-00-00-00-00-11", "0e00.0000.0011", "00:00:00:00:00:00", "0e:00:00:00:00:1", "0e:00:00:00:00:1g", "0e:00:00:00-00:11", "02:00:5e:10:00:00:00:01", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseMAC(s)
		want, wantErr := net.ParseMAC(s)
		if ok := wantErr == nil && len(want) == 6; ok != (err == nil) || ok && got.String() != want.String() {
			t.Fatalf("%q: got %s, %v, want %s, %v", s, got, err, want, wantErr)
		}
	})
}

// FuzzParseIPv4 holds ParseIPv4 to netip.ParseAddr.
func FuzzParseIPv4(f *testing.F) {
	for _, seed := range []string{"10.244.1.0", "255.255.255.255", "0.0.0.0", "256.1.1.1", "01.1.1.1", "1.1.1", "1.1.1.1.", ".1.1.1", "1..1.1", "1.1.1.1.1", "::1", "::ffff:1.2.3.4", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseIPv4(s)
		want, err := netip.ParseAddr(s)
		if wantOK := err == nil && want.Is4(); ok != wantOK || ok && got.String() != want.String() {
			t.Fatalf("%q: got %s, %v, want %s, %v", s, got, ok, want, err)
		}
	})
}
