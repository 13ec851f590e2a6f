package detectors

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
)

// cluster is what a test bundle is made of: healthy at first, then changed by the test.
type cluster struct {
	leases []evidence.Lease
	nodes  map[string]*node
	probes []evidence.Probe
	// files replaces or adds files as they are; "" removes one.
	files map[string]string
}

// node is what the bundle says of one node.
type node struct {
	links, later []evidence.Link
	routes       []evidence.Route
	neighbours   []evidence.Neighbour
	fdb          []evidence.FDBEntry
}

// mac, vtepIP, podCIDR and publicIP are those of node n<i>.
func mac(i int) string      { return fmt.Sprintf("0e:00:00:00:00:%02x", i) }
func vtepIP(i int) string   { return fmt.Sprintf("10.244.%d.0", i) }
func podCIDR(i int) string  { return vtepIP(i) + "/24" }
func publicIP(i int) string { return fmt.Sprintf("192.168.7.%d", i) }

// other is an address that no node has.
const other = "0e:00:00:00:00:fe"

// healthy is a cluster of nodes n1, n2, … as flannel makes it with etcd.
func healthy(n int) *cluster {
	c := &cluster{nodes: map[string]*node{}, files: map[string]string{}}
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("n%d", i)
		c.leases = append(c.leases, evidence.Lease{
			Node: name, PodCIDR: podCIDR(i), PublicIP: publicIP(i), BackendType: "vxlan", VNI: 1, VtepMAC: mac(i), Source: evidence.FromEtcd,
		})
		nd := &node{
			links: []evidence.Link{
				{Index: 1, Name: "lo", Flags: []string{"LOOPBACK", "UP"}, Address: "00:00:00:00:00:00", Stats: &evidence.Stats64{}},
				{
					Index: 4, Name: "flannel.1", Flags: []string{"BROADCAST", "MULTICAST", "UP", "LOWER_UP"}, Address: mac(i),
					Info: &evidence.LinkInfo{Kind: "vxlan", Data: evidence.LinkData{ID: 1}}, Stats: &evidence.Stats64{},
				},
			},
			// What is not flannel's: the underlay, a pod, a link-local neighbour, and an orphan of an earlier VTEP.
			neighbours: []evidence.Neighbour{
				{Dst: "192.168.7.254", Dev: "eth0", LLAddr: "02:42:00:00:00:01", State: []string{"REACHABLE"}},
				{Dst: "10.1.1.9", Dev: "eth0", State: []string{"FAILED"}},
				{Dst: "fe80::1", Dev: "flannel.1", LLAddr: "02:42:00:00:00:02", State: []string{"STALE"}},
			},
			fdb: []evidence.FDBEntry{
				{MAC: "33:33:00:00:00:01", Dev: "eth0", Flags: []string{"self"}, State: "permanent"},
				{MAC: "0e:00:00:00:00:dd", Dev: "flannel.1", Dst: "192.168.7.77", Flags: []string{"self"}, State: "permanent"},
			},
		}
		for p := 1; p <= n; p++ {
			if p == i {
				continue
			}
			nd.neighbours = append(nd.neighbours, evidence.Neighbour{Dst: vtepIP(p), Dev: "flannel.1", LLAddr: mac(p), State: []string{"PERMANENT"}})
			nd.fdb = append(nd.fdb, evidence.FDBEntry{MAC: mac(p), Dev: "flannel.1", Dst: publicIP(p), Flags: []string{"self"}, State: "permanent"})
			nd.routes = append(nd.routes, evidence.Route{Dst: podCIDR(p), Gateway: vtepIP(p), Dev: "flannel.1", Flags: []string{"onlink"}})
			c.probes = append(c.probes, evidence.Probe{
				Kind: evidence.ProbePod, From: name, To: fmt.Sprintf("n%d", p), Source: fmt.Sprintf("10.244.%d.2", i),
				Target: fmt.Sprintf("10.244.%d.2:80", p), OK: true, AnsweredBy: fmt.Sprintf("pod-n%d", p), Seen: fmt.Sprintf("10.244.%d.2", i),
			})
		}
		c.nodes[name] = nd
	}
	return c
}

