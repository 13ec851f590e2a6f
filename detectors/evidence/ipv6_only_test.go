package evidence

import (
	"errors"
	"strings"
	"testing"
)

// Of a cluster of IPv6 alone there are leases, and none of IPv4's; among others, one of IPv6 alone is odd.
func TestLeasesOfIPv6Only(t *testing.T) {
	const only = `{"node":"n1","backendType":"vxlan","source":"etcd","ipv6":{"podCIDR":"fd00:1::/64","publicIP":"2001:DB8::1","vtepMAC":"0E:00:00:00:00:01"}}`
	b := bundleOf(LeasesFile, "["+only+"]")
	if _, _, err := b.Leases(); !errors.Is(err, ErrIPv6Only) {
		t.Errorf("leases: %v", err)
	}
	if got := b.LeasesIPv6(); len(got) != 1 || got[0].IPv6 != (LeaseIPv6{PodCIDR: "fd00:1::/64", PublicIP: "2001:db8::1", VtepMAC: "0e:00:00:00:00:01"}) {
		t.Errorf("of IPv6: %+v", got)
	}

	b = bundleOf(LeasesFile, "["+only+`,{"node":"n2","podCIDR":"10.1.2.0/24","publicIP":"10.0.0.2","backendType":"host-gw","source":"etcd"}]`)
	good, odd, err := b.Leases()
	if err != nil || len(good) != 1 || len(odd) != 1 || odd[0].Node != "n1" || !strings.Contains(odd[0].Err.Error(), "IPv6 alone") {
		t.Errorf("beside another: %+v, %+v, %v", good, odd, err)
	}
	if got := b.LeasesIPv6(); len(got) != 0 {
		t.Errorf("beside another, of IPv6 alone: %+v", got)
	}

	for was, is := range map[string]string{`"etcd"`: `"hand"`, `"n1"`: `""`, `fd00:1::/64`: `10.1.1.0/24`, `"vxlan"`: `""`} {
		if _, _, err := bundleOf(LeasesFile, "["+strings.Replace(only, was, is, 1)+"]").Leases(); err == nil || errors.Is(err, ErrIPv6Only) {
			t.Errorf("%s: %v", is, err)
		}
	}
}
