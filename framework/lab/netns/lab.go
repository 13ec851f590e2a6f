// Package netns is the embedded lab: a cluster network of network namespaces on this machine, with a real etcd, a real
// flanneld on every node, a real CoreDNS, and kube-proxy's rules. It needs root and no container engine.
//
// Everything lives below one process, the first of the machine "switch": in its network namespace is the underlay's
// bridge, and every other machine's first process is its child in a PID namespace inside its own. When it is killed,
// the kernel ends all of them, and their namespaces and links with them. This machine's own network namespace is never
// touched.
package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// switchName is the machine that is the underlay network.
const switchName = "switch"

// outsideName is the host outside the cluster, and outsideService its probe server.
const (
	outsideName    = "host"
	outsideService = "server"
)

// MaxNodes is how many nodes the underlay's addresses and the NodePorts are planned for.
const MaxNodes = 200

// Lab is an embedded lab. It implements lab.Lab.
type Lab struct {
	record record
	// root is the /proc folder of the switch's first process.
	root    string
	switch_ *place
	outside lab.Host
	site    lab.Site
	// seal is what the machines of a sealed lab that is being made have.
	seal agent.Seal
	// nodes are in the order of their addresses.
	nodes   []*node
	flannel *flannel
	etcd    *etcd
}

type node struct {
	*place
	index int
	site  *lab.Site
	pods  map[podKind]int
}

// Options say what lab to make; the zero value is not enough: it needs a Name and a Ready.
type Options struct {
	Name string
	// Ready says why the lab does not work yet. Up asks until there is nothing to say; package probe, which is above labs,
	// has such a check.
	Ready func(context.Context, lab.Lab) error
	// Nodes is how many, 3 if 0; as many as the site names if it names any.
	Nodes int
	// Site is what they are called, and where they live.
	Site lab.Site
	// Flannel is the version of flannel, tools.DefaultFlannel if empty.
	Flannel string
	// Pods is how pods hang on the nodes, lab.CNIBridge if empty.
	Pods lab.Attachment
	// Sealed labs show whoever is root on their machines nothing of this machine but /usr, and nothing of netfault: its programs
	// have other names there.
	Sealed bool
	// Owned labs end with this process: `netfault reset` takes an owned lab away once its owner is gone.
	Owned bool
	// Progress is called when a step begins; it may be nil.
	Progress func(step string)
	// withoutDocker is for the test of the rules that stand in for dockerd.
	withoutDocker bool
}

// Name is "netns:" and the lab's own name.
func (l *Lab) Name() string { return "netns:" + l.record.Name }

// StateDir is /run/netfault/NAME.
func (l *Lab) StateDir() string { return StateDir(l.record.Name) }

// Agent is the same path in every machine: they share this machine's files, or a sealed lab's.
func (l *Lab) Agent() string {
	if l.record.Sealed {
		return agent.SealedProgram
	}
	return l.record.Agent
}

// Flannel is the DaemonSet's counterpart.
func (l *Lab) Flannel() lab.Flannel { return l.flannel }

// API is nil: the lab has no Kubernetes.
func (l *Lab) API() machine.Machine { return nil }

// Pods says how pods hang on the nodes.
func (l *Lab) Pods() lab.Attachment { return l.record.Pods }

// KubeProxy is iptables: the rules are written once, in kube-proxy's form.
func (l *Lab) KubeProxy() lab.Rules { return lab.IPTables }

// Docker says what plays the part of dockerd.
func (l *Lab) Docker() string { return l.record.Docker }

// Outside is the host outside the cluster, which is also the nodes' way out.
func (l *Lab) Outside() lab.Host { return l.outside }

// DNS is CoreDNS, in a pod on the first node.
func (l *Lab) DNS() lab.DNS {
	return lab.DNS{ClusterIP: l.dnsClusterIP(), Node: l.nodes[0].name, Pod: l.nodes[0].pod(dnsPod)}
}