func (c *cluster) lease(name string) *evidence.Lease {
	for i := range c.leases {
		if c.leases[i].Node == name {
			return &c.leases[i]
		}
	}
	panic("no lease of " + name)
}

// flannel is the node's flannel.1.
func (n *node) flannel() *evidence.Link { return &n.links[1] }

// neighbour is the node's entry for node p.
func (n *node) neighbour(p int) *evidence.Neighbour {
	for i := range n.neighbours {
		if n.neighbours[i].Dst == vtepIP(p) {
			return &n.neighbours[i]
		}
	}
	panic("no neighbour " + vtepIP(p))
}

// forward is the node's FDB entry for node p.
func (n *node) forward(p int) *evidence.FDBEntry {
	for i := range n.fdb {
		if n.fdb[i].MAC == mac(p) {
			return &n.fdb[i]
		}
	}
	panic("no FDB entry " + mac(p))
}

// forget removes the node's neighbour or FDB entry, whichever it is a pointer to.
func forget[T any](list *[]T, entry *T) {
	for i := range *list {
		if &(*list)[i] == entry {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return
		}
	}
}

// fs writes the cluster as a bundle.
func (c *cluster) fs() fstest.MapFS {
	fsys := fstest.MapFS{}
	put := func(file string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		fsys[file] = &fstest.MapFile{Data: text}
	}
	put(evidence.InfoFile, evidence.Info{Version: 1, Tool: "a test"})
	put(evidence.LeasesFile, c.leases)
	put(evidence.ProbesFile, c.probes)
	for name, n := range c.nodes {
		put(evidence.NodeFile(name, evidence.LinkFile), n.links)
		if n.later != nil {
			put(evidence.NodeFile(name, evidence.LinkLaterFile), n.later)
		}
		put(evidence.NodeFile(name, evidence.RouteFile), append([]evidence.Route{}, n.routes...))
		put(evidence.NodeFile(name, evidence.NeighFile), n.neighbours)
		put(evidence.NodeFile(name, evidence.FDBFile), n.fdb)
	}
	for file, text := range c.files {
		if text == "" {
			delete(fsys, file)
			continue
		}
		fsys[file] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// annotate moves the leases into the annotations of cluster/nodes.json.
func (c *cluster) annotate() {
	var items []string
	for i, l := range c.leases {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":%q,"annotations":{"flannel.alpha.coreos.com/backend-type":"vxlan",`+
			`"flannel.alpha.coreos.com/backend-data":"{\"VNI\":%d,\"VtepMAC\":\"%s\"}","flannel.alpha.coreos.com/public-ip":%q}},"spec":{"podCIDR":%q}}`,
			l.Node, l.VNI, l.VtepMAC, l.PublicIP, l.PodCIDR))
		c.leases[i].Source = evidence.FromAnnotation
	}
	c.files[evidence.LeasesFile] = ""
	c.files[evidence.NodesFile] = `{"kind":"List","items":[` + strings.Join(items, ",") + "]}"
}

// judge runs one detector over the cluster.
func (c *cluster) judge(t *testing.T, d Detector) []Finding {
	t.Helper()
	return Run(context.Background(), evidence.New(c.fs()), []Detector{d}).Findings
}

// verdicts is what a test compares of findings: verdict, case, node and peer.
func verdicts(found []Finding) []string {
	var all []string
	for _, f := range found {
		words := []string{string(f.Verdict)}
		for _, w := range []string{f.Case, f.Node, f.Peer} {
			if w != "" {
				words = append(words, w)
			}
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// text is everything that a finding shows, for tests that look for a word in it.
func text(f Finding) string {
	out, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return string(out)
}
