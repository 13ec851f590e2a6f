package flannel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
)

// tableOf reads routes of n1, as `ip -j route` prints them.
func tableOf(t *testing.T, ipv6 bool, rows ...string) *RouteTable {
	t.Helper()
	files := fstest.MapFS{evidence.NodeFile("n1", evidence.RouteFile): {Data: []byte("[" + strings.Join(rows, ",\n") + "]")}}
	table, _, err := readRoutes(evidence.New(files), "n1", ipv6)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTheFirstOfTwoRoutesCounts(t *testing.T) {
	table := tableOf(t, false, `{"dst":"10.244.2.0/24","dev":"first"}`, `{"dst":"10.244.2.0/24","dev":"second"}`,
		`{"dst":"10.244.3.0/24","dev":"far","metric":100}`, `{"dst":"10.244.3.0/24","dev":"near","metric":50}`)
	for cidr, want := range map[string]string{"10.244.2.0/24": "first", "10.244.3.0/24": "near"} {
		if r, ok := table.Covering(netip.MustParsePrefix(cidr)); !ok || r.Dev != want {
			t.Errorf("%s: %+v, want %s", cidr, r, want)
		}
	}
}

// Of IPv6, the default route is no route to a network, and no network's route is the default one.
func TestRoutesOfIPv6(t *testing.T) {
	table := tableOf(t, true, `{"dst":"10.244.2.0/24","dev":"flannel.1"}`,
		`{"dst":"fd00:10:244:2::/64","dev":"flannel-v6.1","pref":"medium"}`, `{"dst":"default","gateway":"fd00:7::fe","dev":"eth0","pref":"medium"}`)
	for cidr, want := range map[string]string{"fd00:10:244:2::/64": "flannel-v6.1", "fd00:10:244:3::/64": "eth0"} {
		if r, ok := table.Covering(netip.MustParsePrefix(cidr)); !ok || r.Dev != want {
			t.Errorf("%s: %+v, want %s", cidr, r, want)
		}
	}
	if r, ok := table.Covering(netip.MustParsePrefix("10.244.2.0/24")); ok {
		t.Errorf("a route of IPv4: %+v", r)
	}
}

func TestFlannelLink(t *testing.T) {
	with := tableOf(t, false, `{"dst":"10.0.0.0/24","dev":"eth0"}`, `{"dst":"10.244.2.0/24","dev":"flannel.7"}`)
	without := tableOf(t, false, `{"dst":"10.0.0.0/24","dev":"eth0"}`)
	for _, test := range []struct {
		table *RouteTable
		vni   int
		want  string
	}{{with, 0, "flannel.7"}, {with, 3, "flannel.3"}, {without, 0, "flannel.1"}} {
		if got := test.table.FlannelLink(test.vni); got != test.want {
			t.Errorf("VNI %d: %s, want %s", test.vni, got, test.want)
		}
	}
}

// By which interfaces packets leave to a network that one route has as a whole, and others in part.
func TestWaysTo(t *testing.T) {
	const whole = `{"dst":"10.244.2.0/24","dev":"flannel.1"}`
	for _, test := range []struct {
		name string
		rows []string
		want string
	}{
		{"as a whole", []string{whole}, "flannel.1 [10.244.2.0/24] but []; "},
		{"a part by the same interface", []string{whole, `{"dst":"10.244.2.0/25","dev":"flannel.1"}`}, "flannel.1 [10.244.2.0/24] but []; "},
		{"a part by another", []string{whole, `{"dst":"10.244.2.0/25","dev":"eth0"}`}, "eth0 [10.244.2.0/25] but []; flannel.1 [10.244.2.0/24] but [10.244.2.0/25]; "},
		{"a part that goes nowhere", []string{whole, `{"type":"blackhole","dst":"10.244.2.0/25"}`}, "flannel.1 [10.244.2.0/24] but [10.244.2.0/25]; "},
		{"a part that goes nowhere, by the same interface", []string{whole, `{"type":"prohibit","dst":"10.244.2.0/25","dev":"flannel.1"}`},
			"flannel.1 [10.244.2.0/24] but [10.244.2.0/25]; "},
		{"parts alone", []string{`{"dst":"10.244.2.0/25","dev":"cali1"}`, `{"dst":"10.244.2.128/25","dev":"cali1"}`},
			"cali1 [10.244.2.0/25 10.244.2.128/25] but []; "},
		{"nowhere as a whole, and a part by an interface", []string{`{"type":"blackhole","dst":"10.244.2.0/24"}`, `{"dst":"10.244.2.5","dev":"cali1"}`},
			"cali1 [10.244.2.5/32] but []; "},
	} {
		sides := Sides{}
		if err := tableOf(t, false, test.rows...).WaysTo(netip.MustParsePrefix("10.244.2.0/24"), sides, true); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		got := ""
		for _, s := range sides.List() {
			got += fmt.Sprintf("%s %v but %v; ", s.Dev, s.Addrs, s.Except)
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