// Nodes returns the nodes in the order of their parts, which is that of their names where nobody chose another.
func (l *Lab) Nodes() []lab.Node {
	nodes := make([]lab.Node, len(l.nodes))
	for _, n := range l.nodes {
		nodes[slices.Index(l.site.Parts, n.name)] = lab.Node{
			Machine: n.place, Address: n.address(), PodCIDR: n.subnet(),
			Pod:    lab.Pod{Machine: n.pod(probePod), Address: n.podAddress(probePod).Addr(), Service: n.service()},
			Client: lab.Pod{Machine: n.pod(clientPod), Address: n.podAddress(clientPod).Addr(), Service: n.closingService()},
		}
	}
	return nodes
}

// Up makes a lab and returns when it is ready. When it fails, it leaves nothing behind but the error.
func Up(ctx context.Context, o Options) (*Lab, error) {
	if len(o.Site.Nodes) > 0 {
		o.Nodes = len(o.Site.Nodes)
	}
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Flannel == "" {
		o.Flannel = tools.DefaultFlannel
	}
	if o.Pods == "" {
		o.Pods = lab.CNIBridge
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if err := lab.CheckName(o.Name); err != nil {
		return nil, err
	}
	if o.Nodes < 2 || o.Nodes > MaxNodes {
		return nil, fmt.Errorf("a lab of %d nodes cannot be made: want 2 to %d", o.Nodes, MaxNodes)
	}
	if err := chosen(o.Site, o.Nodes).Check(); err != nil {
		return nil, err
	}
	if !slices.Contains(lab.Attachments, o.Pods) {
		return nil, fmt.Errorf("pods cannot hang on %q: want one of %v", o.Pods, lab.Attachments)
	}
	if err := NeedRoot(); err != nil {
		return nil, err
	}
	if err := Files(); err != nil {
		return nil, err
	}
	if err := Limits(os.DirFS("/"), o.Nodes); err != nil {
		return nil, err
	}
	programs, err := findPrograms(o.Flannel)
	if err != nil {
		return nil, err
	}
	if err := Room(ctx, o.Nodes); err != nil {
		return nil, err
	}
	l := newLab(record{Name: o.Name, Nodes: o.Nodes, Site: o.Site, Flannel: o.Flannel, Agent: programs.agent, Pods: o.Pods, Sealed: o.Sealed})
	if o.withoutDocker {
		programs.docker = nil
	}
	if o.Pods == lab.DockerBridge {
		l.record.Docker = programs.dockerName()
	}
	if l.record.Owner, err = owner.This(); err != nil {
		return nil, err
	}
	if err := l.claim(); err != nil {
		return nil, err
	}
	err = l.build(ctx, programs, o)
	if ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("lab %s: %w; it is removed", o.Name, context.Cause(ctx)), Remove(context.WithoutCancel(ctx), o.Name))
	}
	if err != nil {
		kept := l.keepLogs()
		return nil, errors.Join(fmt.Errorf("lab %s: %w%s", o.Name, err, kept), Remove(context.WithoutCancel(ctx), o.Name))
	}
	l.record.Made = true
	if !o.Owned {
		l.record.Owner = owner.Process{}
	}
	if err := l.record.write(); err != nil {
		return nil, errors.Join(err, Remove(context.WithoutCancel(ctx), o.Name))
	}
	return l, nil
}

func newLab(r record) *Lab {
	l := &Lab{record: r, site: chosen(r.Site, r.Nodes)}
	for i, name := range l.site.Nodes {
		l.nodes = append(l.nodes, &node{place: l.place(name), index: i, site: &l.site})
	}
	l.etcd = &etcd{lab: l}
	l.flannel = &flannel{lab: l}
	return l
}

// place is a machine of the lab, which has to be found yet.
func (l *Lab) place(name string) *place {
	return &place{name: name, sealed: l.record.Sealed, agent: l.Agent()}
}

