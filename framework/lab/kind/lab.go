// Package kind is the lab of a real Kubernetes: a kind cluster with flannel's own DaemonSet, kube-proxy, CoreDNS, and a
// host outside the cluster as one more container on kind's network. It needs a container engine.
//
// A lab's containers carry kind's cluster label, by which they are found again and removed together. Everything in a
// node is done through the engine, never through this machine's /proc, so that it works where the engine runs in a
// virtual machine.
package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// MaxNodes is how many nodes the NodePorts are planned for; a machine's memory ends sooner.
const MaxNodes = 30

// Options say what lab to make; the zero value is not enough: it needs a Name and a Ready.
type Options struct {
	Name string
	// Ready says why the lab does not work yet. Up asks until there is nothing to say; package probe, which is above labs,
	// has such a check.
	Ready func(context.Context, lab.Lab) error
	// Nodes is how many, the control plane included, 3 if 0.
	Nodes int
	// Flannel is the version of flannel, tools.DefaultFlannel if empty.
	Flannel string
	// KubeProxy and FlannelRules are the rules that kube-proxy and flanneld write, lab.IPTables if empty.
	KubeProxy, FlannelRules lab.Rules
	// Sealed labs bear other names than netfault's, and their nodes can be logged in to with kubectl at hand, as an operator does.
	Sealed bool
	// Parts are the nodes in the order in which scenarios give them parts, by their place among the sorted names; sorted if empty.
	Parts []int
	// PodNetwork and ServiceNetwork are the cluster's; those of kind-configs/flannel.yaml and kind's own if they are the zero value.
	PodNetwork, ServiceNetwork netip.Prefix
	// Image is the node image; if empty, FindImage's choice.
	Image string
	// Owned labs end with this process: `netfault reset` takes an owned lab away once its owner is gone.
	Owned bool
	// KeepFailed keeps the containers of a lab that could not be made, for a look; `netfault reset` removes them.
	KeepFailed bool
	// Progress is called when a step begins; it may be nil.
	Progress func(step string)
}

// Lab is a kind cluster. It implements lab.Lab.
type Lab struct {
	name string
	show show
	// parts are the nodes' places in their order for scenarios; nil where that is the order of nodes.
	parts    []int
	engine   engine.Engine
	provider *cluster.Provider
	client   klient.Client
	// nodes are sorted by name, the control plane first.
	nodes   []*node
	outside lab.Host
	dns     lab.DNS
	flannel *flannel
	docker  string
	// kubeProxy are the rules that kube-proxy writes.
	kubeProxy lab.Rules
}

// Name is "kind:" and the lab's own name.
func (l *Lab) Name() string { return "kind:" + l.name }

// StateDir is a folder on this machine, not on the engine's.
func (l *Lab) StateDir() string { return StateDir(l.name) }

// Agent is the same path in every node, and in the host outside.
func (l *Lab) Agent() string { return l.show.agent }

// Flannel is the DaemonSet kube-flannel-ds.
func (l *Lab) Flannel() lab.Flannel { return l.flannel }

// Pods says how pods hang on the nodes: flannel's CNI plugin delegates to bridge.
func (l *Lab) Pods() lab.Attachment { return lab.CNIBridge }

// KubeProxy says which rules the nodes' kube-proxy writes.
func (l *Lab) KubeProxy() lab.Rules { return l.kubeProxy }

// Docker is the dockerd that the nodes have and do not run: kind's nodes run containerd.
func (l *Lab) Docker() string { return l.docker }

// Outside is the host outside the cluster.
func (l *Lab) Outside() lab.Host { return l.outside }

// DNS is the cluster's CoreDNS.
func (l *Lab) DNS() lab.DNS { return l.dns }

// API is where the cluster's API is reached with kubectl: the control plane's node.
func (l *Lab) API() machine.Machine { return l.nodes[0].Place }

// Nodes returns the nodes, sorted by name unless the lab was made otherwise.
func (l *Lab) Nodes() []lab.Node {
	nodes := make([]lab.Node, len(l.nodes))
	for i := range l.nodes {
		n := l.nodes[i]
		if l.parts != nil {
			n = l.nodes[l.parts[i]]
		}
		nodes[i] = lab.Node{Machine: n.Place, Address: n.address, PodCIDR: n.podCIDR, Pod: n.pod, Client: n.client}
	}
	return nodes
}

// Up makes a lab and returns when it is ready. When it fails, it leaves nothing behind but the error, and
// kind's logs in a folder that the error names, unless it is to keep more.
func Up(ctx context.Context, o Options) (*Lab, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := Room(o.Nodes); err != nil && !errors.Is(err, os.ErrPermission) {
		return nil, err
	}
	agent, err := tools.Agent()
	if err != nil {
		return nil, err
	}
	if err := checkStatic(agent); err != nil {
		return nil, err
	}
	l, log, err := prepare(ctx, &o)
	if err != nil {
		return nil, err
	}
	manifest, err := readManifest(ctx, l.show, o.Flannel, isOffline(o.Image), o.FlannelRules, o.PodNetwork)
	if err != nil {
		return nil, err
	}
	if err := l.claim(o); err != nil {
		return nil, err
	}
	err = l.build(ctx, o, agent, manifest)
	if err == nil {
		err = l.finish(o.Owned)
	}
	if err == nil {
		return l, nil
	}
	ended := context.WithoutCancel(ctx)
	if ctx.Err() != nil {
		if err := Remove(ended, o.Name); err != nil {
			return nil, fmt.Errorf("lab %s: %w; `%s` removes what is left of it: %w", o.Name, context.Cause(ctx), lab.Command(o.Name, "reset"), err)
		}
		return nil, fmt.Errorf("lab %s: %w; it is removed", o.Name, context.Cause(ctx))
	}
	err = fmt.Errorf("lab %s: %w%s%s", o.Name, err, log.end(), l.keepLogs())
	if o.KeepFailed {
		return nil, fmt.Errorf("%w\nits containers are kept: `%s exec -it %s-control-plane bash` enters one, `%s` removes them",
			err, l.engine.Name, l.cluster(), lab.Command(o.Name, "reset"))
	}
	return nil, errors.Join(err, Remove(ended, o.Name))
}

