package kstate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/safchain/ethtool"
)

// readOffloads returns, by link, the offloads that are asked for, in the words of ethtool -k and separated by spaces. What
// becomes of them depends on each other and on the driver, and is not compared.
func readOffloads(links []Link) (map[string]string, error) {
	tool, err := ethtool.NewEthtool()
	if err != nil {
		return nil, fmt.Errorf("ethtool: %w", err)
	}
	defer tool.Close()
	offloads := make(map[string]string, len(links))
	for _, l := range links {
		features, err := tool.FeaturesWithState(l.Name)
		if err != nil {
			return nil, fmt.Errorf("offloads of %s: %w", l.Name, err)
		}
		var on []string
		for name, f := range features {
			if f.Available && f.Requested {
				on = append(on, name)
			}
		}
		slices.Sort(on)
		offloads[l.Name] = strings.Join(on, " ")
	}
	return offloads, nil
}

// diffOffloads leaves out links that only one of the two has, which are told by themselves.
func diffOffloads(want, got State) []Difference {
	var diffs []Difference
	for _, l := range want.Links {
		w, ok := want.Offloads[l.Name]
		if !ok {
			continue // a state recorded by a netfault that did not look
		}
		g, ok := got.Offloads[l.Name]
		if ok && w != g {
			wantOnly, gotOnly := onlyIn(w, g), onlyIn(g, w)
			diffs = append(diffs, Difference{KindOffload, l.Name, signed("on ", wantOnly, "off ", gotOnly), signed("off ", wantOnly, "on ", gotOnly)})
		}
	}
	return diffs
}

func onlyIn(a, b string) []string {
	in := strings.Fields(b)
	return slices.DeleteFunc(strings.Fields(a), func(name string) bool { return slices.Contains(in, name) })
}

func signed(aSign string, a []string, bSign string, b []string) string {
	var parts []string
	for _, name := range a {
		parts = append(parts, aSign+name)
	}
	for _, name := range b {
		parts = append(parts, bSign+name)
	}
	return strings.Join(parts, ", ")
}

func (r *restorer) offloads() {
	for _, d := range diffOffloads(r.want, r.got) {
		r.failed(d.Kind, d.Object, setOffloads(d.Object, r.want.Offloads[d.Object], r.got.Offloads[d.Object]))
	}
}

func setOffloads(link, want, got string) error {
	tool, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("ethtool: %w", err)
	}
	defer tool.Close()
	change := map[string]bool{}
	for _, name := range onlyIn(want, got) {
		change[name] = true
	}
	for _, name := range onlyIn(got, want) {
		change[name] = false
	}
	return tool.Change(link, change)
}
