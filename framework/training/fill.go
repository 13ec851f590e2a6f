package training

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// Values fill the placeholders of texts and commands: {n1} is the node that plays the first part, whatever its name.
type Values map[string]string

// A placeholder is a word in braces. Of {each} and {rest}, a command is made for each node.
var placeholder = regexp.MustCompile(`\{[a-z0-9.]+\}`)

var (
	ofNode = `(\.(address|pods|vtep|mac|pod|podname|client|clientname|service|nodeport|clientport|restart|stop|start))?`
	ofLab  = regexp.MustCompile(`^\{((n[123]|each)` + ofNode + `|rest` + ofNode + `|host(\.address)?|network|bridge)\}$`)
	// ofFinding are those of the finding that a hint or a debrief is about.
	ofFinding = regexp.MustCompile(`^\{(node|peer|expected|actual|evidence(\.[1-9])?)\}$`)
)

func (p *parser) checkPlaceholders(line int, text string, finding bool) {
	for _, name := range placeholder.FindAllString(text, -1) {
		if !ofLab.MatchString(name) && !(finding && ofFinding.MatchString(name)) {
			p.fail(line, "unknown placeholder %s", name)
		}
	}
}

// ValuesOf are those of a lab as it is now.
func ValuesOf(ctx context.Context, l lab.Lab) (Values, error) {
	v := Values{
		"host": l.Outside().Name(), "host.address": l.Outside().Address.String(), "bridge": string(l.Pods()),
		// The pods' networks are those of flannel's default length within one of 16 bits.
		"network": podNetwork(l),
	}
	for i, n := range l.Nodes() {
		mac, err := vtepMAC(ctx, n)
		if err != nil {
			return nil, err
		}
		v.addNode(fmt.Sprintf("n%d", i+1), n, mac, l.Flannel().ByHand(n.Name()))
	}
	return v, nil
}

func (v Values) addNode(name string, n lab.Node, mac string, flanneld lab.ByHand) {
	v[name] = n.Name()
	for key, value := range map[string]string{
		"address": n.Address.String(), "pods": n.PodCIDR.String(), "vtep": n.VTEP().String(), "mac": mac,
		"pod": n.Pod.Address.String(), "podname": n.Pod.Name(), "client": n.Client.Address.String(), "clientname": n.Client.Name(),
		"service": n.Pod.Service.ClusterIP.String(), "nodeport": fmt.Sprint(n.Pod.Service.NodePort), "clientport": fmt.Sprint(n.Client.Service.NodePort),
		"restart": flanneld.Restart, "stop": flanneld.Stop, "start": flanneld.Start,
	} {
		v[name+"."+key] = value
	}
}

func podNetwork(l lab.Lab) string {
	network, err := l.Nodes()[0].PodCIDR.Addr().Prefix(16)
	if err != nil {
		return l.Nodes()[0].PodCIDR.String() // of an address that has no 16 bits, which no lab's has
	}
	return network.String()
}

// vtepMAC is the link address of a node's flannel.1 now; empty where there is none.
func vtepMAC(ctx context.Context, n lab.Node) (string, error) {
	out, err := machine.Output(ctx, n, "ip", "-j", "link", "show", "type", "vxlan")
	if err != nil {
		return "", err
	}
	var links []evidence.Link
	if err := json.Unmarshal(orEmptyList(out), &links); err != nil {
		return "", fmt.Errorf("%s: ip -j link: %w", n.Name(), err)
	}
	for _, link := range links {
		if link.Name == "flannel.1" {
			return link.Address, nil
		}
	}
	return "", nil
}

// orEmptyList is what iproute2 printed, some versions of which print nothing where there is nothing to list.
func orEmptyList(out []byte) []byte {
	if strings.TrimSpace(string(out)) == "" {
		return []byte("[]")
	}
	return out
}

// With adds the values of a finding.
func (v Values) With(f detectors.Finding) Values {
	all := Values{"node": f.Node, "peer": f.Peer, "expected": f.Expected, "actual": f.Actual}
	for i, line := range f.Evidence {
		all[fmt.Sprintf("evidence.%d", i+1)] = line.Text
	}
	all["evidence"] = all["evidence.1"]
	for key, value := range v {
		all[key] = value
	}
	return all
}

// Fill puts the values into a text. A placeholder without a value becomes a dash.
func (v Values) Fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if value := v[strings.Trim(name, "{}")]; value != "" {
			return value
		}
		return "–"
	})
}

// nodes is how many nodes the values are of.
func (v Values) nodes() int {
	n := 0
	for v[fmt.Sprintf("n%d", n+1)] != "" {
		n++
	}
	return n
}

// Typed is a command as it is typed on a machine.
type Typed struct{ Machine, Command string }

// Type fills commands in: those of {each} become one for each node, those of {rest} one for each node but the first.
func (v Values) Type(lines []Line) []Typed {
	var all []Typed
	for _, l := range lines {
		group, from := "", 1
		switch {
		case strings.Contains(l.Machine, "{each"):
			group = "each"
		case strings.Contains(l.Machine, "{rest"):
			group, from = "rest", 2
		}
		if group == "" {
			all = append(all, Typed{v.Fill(l.Machine), v.Fill(l.Command)})
			continue
		}
		for i := from; i <= v.nodes(); i++ {
			own := strings.NewReplacer("{"+group+"}", fmt.Sprintf("{n%d}", i), "{"+group+".", fmt.Sprintf("{n%d.", i))
			all = append(all, Typed{v.Fill(own.Replace(l.Machine)), v.Fill(own.Replace(l.Command))})
		}
	}
	return all
}

// At fills places in.
func (v Values) At(places []Place) []Place {
	var all []Place
	for _, p := range places {
		for _, t := range v.Type([]Line{{Machine: p.Machine, Command: strings.Join(p.Words, " ")}}) {
			all = append(all, Place{t.Machine, strings.Fields(t.Command)})
		}
	}
	return all
}

// Is reports whether a command that was run on a machine looks at the place: its words begin so, whatever options and other words are in
// between.
func (p Place) Is(machineName string, argv []string) bool {
	if machineName != p.Machine || len(argv) == 0 {
		return false
	}
	rest := argv
	for i, word := range p.Words {
		found := false
		for j, have := range rest {
			if i == 0 && j == 0 {
				have = have[strings.LastIndexByte(have, '/')+1:]
			}
			if have == word || i > 0 && short(have, word) {
				rest, found = rest[j+1:], true
				break
			}
			if i == 0 {
				return false
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// short reports whether a word is the other, longer or shorter: iproute2 takes "n" and "neighbour" for "neigh".
func short(have, word string) bool {
	return have != "" && (strings.HasPrefix(word, have) || strings.HasPrefix(have, word)) && !strings.HasPrefix(word, "-")
}
