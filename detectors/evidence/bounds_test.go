package evidence

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// What is right at the end of what is allowed, and wrong behind it.
func TestBounds(t *testing.T) {
	name := func(n int) string { return strings.Repeat("n", n) }
	lease := func(vni, vni6 int) string {
		return fmt.Sprintf(`[{"node":"n1","podCIDR":"10.244.1.0/24","publicIP":"172.18.0.2","backendType":"vxlan","vni":%d,"vtepMAC":"0e:00:00:00:00:01","source":"etcd",`+
			`"ipv6":{"podCIDR":"fd00:10:244:1::/64","publicIP":"fd00:7::1","vni":%d,"vtepMAC":"0e:00:00:00:00:61"}}]`, vni, vni6)
	}
	oddLease := func(text string) error {
		_, odd, err := bundleOf(LeasesFile, text).Leases()
		if len(odd) > 0 {
			return odd[0].Err
		}
		return err
	}
	neighbours := func(member string) error {
		text := `[{"dst":"10.0.0.1","dev":"e0","state":[],"x":` + member + `}]`
		return drain(bundleOf(NodeFile("n1", NeighFile), text).Neighbours("n1"))
	}
	subnet := func(mtu int) error {
		text := fmt.Sprintf("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=%d\nFLANNEL_IPMASQ=true\n", mtu)
		_, err := bundleOf(NodeFile("n1", SubnetFile), text).Subnet("n1")
		return err
	}
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for what, errs := range map[string][2]error{
		"a node's name":            {CheckNodeName(name(253)), CheckNodeName(name(254))},
		"an object's name":         {metadata{Namespace: "a", Name: name(253)}.check(), metadata{Namespace: "a", Name: name(254)}.check()},
		"a VNI":                    {oddLease(lease(maxVNI, 1)), oddLease(lease(maxVNI+1, 1))},
		"a VNI of IPv6":            {oddLease(lease(1, maxVNI)), oddLease(lease(1, maxVNI+1))},
		"an MTU":                   {subnet(1), subnet(0)},
		"how long an entry is":     {neighbours(`"` + name(maxEntry-1000) + `"`), neighbours(`"` + name(maxEntry) + `"`)},
		"how deep an entry is":     {neighbours(nested(maxDepth - 2)), neighbours(nested(maxDepth - 1))},
		"a letter of UTF-8's 0x80": {neighbours(`"À"`), neighbours("\"\x80\"")},
	} {
		if errs[0] != nil || errs[1] == nil {
			t.Errorf("%s: right %v, wrong %v", what, errs[0], errs[1])
		}
	}
}

// Addresses that are read without allocating are the same as those that the library reads.
func TestOddAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"0e:00:00:00:00:01": true, "0e-00-00-00-00-01": true, "0ex00x00x00x00x01": false, "zz:00:00:00:00:00": false, "00:00:00:00:00:zz": false,
	} {
		if _, err := ParseMAC(text); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]bool{"10.0.0.1": true, "10.0.0.1.2": false, "10.0.0": false, "10.0.0.": false, "10..0.1": false, "10.0.0.256": false, "10.0.0.01": false} {
		if _, ok := ParseIPv4(text); ok != want {
			t.Errorf("%s: %t", text, ok)
		}
	}
}

