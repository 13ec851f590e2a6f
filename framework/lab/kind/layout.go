package kind

import (
	"net/netip"

	"github.com/netfault/netfault/framework/lab"
)

// layout is what a lab was when it was finished: enough to look at it when a part of it does not run and cannot be asked.
type layout struct {
	Flannel string `json:"flannel"`
	// FlannelRules and KubeProxy are the rules that the two write.
	FlannelRules lab.Rules      `json:"flannelRules"`
	KubeProxy    lab.Rules      `json:"kubeProxy"`
	Docker       string         `json:"docker"`
	Nodes        []recordedNode `json:"nodes"`
	Outside      netip.Addr     `json:"outside"`
	DNS          recordedDNS    `json:"dns"`
}

type recordedNode struct {
	Name    string       `json:"name"`
	Address netip.Addr   `json:"address"`
	PodCIDR netip.Prefix `json:"podCIDR"`
	Pod     recordedPod  `json:"pod"`
	Client  recordedPod  `json:"client"`
}

type recordedPod struct {
	Name    string      `json:"name"`
	Address netip.Addr  `json:"address"`
	Service lab.Service `json:"service"`
}

type recordedDNS struct {
	ClusterIP netip.Addr `json:"clusterIP"`
	Node      string     `json:"node"`
}

// layout is the lab's own, for its record.
func (l *Lab) layout() *layout {
	recorded := &layout{
		Flannel: l.flannel.Version(), FlannelRules: l.flannel.manifest.rules, KubeProxy: l.kubeProxy, Docker: l.docker, Outside: l.outside.Address,
		DNS: recordedDNS{ClusterIP: l.dns.ClusterIP, Node: l.dns.Node},
	}
	for _, n := range l.nodes {
		recorded.Nodes = append(recorded.Nodes, recordedNode{
			Name: n.name, Address: n.address, PodCIDR: n.podCIDR, Pod: recordPod(n.pod), Client: recordPod(n.client),
		})
	}
	return recorded
}

func recordPod(p lab.Pod) recordedPod {
	return recordedPod{Name: p.Name(), Address: p.Address, Service: p.Service}
}
