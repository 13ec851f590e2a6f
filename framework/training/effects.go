package training

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/kstate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/undo"
)

// Told is a line in each language. What programs print stands in it as they print it.
type Told map[Language]string

func told(english, chinese string) Told { return Told{English: english, Chinese: chinese} }

// paths are connections that do not do what they must, by what they are and where they lead. Of each, the same is told on every check, so
// that a learner sees what has changed.
type paths map[string]Told

// failing are the probes that fail, and why.
func failing(l lab.Lab, probes []evidence.Probe) paths {
	p := paths{}
	for _, r := range probes {
		if why := probe.Failure(l, r); why != "" {
			path := pathOf(r)
			p[path[English]] = told(path[English]+": "+why, path[Chinese]+"："+inChinese(why))
		}
	}
	return p
}

// pathOf is a probe's path as a person says it.
func pathOf(p evidence.Probe) Told {
	switch p.Kind {
	case evidence.ProbeEgress:
		return told(fmt.Sprintf("pods of %s → outside the cluster", p.From), fmt.Sprintf("%s 的 Pod → 集群外", p.From))
	case evidence.ProbeNodePort:
		return told(fmt.Sprintf("NodePort of %s → a pod of %s", p.From, p.To), fmt.Sprintf("%s 的 NodePort → %s 的 Pod", p.From, p.To))
	case evidence.ProbeDNS:
		return told(fmt.Sprintf("pods of %s → the cluster's DNS", p.From), fmt.Sprintf("%s 的 Pod → 集群的 DNS", p.From))
	case evidence.ProbeService:
		return told(fmt.Sprintf("pods of %s → the Service of a pod of %s", p.From, p.To), fmt.Sprintf("%s 的 Pod → %s 的 Pod 的 Service", p.From, p.To))
	case evidence.ProbeLarge:
		return told(fmt.Sprintf("pods of %s → pods of %s, large packets", p.From, p.To), fmt.Sprintf("%s 的 Pod → %s 的 Pod，大包", p.From, p.To))
	}
	return told(fmt.Sprintf("pods of %s → pods of %s", p.From, p.To), fmt.Sprintf("%s 的 Pod → %s 的 Pod", p.From, p.To))
}

// lines are the paths with the reason of each, sorted.
func (p paths) lines() []Told {
	var all []Told
	for _, path := range slices.Sorted(maps.Keys(p)) {
		all = append(all, p[path])
	}
	return all
}

// both are the paths that are in o as well, and those that are not.
func (p paths) both(o paths) (in, out paths) {
	in, out = paths{}, paths{}
	for path, line := range p {
		if _, ok := o[path]; ok {
			in[path] = line
		} else {
			out[path] = line
		}
	}
	return in, out
}

// toldAll are lines that the lab says, each once: what fails on every try is one thing to know.
func toldAll(lines []string) []Told {
	var all []Told
	for i, line := range lines {
		if slices.Contains(lines[:i], line) {
			continue
		}
		all = append(all, Why(line))
	}
	return all
}

// damage lists what somebody has taken away or put over what was there, in terms of effects. What stands in neither of the states
// before, and can lead packets past what was healed, is a patch that nobody else knows of.
func damage(before undo.Recorded, faulty Faulty, now undo.Recorded) []Told {
	var all []Told
	for _, gone := range undo.Gone(before, faulty.Recorded, now) {
		all = append(all, told("gone, and was there before: "+gone, "以前有，现在没有了："+inChinese(gone)))
	}
	for name, list := range newWays(now, before, faulty.Recorded) {
		for _, way := range list {
			if !slices.Contains(faulty.NoiseWays[name], way) {
				all = append(all, told(
					fmt.Sprintf("packets of %s take a way that was not there before, and that nothing on the cluster keeps: %s", name, way),
					fmt.Sprintf("%s 的包走了一条以前没有的路，集群中没有谁会维护它：%s", name, inChinese(way))))
			}
		}
	}
	slices.SortFunc(all, func(a, b Told) int { return cmp.Compare(a[English], b[English]) })
	return all
}

// ways are by what a machine decides where packets go: links, routes and policy rules. Routes are known by where they lead, since
// whoever writes one anew need not write all of its attributes alike.
func ways(s kstate.State) []string {
	var all []string
	for _, l := range s.Links {
		all = append(all, "link "+l.Name)
	}
	for _, r := range s.Routes {
		all = append(all, "route "+r.Object+leads(r.Text))
	}
	for _, r := range s.Rules {
		all = append(all, "policy rule "+r.Object+" "+r.Text)
	}
	return all
}

// newWays are those that were in none of the states before, by machine.
func newWays(now undo.Recorded, before ...undo.Recorded) map[string][]string {
	all := map[string][]string{}
	for name, m := range now.Machines {
		var had []string
		for _, b := range before {
			had = append(had, ways(b.Machines[name].Network)...)
		}
		for _, way := range ways(m.Network) {
			if !slices.Contains(had, way) {
				all[name] = append(all[name], way)
			}
		}
	}
	return all
}

// leads are the gateway and the link of a route.
func leads(text string) string {
	words := strings.Fields(text)
	var to string
	for i, word := range words[:max(0, len(words)-1)] {
		if word == "via" || word == "dev" {
			to += " " + word + " " + words[i+1]
		}
	}
	return cmp.Or(to, " "+text)
}
