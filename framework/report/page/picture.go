package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/fault"
)

// picture is the cluster with the ways on which packets were lost: a lane for each node, from its pods over flannel.1 to the
// underlay, which is a line at the side. It is narrow, so that it can be read on a phone.
type picture struct {
	Width, Height int
	// Top and Bottom are the ends of the underlay's line.
	Top, Bottom int
	Lanes       []lane
	Ways        []way
	// Left is how many nodes are not drawn.
	Left int
	// Measured says that the ways end where packets died, as the kernel told; if not, Why says why they end at the pods.
	Measured bool
	Why      string
	// None says why no way is drawn.
	None string
}

// lane is a node, or the host outside.
type lane struct {
	Node
	// Host says that it is no node: it has neither pods nor flannel.1.
	Host bool
	// Y is where it begins, Middle the height of its wire.
	Y, Middle int
	// ways is how many are drawn along it, past is how many pass flannel.1 by, and ends how many marks stand at each place.
	ways, past int
	ends       map[int]int
}

// way is one that packets went.
type way struct {
	Number int
	// Points is the line, as SVG has it, and X and Y are its end.
	Points string
	X, Y   int
	// Mark is what stands at the end: ✕ where packets died, ? where they were lost on the way, ≠ where they arrived changed.
	Mark string
	// Text says it in words.
	Text string
}

// Where things are in the picture, in its own units.
const (
	pictureWidth = 400
	laneHeight   = 106
	laneGap      = 12
	lanesTop     = 24
	wireHeight   = 70 // of the wire, from the lane's top: below the names

	below = 93 // of ways that pass flannel.1 by, below the boxes

	podLeft, podRight         = 20, 122
	bridgeLeft, bridgeRight   = 142, 202
	flannelLeft, flannelRight = 222, 312
	laneRight                 = 326
	firstDown                 = 338 // where the first way goes up or down along the underlay
	waySpace                  = 5   // between ways that go side by side
	markSpace                 = 28  // between marks at one place
)

// mostLanes and mostWays are how many are drawn: more cannot be told apart.
const (
	mostLanes = 8
	mostWays  = 8
)

// pictureOf draws a bundle, with the deaths of packets if there are any. It is nil without nodes.
func pictureOf(j *Judged, deaths *fault.Deaths) *picture {
	if j == nil || len(j.Nodes) == 0 {
		return nil
	}
	p := &picture{Width: pictureWidth, None: "Every probe does what it must."}
	if len(j.Probes) == 0 {
		p.None = "The bundle has no probes, so that it does not show whether packets are lost."
	}
	var ends []end
	switch {
	case deaths == nil:
		p.Why = "where they died was not measured: this is a bundle alone"
		ends = endsOfProbes(j)
	case deaths.NotMeasured != "":
		p.Why = "where they died was not measured: " + deaths.NotMeasured
		ends = endsOfProbes(j)
	default:
		ends = endsOfDrops(deaths.Drops)
		if p.Measured = len(ends) > 0; !p.Measured {
			p.Why = "the kernel dropped no packet of these connections"
			ends = endsOfProbes(j)
		}
	}
	p.lanes(j.Nodes, ends)
	for i, e := range ends[:min(len(ends), mostWays)] {
		p.way(i, e)
	}
	if n := len(ends) - mostWays; n > 0 {
		p.Why = strings.TrimPrefix(p.Why+"; ", "; ") + fmt.Sprintf("%d more ways are not drawn", n)
	}
	return p
}

// end is where packets from one node to another ended.
type end struct {
	from, to string
	// machine and iface are where they died; empty for those that were lost somewhere.
	machine, iface, mark, text string
}

func endsOfDrops(all []fault.DropsOf) []end {
	var ends []end
	for _, d := range all {
		text := fmt.Sprintf("%s → %s: %s drops them, %s (%s), %d packets", d.From, d.To, d.Place(), d.Class, d.Reason, d.Packets)
		ends = append(ends, end{d.From, d.To, d.Machine, d.Interface, "✕", text})
	}
	return ends
}

// endsOfProbes are the ways of probes that failed, one for each pair of nodes.
func endsOfProbes(j *Judged) []end {
	kinds := map[[2]string][]string{}
	changed := map[[2]string]bool{}
	var order [][2]string
	for _, p := range j.Probes {
		if failure(j.Nodes, p) == "" || p.From == p.To {
			continue
		}
		pair := [2]string{p.From, p.To}
		if kinds[pair] == nil {
			order = append(order, pair)
		}
		kinds[pair] = append(kinds[pair], p.Kind)
		changed[pair] = changed[pair] || p.OK
	}
	var ends []end
	for _, pair := range order {
		e := end{from: pair[0], to: pair[1], mark: "?", text: fmt.Sprintf("%s → %s: lost on the way (%s)", pair[0], pair[1], strings.Join(kinds[pair], ", "))}
		if changed[pair] {
			e.mark, e.text = "≠", fmt.Sprintf("%s → %s: arrives with another source address (%s)", pair[0], pair[1], strings.Join(kinds[pair], ", "))
		}
		ends = append(ends, e)
	}
	return ends
}

