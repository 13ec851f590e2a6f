package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/go-json-experiment/json"
)

// flannel's annotations of a Kubernetes Node with the default prefix (flannel pkg/subnet/kube/annotations.go).
const (
	annotationType     = "flannel.alpha.coreos.com/backend-type"
	annotationData     = "flannel.alpha.coreos.com/backend-data"
	annotationPublicIP = "flannel.alpha.coreos.com/public-ip"
)

// maxVNI is the largest VXLAN network identifier (RFC 7348: 24 bits).
const maxVNI = 1<<24 - 1

// Leases returns flannel's leases in the order of their file: cluster/leases.json or, where that does not exist, the
// annotations in cluster/nodes.json, passing over nodes without them (see Unleased). Every lease is checked, its
// addresses are IPv4 and its VtepMAC in lower case; two leases of one node are an error, and so is a file without any.
func (b *Bundle) Leases() ([]Lease, error) {
	file := LeasesFile
	leases, err := b.leasesFile()
	if errors.Is(err, fs.ErrNotExist) {
		file = NodesFile
		leases, _, err = b.nodesFile()
		if errors.Is(err, fs.ErrNotExist) {
			why := missing{b.whyMissing(LeasesFile)}
			if why.why == "" {
				return nil, fileError(LeasesFile, fmt.Errorf("%w, and so is %s", why, NodesFile))
			}
			return nil, fileError(LeasesFile, why)
		}
	}
	if err == nil && len(leases) == 0 {
		err = fileError(file, errors.New("no lease in it"))
	}
	return leases, err
}

// Unleased returns the names of the Kubernetes nodes in cluster/nodes.json that lack one of flannel's annotations: their
// pods have no place in flannel's network. Where there is no such file, there are none.
func (b *Bundle) Unleased() ([]string, error) {
	_, unleased, err := b.nodesFile()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return unleased, err
}

func (b *Bundle) leasesFile() ([]Lease, error) {
	var leases []Lease
	seen := map[string]bool{}
	err := b.decode(LeasesFile, func(d *decoder) error {
		return d.array(func() error {
			l := Lease{File: LeasesFile}
			if err := d.value(&l); err != nil {
				return err
			}
			if l.Source != FromEtcd && l.Source != FromAnnotation {
				return fmt.Errorf("lease of %q: source %q: want %q or %q", l.Node, l.Source, FromEtcd, FromAnnotation)
			}
			if err := checkLease(&l, seen); err != nil {
				return err
			}
			l.Pos = d.at
			leases = append(leases, l)
			return nil
		})
	})
	return leases, err
}

// checkLease returns an error that names the node unless l can be relied on, and brings its VtepMAC into lower case.
func checkLease(l *Lease, seen map[string]bool) error {
	if err := CheckNodeName(l.Node); err != nil {
		return err
	}
	if seen[l.Node] {
		return fmt.Errorf("node %s has two leases", l.Node)
	}
	seen[l.Node] = true
	fail := func(field, value, want string) error {
		return fmt.Errorf("lease of %s: %s %q: want %s", l.Node, field, value, want)
	}
	if cidr, err := netip.ParsePrefix(l.PodCIDR); err != nil || !cidr.Addr().Is4() || cidr != cidr.Masked() {
		return fail("pod CIDR", l.PodCIDR, "an IPv4 network such as 10.244.1.0/24")
	}
	if _, ok := ParseIPv4(l.PublicIP); !ok {
		return fail("public IP", l.PublicIP, "an IPv4 address")
	}
	switch l.BackendType {
	case "":
		return fail("backend type", "", `a name such as "vxlan"`)
	case "vxlan":
		mac, err := ParseMAC(l.VtepMAC)
		if err != nil || mac == 0 {
			return fail("VTEP MAC", l.VtepMAC, "an Ethernet address")
		}
		l.VtepMAC = mac.String()
		if l.VNI < 1 || l.VNI > maxVNI {
			return fmt.Errorf("lease of %s: VNI %d: want 1 to %d", l.Node, l.VNI, maxVNI)
		}
	}
	return nil
}

// kubeNode is what is read of one item of `kubectl get nodes -o json`.
type kubeNode struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		PodCIDR  string   `json:"podCIDR"`
		PodCIDRs []string `json:"podCIDRs"`
	} `json:"spec"`
}

// nodesFile returns the leases in the annotations of cluster/nodes.json and the names of the nodes without them.
func (b *Bundle) nodesFile() (leases []Lease, unleased []string, err error) {
	seen := map[string]bool{}
	err = b.decode(NodesFile, func(d *decoder) error {
		return d.arrayIn("items", "kubectl get nodes -o json", func() error {
			var n kubeNode
			if err := d.value(&n); err != nil {
				return err
			}
			if !annotated(&n) {
				if err := CheckNodeName(n.Metadata.Name); err != nil {
					return err
				}
				unleased = append(unleased, n.Metadata.Name)
				return nil
			}
			l, err := n.lease()
			if err != nil {
				return err
			}
			if err := checkLease(&l, seen); err != nil {
				return err
			}
			l.Pos = d.at
			leases = append(leases, l)
			return nil
		})
	})
	return leases, unleased, err
}

func annotated(n *kubeNode) bool {
	for _, key := range []string{annotationType, annotationData, annotationPublicIP} {
		if n.Metadata.Annotations[key] == "" {
			return false
		}
	}
	return true
}

// lease reads the annotations as flannel does (nodeToLease in pkg/subnet/kube/kube.go).
func (n *kubeNode) lease() (Lease, error) {
	l := Lease{
		Node:        n.Metadata.Name,
		PodCIDR:     n.podCIDR(),
		PublicIP:    n.Metadata.Annotations[annotationPublicIP],
		BackendType: n.Metadata.Annotations[annotationType],
		Source:      FromAnnotation,
		File:        NodesFile,
	}
	if l.BackendType != "vxlan" {
		return l, nil
	}
	var data struct {
		VNI     int
		VtepMAC string
	}
	if err := json.Unmarshal([]byte(n.Metadata.Annotations[annotationData]), &data); err != nil {
		return l, fmt.Errorf("node %q: annotation %s: %v", l.Node, annotationData, err)
	}
	l.VNI, l.VtepMAC = data.VNI, data.VtepMAC
	return l, nil
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