func (l *Lab) build(ctx context.Context, p programs, o Options) error {
	o.Progress("namespaces")
	if l.record.Sealed {
		p = p.sealed(&l.seal)
	}
	if err := l.startMachines(ctx); err != nil {
		return err
	}
	o.Progress("underlay")
	if err := l.wire(); err != nil {
		return err
	}
	o.Progress("etcd")
	if err := l.etcd.start(ctx, p.etcd); err != nil {
		return err
	}
	o.Progress(l.flannel.String())
	if tools.HasStandIn(l.record.Flannel) {
		if err := l.reserveSubnets(ctx); err != nil {
			return err
		}
	}
	if err := l.flannel.install(ctx, p); err != nil {
		return err
	}
	if l.record.Pods == lab.DockerBridge {
		o.Progress(l.record.Docker)
		if err := l.startDocker(ctx, p); err != nil {
			return err
		}
	}
	o.Progress("pods, Services and DNS")
	if err := l.startWorkloads(ctx, p); err != nil {
		return err
	}
	// A round of probes takes longer than that in a large lab: there are some for each pair of nodes.
	limit := startLimit + time.Duration(l.record.Nodes)*time.Second
	return l.whileAllRuns(ctx, limit, "every probe to pass", func(ctx context.Context) error { return o.Ready(ctx, l) })
}

// Open returns the lab of that name, which must be up.
func Open(name string) (*Lab, error) {
	r, err := readRecord(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no lab %q: `%s` makes one", name, lab.Command(name, "lab up"))
	}
	if err != nil {
		return nil, err
	}
	switch owner.StageOf(r.Made, r.Owner) {
	case owner.BeingMade:
		return nil, fmt.Errorf("lab %s is %w by process %d", name, lab.ErrBeingMade, r.Owner.PID)
	case owner.Ended:
		return nil, &lab.BrokenError{Name: name, What: []string{lab.MakingEnded}}
	}
	l := newLab(r)
	if err := l.locate(); err != nil {
		return nil, err
	}
	ctx, cancel := wait.Patience(context.Background(), answerLimit)
	defer cancel()
	for _, n := range l.nodes {
		if err := n.findPods(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// locate finds the machines of a lab that another process has made.
func (l *Lab) locate() error {
	first, err := firstProcesses(l.record.Name)
	if err != nil {
		return err
	}
	broken := &lab.BrokenError{Name: l.record.Name}
	at := func(p *place) *place {
		if first[p.name] == 0 {
			broken.What = append(broken.What, p.name+" does not run")
		}
		p.root = fmt.Sprintf("/proc/%d", first[p.name])
		p.net = p.root
		return p
	}
	if first[switchName] == 0 {
		broken.What = []string{"none of its machines runs"}
		return broken
	}
	l.switch_ = at(l.place(switchName))
	l.root = l.switch_.root
	l.outside = lab.Host{Machine: at(l.place(outsideName)), Address: l.outsideAddress()}
	for _, n := range l.nodes {
		at(n.place)
	}
	if len(broken.What) > 0 {
		return broken
	}
	return nil
}

// client talks to the first process of a machine.
func (p *place) client() *agent.Client {
	return agent.NewClient(p.root + "/root" + agent.SocketPath)
}

// keepLogs moves the logs of a lab that failed to a place that outlives it, and says where.
func (l *Lab) keepLogs() string {
	dir, err := os.MkdirTemp("", "netfault-"+l.record.Name+"-logs-")
	if err != nil {
		return ""
	}
	kept := filepath.Join(dir, "logs")
	if err := os.CopyFS(kept, os.DirFS(l.logDir())); err != nil {
		return ""
	}
	return " (logs are in " + kept + ")"
}

// logDir is where this machine finds the logs. Those of a sealed lab end with its first process.
func (l *Lab) logDir() string {
	if l.record.Sealed {
		return l.root + "/root" + agent.LogDir
	}
	return filepath.Join(l.StateDir(), "logs")
}

// answerLimit is how long the first processes of a lab's machines may take to answer. They do nothing else meanwhile.
const answerLimit = 5 * time.Second

// startLimit is how long any part of a lab may take to come up, on the slowest machine.
const startLimit = 60 * time.Second
