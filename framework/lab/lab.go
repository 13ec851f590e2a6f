// Package lab says what a lab is to a scenario: nodes that run flannel, a pod with a Service on each, and a host
// outside. A scenario is written against this package alone and cannot tell which lab it is on.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/machine"
)

// Lab is a running cluster network.
type Lab interface {
	// Name names the lab and its kind in reports, such as "netns:lab".
	Name() string
	// StateDir is where the lab keeps its undo journal and logs, on this machine.
	StateDir() string
	// Nodes are in the order in which scenarios give them parts: sorted by name, unless the lab's Site says otherwise.
	Nodes() []Node
	// Outside is a host that is not part of the cluster.
	Outside() Host
	DNS() DNS
	Flannel() Flannel
	// API is where kubectl reaches the cluster's API, the node that runs it; nil for a lab without Kubernetes.
	API() machine.Machine
	// Pods says how pods hang on their nodes.
	Pods() Attachment
	// KubeProxy says which rules kube-proxy writes on the nodes, or what stands in for it.
	KubeProxy() Rules
	// Docker says what plays the part of dockerd on the nodes: "dockerd" and its version, or DockerRecorded; empty where
	// nothing does.
	Docker() string
	// Leases are flannel's, as it has them stored now.
	Leases(ctx context.Context) ([]evidence.Lease, error)
	// Agent is the path of netfault-agent inside every machine of the lab.
	Agent() string
	// Broken lists what of the lab itself does not run though it should, such as "no probe server in pod-n1"; flanneld, which
	// faults end as well, is not part of it.
	Broken(ctx context.Context) ([]string, error)
}

// BrokenError is a lab that cannot be used any more.
type BrokenError struct {
	// Name is the lab's, without its kind.
	Name string
	// What lists what is broken, such as "n2 does not run".
	What []string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("lab %s is broken: %s: `%s` removes it", e.Name, strings.Join(e.What, "; "), Command(e.Name, "lab down"))
}

// Whole returns a *BrokenError if something of the lab does not run though it should.
func Whole(ctx context.Context, l Lab) error {
	broken, err := l.Broken(ctx)
	if err != nil || len(broken) == 0 {
		return err
	}
	_, name, _ := strings.Cut(l.Name(), ":")
	return &BrokenError{Name: name, What: broken}
}

// ErrBeingMade is wrapped by the error of opening a lab that another process still makes.
var ErrBeingMade = errors.New("being made")

// MakingEnded is what is broken of a lab whose making was ended.
const MakingEnded = "its making was ended"

// Attachment is how pods hang on their nodes.
type Attachment string

const (
	// CNIBridge is cni0, made by the bridge CNI plugin for flannel's.
	CNIBridge Attachment = "cni0"
	// DockerBridge is docker0, made by dockerd with the options that flannel's mk-docker-opts.sh generates.
	DockerBridge Attachment = "docker0"
	// Routed is a /32 route to each pod's host-side interface, which does proxy ARP: Calico's way.
	Routed Attachment = "routed"
)

// Attachments are all of them.
var Attachments = []Attachment{CNIBridge, DockerBridge, Routed}

// Rules are those that a program writes on the nodes.
type Rules string

const (
	// IPTables is the default of kube-proxy's and of flannel's.
	IPTables Rules = "iptables"
	// NFTables are tables of the program's own, which iptables does not show.
	NFTables Rules = "nftables"
)

// AllRules are all of them.
var AllRules = []Rules{IPTables, NFTables}

// DockerRecorded is Lab.Docker where no dockerd can be had: rules recorded from a real one are written in its place.
const DockerRecorded = "recorded rules"

// Node is a member of the cluster.
type Node struct {
	machine.Machine
	// Address is the node's own, on the underlay.
	Address netip.Addr
	// PodCIDR is the network of its pods, which flannel has leased.
	PodCIDR netip.Prefix
	// Pod is the node's workload.
	Pod Pod
	// Client is a second pod on the node. It calls the first, and its own Service leads to ClosingPort.
	Client Pod
}

// VTEP is the address of the node's flannel.1: that of its pod network.
func (n Node) VTEP() netip.Addr { return n.PodCIDR.Addr() }

// Pod is a workload with a probe server and client, and the Service in front of it.
type Pod struct {
	machine.Machine
	Address netip.Addr
	Service Service
}

const (
	// PodPort is the port of every pod's probe server, which leaves it to its clients to close connections.
	PodPort = 8080
	// ClosingPort is the port of every pod's second server, which answers like the first and then closes the connection.
	ClosingPort = 8081
)

// Service is the Service of one pod.
type Service struct {
	// Name is the Service's full DNS name.
	Name      string
	ClusterIP netip.Addr
	Port      int
	NodePort  int
}

// Host is the host outside the cluster; it runs a probe server on PodPort.
type Host struct {
	machine.Machine
	Address netip.Addr
}

// DNS is the cluster's name server.
type DNS struct {
	ClusterIP netip.Addr
	// Node runs the name server's pod, and Pod is it; nil where nothing is ever changed in it.
	Node string
	Pod  machine.Machine
}

// Flannel is the DaemonSet that runs flanneld on the nodes, or its counterpart.
type Flannel interface {
	// Version is flannel's, such as "v0.28.10".
	Version() string
	// String is for people: "flannel v0.28.10", or "flannel v0.28.10 with nftables rules", or where something else plays
	// flanneld's part, what that is.
	String() string
	// Running lists the nodes on which flanneld runs, sorted.
	Running(ctx context.Context) ([]string, error)
	// Starting lists the nodes on which flanneld is to run and is not ready yet, sorted.
	Starting(ctx context.Context) ([]string, error)
	// Delete ends flanneld everywhere. The interfaces that it made stay, as in life.
	Delete(ctx context.Context) error
	// Create starts flanneld on the nodes named, and waits until it is ready there.
	Create(ctx context.Context, nodes ...string) error
	// ForgetLink removes the link address of a node's flannel.1 from what flannel knows of the node, as when the node is
	// registered anew. Where leases are annotations, flannel v0.24.1 and newer give a new flannel.1 its old address otherwise.
	ForgetLink(ctx context.Context, node string) error
	// ByHand are the commands with which somebody on a node does to its flanneld what a lab does by itself.
	ByHand(node string) ByHand
}

// ByHand are commands on a node, as they are typed.
type ByHand struct {
	// Restart ends flanneld, and it starts anew; Stop ends it for good, and Start starts it where it was kept away.
	Restart, Stop, Start string
}
