package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/go-json-experiment/json"
)

// flannel's annotations of a Kubernetes Node with the default prefix (flannel pkg/subnet/kube/annotations.go).
const (
	annotationPrefix   = "flannel.alpha.coreos.com/"
	annotationType     = annotationPrefix + "backend-type"
	annotationData     = annotationPrefix + "backend-data"
	annotationPublicIP = annotationPrefix + "public-ip"
	annotationDataV6   = annotationPrefix + "backend-v6-data"
	annotationPublicV6 = annotationPrefix + "public-ipv6"
)

// KubeNode is what is read of one item of `kubectl get nodes -o json`.
type KubeNode struct {
	Name string
	// PodCIDR is the first IPv4 network of the node's pods, which is the one that flannel leases; empty if it has none.
	PodCIDR string
	// Leased says that the node has all of flannel's annotations.
	Leased bool
	// OS is "linux" or "windows"; empty if nothing says it.
	OS string
	// Kubelet is its version, such as "v1.30.2+k3s1"; empty if nothing says it.
	Kubelet string
	// Server says that the node runs the control plane, as k3s tells its servers from its agents.
	Server bool
	// RKE says that Rancher's RKE made the node, and Calico that Calico runs on it, beside flannel or in its place.
	RKE, Calico bool
	// RKE2Flannel says that the node was told to have flannel in the place of Canal, RKE2's default; servers are told.
	RKE2Flannel bool
	// MicroK8s says that Canonical's MicroK8s made the node, whose services are those of a snap.
	MicroK8s bool
	// Traces says that the node has some of flannel's annotations.
	Traces bool
	// NoKubelet says that no kubelet has ever reported of the node: it was made by hand, such as that of a load balancer that
	// is to have a VTEP, or something that is no machine stands for it.
	NoKubelet bool
	// Pos is its place in the file.
	Pos Pos
}

// KubeNodes returns the Kubernetes nodes in cluster/nodes.json. Where there is no such file, there are none.
func (b *Bundle) KubeNodes() ([]KubeNode, error) {
	f := b.nodesFile()
	if errors.Is(f.err, fs.ErrNotExist) {
		return nil, nil
	}
	return f.nodes, f.err
}

// kubeNode is the JSON of a KubeNode.
type kubeNode struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
		Labels      map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		PodCIDR  string   `json:"podCIDR"`
		PodCIDRs []string `json:"podCIDRs"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"conditions"`
		NodeInfo *struct {
			KubeletVersion  string `json:"kubeletVersion"`
			OperatingSystem string `json:"operatingSystem"`
		} `json:"nodeInfo"`
	} `json:"status"`
}

// nodesFile is what cluster/nodes.json says: the leases in the annotations, and the nodes.
type nodesFile struct {
	leases *leaseList
	nodes  []KubeNode
	err    error
}

// nodesFile reads the file once: whoever asks for leases asks for the nodes as well.
func (b *Bundle) nodesFile() nodesFile {
	type key struct{}
	return Shared(b, key{}, b.readNodesFile)
}

func (b *Bundle) readNodesFile() nodesFile {
	t := &leaseList{file: NodesFile}
	var nodes []KubeNode
	err := b.decode(NodesFile, func(d *decoder) error {
		return d.arrayIn("items", "kubectl get nodes -o json", func() error {
			var n kubeNode
			if err := d.value(&n); err != nil {
				return err
			}
			if CheckNodeName(n.Metadata.Name) == nil {
				nodes = append(nodes, n.node(d.at))
			} else if !n.annotated() {
				return CheckNodeName(n.Metadata.Name)
			}
			if n.annotated() {
				l, err := n.lease()
				t.add(l, d.at, err)
			} else if n.annotatedIPv6() {
				t.add(n.leaseIPv6(), d.at, nil)
			}
			return nil
		})
	})
	t.settle()
	return nodesFile{t, nodes, err}
}