// prepare finds the engine, and the node image if none is named. Nothing is made yet.
func prepare(ctx context.Context, o *Options) (*Lab, *logger, error) {
	e, err := engine.Find(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.Image == "" {
		if o.Image, err = FindImage(ctx, e, o.Progress); err != nil {
			return nil, nil, err
		}
	}
	log := &logger{progress: o.Progress}
	l := &Lab{name: o.Name, show: openly, parts: o.Parts, engine: e, provider: provider(e, log)}
	if o.Sealed {
		l.show = nameless
	}
	return l, log, nil
}

func (o *Options) complete() error {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Flannel == "" {
		o.Flannel = tools.DefaultFlannel
	}
	o.KubeProxy, o.FlannelRules = cmp.Or(o.KubeProxy, lab.IPTables), cmp.Or(o.FlannelRules, lab.IPTables)
	progress := o.Progress
	var mu sync.Mutex
	o.Progress = func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if progress != nil {
			progress(step)
		}
	}
	if err := lab.CheckName(o.Name); err != nil {
		return err
	}
	if sorted := slices.Sorted(slices.Values(o.Parts)); len(o.Parts) > 0 && !slices.Equal(sorted, upTo(o.Nodes)) {
		return fmt.Errorf("the parts %v are not those of %d nodes", o.Parts, o.Nodes)
	}
	if o.Nodes < 2 || o.Nodes > MaxNodes {
		return fmt.Errorf("a kind lab of %d nodes cannot be made: want 2 to %d", o.Nodes, MaxNodes)
	}
	return nil
}

// upTo are the numbers from 0 to below n.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// build makes everything. What does not wait for each other runs side by side.
func (l *Lab) build(ctx context.Context, o Options, agent string, m *manifest) error {
	agent, err := l.agentOf(agent)
	if err != nil {
		return err
	}
	if err := l.createCluster(ctx, o); err != nil {
		return err
	}
	if err := l.connect(ctx); err != nil {
		return err
	}
	l.flannel = &flannel{lab: l, manifest: m}
	o.Progress("flannel " + o.Flannel + ", agents and Services")
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := l.placeDNS(groupCtx); err != nil {
			return err
		}
		if err := l.installBridge(groupCtx); err != nil {
			return err
		}
		return l.flannel.install(groupCtx)
	})
	group.Go(func() error { return l.startOutside(groupCtx, o.Image, agent) })
	group.Go(func() error { return l.prepareWorkloads(groupCtx, agent) })
	if err := group.Wait(); err != nil {
		return err
	}
	o.Progress("pods")
	if err := l.startPods(ctx); err != nil {
		return err
	}
	if err := l.look(ctx); err != nil {
		return err
	}
	if o.Sealed {
		if err := l.placeKubeconfig(ctx); err != nil {
			return err
		}
		if err := l.placeHandTools(ctx); err != nil {
			return err
		}
	}
	o.Progress("probes")
	return wait.Until(ctx, startLimit, "every probe to pass", func(ctx context.Context) error { return o.Ready(ctx, l) })
}

// Open returns the lab of that name, which must be up.
func Open(ctx context.Context, name string) (*Lab, error) {
	if err := lab.CheckName(name); err != nil {
		return nil, err
	}
	e, err := engine.Find(ctx)
	if err != nil {
		return nil, err
	}
	r, err := readRecord(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l := &Lab{name: name, parts: r.Parts, engine: e, provider: provider(e, &logger{})}
	all, err := l.provider.List()
	if err != nil {
		return nil, err
	}
	var there bool
	if l.show, there = showOf(all, name); !there {
		return nil, fmt.Errorf("there is no lab %q: `%s` makes one", name, lab.Command(name, "lab up", "--kind=kind"))
	}
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if err := l.connect(ctx); err != nil {
		return nil, fmt.Errorf("lab %s: %w; `%s` removes it", name, err, lab.Command(name, "lab down"))
	}
	for _, n := range l.nodes {
		n.container.agentIsThere()
	}
	if l.flannel, err = openFlannel(ctx, l); err != nil {
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	if err := l.look(ctx); err != nil {
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	return l, nil
}

// keepLogs collects kind's logs of a lab that failed, and says where they are.
func (l *Lab) keepLogs() string {
	dir, err := os.MkdirTemp("", "netfault-"+l.name+"-logs-")
	if err != nil {
		return ""
	}
	// Nodes that never started have no logs, which is no second error.
	_ = l.provider.CollectLogs(l.cluster(), dir)
	return " (logs are in " + dir + ")"
}

// startLimit is how long any part of a lab may take to come up, on the slowest machine.
const startLimit = 3 * time.Minute
