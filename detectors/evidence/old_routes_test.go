package evidence

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
)

func TestOldRoutes(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a type without a name":       {`[{"local","dst":"127.0.0.1"},{ "unreachable","dst":"10.0.0.0/8"}]`, `[{"type":"local","dst":"127.0.0.1"},{ "type":"unreachable","dst":"10.0.0.0/8"}]`},
		"metrics as text":             {`[{"dst":"a","metrics":[1400 10 ],"dev":"x"}]`, `[{"dst":"a","metrics":[],"dev":"x"}]`},
		"metrics with names":          {`[{"metrics":["rtt":12,"congestion":"bbr"]},{"local","dst":"b"}]`, `[{"metrics":[]},{"type":"local","dst":"b"}]`},
		"newer metrics":               {`[{"metrics":[{"mtu":1400}]}]`, `[{"metrics":[{"mtu":1400}]}]`},
		"within a string":             {`[{"a":"{\"local\",","b":"\\"}]`, `[{"a":"{\"local\",","b":"\\"}]`},
		"a quote within a string":     {`[{"\"{":",x","b":"c"}]`, `[{"\"{":",x","b":"c"}]`},
		"a string of one letter":      {`[{"{":",x"},{"local","dst":"b"}]`, `[{"{":",x"},{"type":"local","dst":"b"}]`},
		"a backslash":                 {`[{"a\\":1},{"local","dst":"b"}]`, `[{"a\\":1},{"type":"local","dst":"b"}]`},
		"an array, where it is right": {`[["local","dst"]]`, `[["local","dst"]]`},
		"a longer text is no type":    {`[{"a-text-that-is-none",1]`, `[{"a-text-that-is-none",1]`},
		"metrics cut off":             {`[{"metrics":[14`, `[{"metrics":[`},
		"cut off in a type":           {`[{"loc`, `[{"loc`},
		"nothing":                     {``, ``},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			got, err := io.ReadAll(newOldRoutes(r))
			if err != nil || string(got) != c.want {
				t.Errorf("%s: got %s, %v\nwant %s", name, got, err, c.want)
			}
		}
	}
}

// Quotations must name the line of the file as it is.
func TestOldRoutesKeepTheirPlaces(t *testing.T) {
	const file = `[{"local","dst":"1.1.1.1"},
{"dst":"2.2.2.2","metrics":[1 2 3 4 5 6 7 8 9 10 11 12 ]},
{"local","dst":"3.3.3.3"},
{"dst":"4.4.4.4"}]`
	name := NodeFile("n1", RouteFile)
	b := New(fstest.MapFS{name: {Data: []byte(file)}})
	for r, err := range b.Routes("n1") {
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.LastIndex(file[:strings.Index(file, r.Dst)], "{"); int(r.Pos)-1 != want {
			t.Errorf("%s is at byte %d, want %d", r.Dst, r.Pos-1, want)
		}
	}
}

// FuzzOldRoutes checks that what is JSON stays as it is.
func FuzzOldRoutes(f *testing.F) {
	f.Add(`[{"type":"local","dst":"a","metrics":[{"mtu":1400}],"flags":[]}]`)
	f.Add(`[{"local","dst":"a"},{"metrics":[1 ]}]`)
	f.Fuzz(func(t *testing.T, in string) {
		got, err := io.ReadAll(newOldRoutes(strings.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		// Metrics may be any JSON: those are left out that no version of ip prints.
		if json.Valid([]byte(in)) && string(got) != in && !strings.Contains(in, `"metrics":[`) {
			t.Errorf("%s became %s", in, got)
		}
	})
}

func TestOldBridgeAndText(t *testing.T) {
	b := New(fstest.MapFS{
		NodeFile("old", FDBFile):    {Data: []byte(`[{"mac":"02:00:00:00:00:01","dev":"flannel.1","dst":"192.168.7.1","state":"permanent"}]`)},
		NodeFile("text", FDBFile):   {Data: []byte("02:00:00:00:00:01 dev flannel.1 dst 192.168.7.1 self permanent\n")},
		NodeFile("text", NeighFile): {Data: []byte("10.244.1.0 dev flannel.1 lladdr 02:00:00:00:00:01 PERMANENT\n")},
		NodeFile("text", RouteFile): {Data: []byte("default via 192.168.7.254 dev eth0\n")},
		NodeFile("text", LinkFile):  {Data: []byte("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n")},
	})
	for row, err := range b.FDB("old") {
		if err != nil || string(row.Dev) != "flannel.1" {
			t.Errorf("got %+v, %v", row, err)
		}
	}
	var errs []error
	for _, err := range b.FDB("text") {
		errs = append(errs, err)
	}
	for _, err := range b.Neighbours("text") {
		errs = append(errs, err)
	}
	for _, err := range b.Routes("text") {
		errs = append(errs, err)
	}
	for _, err := range b.Links("text", LinkFile) {
		errs = append(errs, err)
	}
	if len(errs) != 4 {
		t.Fatalf("got %v", errs)
	}
	for _, err := range errs {
		if !errors.Is(err, errText) {
			t.Errorf("got %v", err)
		}
	}
}
