package lab

import (
	"net/netip"
	"strings"
	"testing"
)

func TestSiteCheck(t *testing.T) {
	prefix := netip.MustParsePrefix
	for name, c := range map[string]struct {
		site Site
		want string // in the error; empty if it is fine
	}{
		"nothing chosen":         {Site{}, ""},
		"all chosen":             {Site{[]string{"a", "b1"}, []string{"b1", "a"}, prefix("10.1.2.0/24"), prefix("10.2.0.0/16"), prefix("10.3.0.0/16")}, ""},
		"a name too long":        {Site{Nodes: []string{"sixteen-letters-"}}, "up to 15"},
		"a name with a dot":      {Site{Nodes: []string{"a.b"}}, "letters, digits"},
		"the host outside":       {Site{Nodes: []string{"a", "host"}}, "other machines"},
		"a pod's name":           {Site{Nodes: []string{"a", "pod-a"}}, "other machines"},
		"one name twice":         {Site{Nodes: []string{"a", "a"}}, "one name"},
		"a part for nobody":      {Site{Nodes: []string{"a", "b"}, Parts: []string{"a", "c"}}, "the parts are for a, c"},
		"a part too few":         {Site{Nodes: []string{"a", "b"}, Parts: []string{"a"}}, "the parts are for a,"},
		"a pod network of a /24": {Site{PodNetwork: prefix("10.2.3.0/24")}, "/16"},
		"an IPv6 underlay":       {Site{Underlay: prefix("fd00::/24")}, "IPv4"},
		"an address in it":       {Site{PodNetwork: prefix("10.2.3.0/16")}, "/16"},
		"two that overlap":       {Site{Underlay: prefix("10.2.3.0/24"), PodNetwork: prefix("10.2.0.0/16")}, "overlap"},
	} {
		err := c.site.Check()
		switch {
		case err == nil && c.want != "":
			t.Errorf("%s: no error, want %q", name, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