// lanes places the nodes, and the host outside where a way ends there. Of many, those that ways lead to are drawn.
func (p *picture) lanes(nodes []Node, ends []end) {
	concerned := func(name string) bool {
		return slices.ContainsFunc(ends, func(e end) bool { return name == e.from || name == e.to || name == e.machine })
	}
	shown := slices.Clone(nodes)
	for i := len(shown) - 1; i >= 0 && len(shown) > mostLanes; i-- {
		if !concerned(shown[i].Name) {
			shown = slices.Delete(shown, i, i+1)
		}
	}
	shown = shown[:min(len(shown), mostLanes)]
	p.Left = len(nodes) - len(shown)
	isNode := func(name string) bool {
		return slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == name })
	}
	y := lanesTop
	add := func(l lane) {
		l.Y, l.Middle, l.ends = y, y+wireHeight, map[int]int{}
		p.Lanes = append(p.Lanes, l)
		y += laneHeight + laneGap
	}
	for _, n := range shown {
		add(lane{Node: n})
	}
	for _, e := range ends {
		for _, name := range []string{e.to, e.machine} {
			if name != "" && !isNode(name) && nodeOfPod(nodes, name) == "" && p.laneOf(name) == nil {
				add(lane{Node: Node{Name: name}, Host: true})
			}
		}
	}
	p.Height = y
	p.Top, p.Bottom = lanesTop-8, p.Lanes[len(p.Lanes)-1].Middle
}

func (p *picture) laneOf(name string) *lane {
	for i := range p.Lanes {
		if p.Lanes[i].Name == name {
			return &p.Lanes[i]
		}
	}
	return nil
}

// nodeOfPod is the node of one of the lab's pods, which have its name in theirs: "pod-n1", "client-n1".
func nodeOfPod(nodes []Node, machine string) string {
	for _, n := range nodes {
		if strings.HasSuffix(machine, "-"+n.Name) {
			return n.Name
		}
	}
	return ""
}

// way draws the ith way, beside those before it.
func (p *picture) way(i int, e end) {
	w := way{Number: i + 1, Mark: e.mark, Text: e.text}
	from := p.laneOf(e.from)
	at, inPod := e.machine, false
	switch {
	case at == "":
		at, inPod = e.to, true
	case p.laneOf(at) == nil:
		at, inPod = e.to, true // one of its pods
	}
	to := p.laneOf(at)
	if from == nil || to == nil {
		p.Ways = append(p.Ways, way{Number: w.Number, Mark: e.mark, Text: e.text})
		return
	}
	down := firstDown + i*waySpace
	place := endX(to, e.iface, inPod)
	w.X = place - to.ends[place]*markSpace
	to.ends[place]++
	y := from.next()
	start := podRight - 8
	if from.Host {
		start = flannelRight - 8
	}
	switch overlay := e.machine == "" || strings.HasPrefix(e.iface, "flannel"); {
	case from == to:
		w.Y = y
		w.Points = fmt.Sprintf("%d,%d %d,%d", start, y, w.X, y)
	case overlay:
		w.Y = to.next()
		w.Points = fmt.Sprintf("%d,%d %d,%d %d,%d %d,%d", start, y, down, y, down, w.Y, w.X, w.Y)
	default: // not by VXLAN
		w.Y = to.next()
		w.Points = strings.Join([]string{from.beside(start, y, down), to.besideBack(w.X, w.Y, down)}, " ")
	}
	p.Ways = append(p.Ways, w)
}

// next is the height at which the next way goes along the lane: beside the wire, above and below in turn.
func (l *lane) next() int {
	l.ways++
	side := 1 - l.ways%2*2
	return l.Middle + side*(l.ways+1)/2*waySpace
}

// beside is a way out of the lane that passes flannel.1 by, and besideBack one into it.
func (l *lane) beside(x, y, down int) string {
	if l.Host {
		return fmt.Sprintf("%d,%d %d,%d", x, y, down, y)
	}
	bottom, turn := l.turn()
	return fmt.Sprintf("%d,%d %d,%d %d,%d %d,%d", x, y, turn, y, turn, bottom, down, bottom)
}

func (l *lane) besideBack(x, y, down int) string {
	if l.Host || x > flannelLeft {
		return fmt.Sprintf("%d,%d %d,%d", down, y, x, y)
	}
	bottom, turn := l.turn()
	return fmt.Sprintf("%d,%d %d,%d %d,%d %d,%d", down, bottom, turn, bottom, turn, y, x, y)
}

// turn is where the next way that passes flannel.1 by goes below it, and where it turns to that.
func (l *lane) turn() (bottom, turn int) {
	n := min(l.past, 3)
	l.past++
	return l.Y + below + 3*n, flannelLeft - 5 - 4*n
}

// endX is where at a lane a way ends.
func endX(l *lane, iface string, inPod bool) int {
	switch {
	case l.Host:
		return flannelRight - 16
	case inPod:
		return podRight - 16
	case strings.HasPrefix(iface, "flannel"):
		return flannelRight - 16
	case slices.Contains(bridges, iface):
		return bridgeRight - 16
	}
	return laneRight
}

// Title is what the picture shows, for those who do not see it.
func (p *picture) Title() string {
	var names []string
	for _, l := range p.Lanes {
		names = append(names, l.Name)
	}
	var ways []string
	for _, w := range p.Ways {
		ways = append(ways, w.Text)
	}
	if len(ways) == 0 {
		return strings.Join(names, ", ") + " on one underlay. " + p.None
	}
	return strings.Join(names, ", ") + " on one underlay; " + strings.Join(ways, "; ")
}