func (n *kubeNode) node(at Pos) KubeNode {
	k := KubeNode{Name: n.Metadata.Name, PodCIDR: n.podCIDR(), Leased: n.annotated() || n.annotatedIPv6(), Pos: at}
	for _, label := range []string{"kubernetes.io/os", "beta.kubernetes.io/os"} {
		if k.OS == "" {
			k.OS = n.Metadata.Labels[label]
		}
	}
	if info := n.Status.NodeInfo; info != nil {
		k.Kubelet = info.KubeletVersion
		if info.OperatingSystem != "" {
			k.OS = strings.ToLower(info.OperatingSystem)
		}
		k.NoKubelet = info.KubeletVersion == ""
	}
	for _, key := range []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"} {
		_, role := n.Metadata.Labels[key]
		k.Server = k.Server || role
	}
	_, k.MicroK8s = n.Metadata.Labels["microk8s.io/cluster"]
	for key, value := range n.Metadata.Annotations {
		k.Traces = k.Traces || strings.HasPrefix(key, annotationPrefix)
		k.RKE = k.RKE || strings.HasPrefix(key, "rke.cattle.io/")
		k.Calico = k.Calico || strings.HasPrefix(key, "projectcalico.org/")
		k.RKE2Flannel = k.RKE2Flannel || key == "rke2.io/node-args" && strings.Contains(value, `"--cni","flannel"`)
		k.Server = k.Server || key == "k3s.io/node-args" && strings.HasPrefix(value, `["server"`)
	}
	for _, c := range n.Status.Conditions {
		// The node controller gives this reason for as long as no kubelet has written a status.
		k.NoKubelet = k.NoKubelet || k.Kubelet == "" && c.Type == "Ready" && c.Reason == "NodeStatusNeverUpdated"
	}
	return k
}

func (n *kubeNode) annotated() bool {
	for _, key := range []string{annotationType, annotationData, annotationPublicIP} {
		if n.Metadata.Annotations[key] == "" {
			return false
		}
	}
	return true
}

// annotatedIPv6 reports whether the node is one of a cluster of IPv6 alone, and has flannel's annotations of that.
func (n *kubeNode) annotatedIPv6() bool {
	p, err := netip.ParsePrefix(n.podCIDR())
	if err != nil || p.Addr().Is4() {
		return false
	}
	for _, key := range []string{annotationType, annotationDataV6, annotationPublicV6} {
		if n.Metadata.Annotations[key] == "" {
			return false
		}
	}
	return true
}

// leaseIPv6 reads the annotations of IPv6 alone.
func (n *kubeNode) leaseIPv6() Lease {
	return Lease{Node: n.Metadata.Name, BackendType: n.Metadata.Annotations[annotationType], Source: FromAnnotation, IPv6: n.ofIPv6()}
}

// ofIPv6 reads what the annotations say of IPv6. Without an address it is odd.
func (n *kubeNode) ofIPv6() LeaseIPv6 {
	data, _ := n.backendData(annotationDataV6)
	return LeaseIPv6{PodCIDR: n.podCIDRv6(), PublicIP: n.Metadata.Annotations[annotationPublicV6], VNI: data.VNI, VtepMAC: data.VtepMAC}
}

// lease reads the annotations as flannel does (nodeToLease in pkg/subnet/kube/kube.go).
func (n *kubeNode) lease() (Lease, error) {
	l := Lease{
		Node:        n.Metadata.Name,
		PodCIDR:     n.podCIDR(),
		PublicIP:    n.Metadata.Annotations[annotationPublicIP],
		BackendType: n.Metadata.Annotations[annotationType],
		Source:      FromAnnotation,
	}
	if l.BackendType != "vxlan" {
		return l, nil
	}
	data, err := n.backendData(annotationData)
	if err != nil {
		return l, err
	}
	l.VNI, l.VtepMAC = data.VNI, data.VtepMAC
	// Without IPv6 the annotation is missing, or says that there is none.
	if v6 := n.Metadata.Annotations[annotationDataV6]; v6 != "" && v6 != "null" {
		l.IPv6 = n.ofIPv6()
	}
	return l, nil
}

// backendData is what flannel's VXLAN backend notes of a VTEP.
type backendData struct {
	VNI     int
	VtepMAC string
}

func (n *kubeNode) backendData(annotation string) (data backendData, err error) {
	if err := json.Unmarshal([]byte(n.Metadata.Annotations[annotation]), &data); err != nil {
		return data, fmt.Errorf("node %q: annotation %s: %v", n.Metadata.Name, annotation, err)
	}
	return data, nil
}

// podCIDR returns the first IPv4 network of the node, which is the one that flannel leases.
func (n *kubeNode) podCIDR() string {
	for _, c := range n.Spec.PodCIDRs {
		if p, err := netip.ParsePrefix(c); err == nil && p.Addr().Is4() {
			return c
		}
	}
	return n.Spec.PodCIDR
}

// podCIDRv6 returns the first IPv6 network of the node; empty if it has none.
func (n *kubeNode) podCIDRv6() string {
	for _, c := range append(n.Spec.PodCIDRs, n.Spec.PodCIDR) {
		if p, err := netip.ParsePrefix(c); err == nil && p.Addr().Is6() {
			return c
		}
	}
	return ""
}