// What `ip` prints without -j begins with a word or an address.
func TestTextInThePlaceOfJSON(t *testing.T) {
	for text, want := range map[string]bool{
		"a": true, "z": true, "0": true, "9": true, " \n10.0.0.1 dev e0": true, "default via 10.0.0.1": true,
		"": false, "null": false, "{": false, "/": false, ":": false, "`": false, "A": false,
	} {
		if got := isText([]byte(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestABundleInMemoryCanBeClosed(t *testing.T) {
	if err := bundleOf().Close(); err != nil {
		t.Error(err)
	}
}

// A packet of a raw link without a byte has no version.
func TestAnEmptyRawPacket(t *testing.T) {
	if first, ok := firstLayer(layers.LinkTypeRaw, nil); !ok || first != layers.LayerTypeIPv4 {
		t.Errorf("%v, %t", first, ok)
	}
}

func TestWhatNodesSayOfThemselves(t *testing.T) {
	const node = `{"items":[{"metadata":{"name":"n1",%s}}]}`
	for metadata, want := range map[string]KubeNode{
		`"labels":{}`: {},
		`"labels":{"kubernetes.io/os":"windows","beta.kubernetes.io/os":"linux"}`: {OS: "windows"},
		`"labels":{"beta.kubernetes.io/os":"windows"}`:                            {OS: "windows"},
		`"labels":{"node-role.kubernetes.io/control-plane":""}`:                   {Server: true},
		`"labels":{"node-role.kubernetes.io/master":""}`:                          {Server: true},
		`"annotations":{"k3s.io/node-args":"[\"server\"]"}`:                       {Server: true},
		`"annotations":{"k3s.io/node-args":"[\"agent\"]"}`:                        {},
		`"annotations":{"flannel.alpha.coreos.com/public-ip":"10.0.0.1"}`:         {Traces: true},
		`"annotations":{"flannel.alpha.coreos.com/a":"","z":"","y":"","x":""}`:    {Traces: true},
		`"annotations":{"z":"","y":"","x":""}`:                                    {},
	} {
		nodes, err := bundleOf(NodesFile, fmt.Sprintf(node, metadata)).KubeNodes()
		if err != nil || len(nodes) != 1 {
			t.Errorf("%s: %v, %v", metadata, nodes, err)
			continue
		}
		if got := nodes[0]; got.OS != want.OS || got.Server != want.Server || got.Traces != want.Traces {
			t.Errorf("%s: %+v", metadata, got)
		}
	}
}

func TestWhenAPodIsReady(t *testing.T) {
	for conditions, want := range map[string]bool{
		``:                                  false,
		`{"type":"Ready","status":"True"}`:  true,
		`{"type":"Ready","status":"False"}`: false,
		`{"type":"PodScheduled","status":"True"}`:                                     false,
		`{"type":"Ready","status":"True"},{"type":"PodScheduled","status":"True"}`:    true,
		`{"type":"Ready","status":"True"},{"type":"PodScheduled","status":"False"}`:   true,
		`{"type":"PodScheduled","status":"True"},{"type":"Ready","status":"False"}`:   false,
		`{"type":"PodScheduled","status":"False"},{"type":"Initialized","status":""}`: false,
	} {
		text := fmt.Sprintf(`{"items":[{"metadata":{"namespace":"a","name":"p"},"status":{"phase":"Running","conditions":[%s]}}]}`, conditions)
		for p, err := range bundleOf(PodsFile, text).Pods() {
			if err != nil || p.Ready != want {
				t.Errorf("%s: %+v, %v", conditions, p, err)
			}
		}
	}
}

// The family of a default route, whose text does not say it, is told by where it stands.
func TestFamiliesOfDefaultRoutes(t *testing.T) {
	const main, local = `{"dst":"10.0.0.0/24","dev":"e0"}`, `{"type":"local","dst":"10.0.0.1","dev":"e0","table":"local"}`
	const unnamed = `{"dst":"default","dev":"tun0"}`
	for _, c := range []struct {
		rows []string
		want []bool
	}{
		{[]string{main, unnamed}, []bool{false, false}},
		{[]string{main, local, unnamed}, []bool{false, false, true}},
		{[]string{local, main, unnamed}, []bool{false, false, false}},
		{[]string{local, unnamed}, []bool{false, false}},
		{[]string{`{"dst":"default","gateway":"fe80::1","dev":"e0"}`, `{"dst":"10.0.0.0/24","gateway":"fe80::1","dev":"e0"}`}, []bool{true, false}},
		{[]string{`{"dst":"default","gateway":"10.0.0.254","dev":"e0"}`}, []bool{false}},
		{[]string{main, main, main, unnamed}, []bool{false, false, false, false}},
	} {
		var got []bool
		for r, err := range bundleOf(NodeFile("n1", RouteFile), "["+strings.Join(c.rows, ",")+"]").Routes("n1") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r.IPv6)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.rows, got, c.want)
		}
	}
}
