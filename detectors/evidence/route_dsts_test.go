package evidence

import (
	"slices"
	"testing"
)

// Both readers of routes say the same, of what old versions print as well.
func TestRouteDstsAreThoseOfRoutes(t *testing.T) {
	for _, text := range []string{
		ipRoute, `[{"local","dst":"10.0.0.1","dev":"lo","table":"local"},{"dst":"10.1.0.0/16","dev":"e0"}]`, `[]`,
	} {
		b := bundleOf(NodeFile("n1", RouteFile), text)
		want, err := collect(b.Routes("n1"), func(r Route) string { return r.Dst + " " + r.Table })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for r, err := range b.RouteDsts("n1") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(r.Dst)+" "+string(r.Table))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "[", `[{"dev":"e0"}]`, "default via 10.0.0.1"} {
		if err := drain(bundleOf(NodeFile("n1", RouteFile), text).RouteDsts("n1")); err == nil {
			t.Errorf("%q is no list of routes", text)
		}
	}
}
