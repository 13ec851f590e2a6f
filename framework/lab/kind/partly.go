package kind

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/cluster/nodes"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab"
)

const (
	// wholeLimit is how long a lab may take to be opened as a whole, before it is looked at by its record.
	wholeLimit = 15 * time.Second
	// partLimit is how long a node may take to say where its pods are.
	partLimit = 5 * time.Second
)

// OpenPartly returns the lab of that name, of which containers and pods may have ended, and the API, too: they are among its
// machines all the same, and whoever runs a command there is told that they do not run. It is for those who only look.
func OpenPartly(ctx context.Context, name string) (*Lab, error) {
	whole, cancel := context.WithTimeout(ctx, wholeLimit)
	defer cancel()
	l, err := Open(whole, name)
	if err == nil || ctx.Err() != nil {
		return l, err
	}
	r, errRecord := readRecord(name)
	if errRecord != nil || r.Layout == nil {
		return nil, err
	}
	return openRecorded(ctx, r)
}

// openRecorded opens a lab as its record has it.
func openRecorded(ctx context.Context, r record) (*Lab, error) {
	e, err := engine.Find(ctx)
	if err != nil {
		return nil, err
	}
	l := &Lab{name: r.Name, engine: e, provider: provider(e, &logger{}), docker: r.Layout.Docker, kubeProxy: r.Layout.KubeProxy, parts: r.Parts}
	l.flannel = &flannel{lab: l, manifest: &manifest{version: r.Layout.Flannel, rules: r.Layout.FlannelRules}}
	// What kind has written when it made the cluster: the control plane may not be there to be asked.
	all, err := l.provider.List()
	if err != nil {
		return nil, err
	}
	l.show, _ = showOf(all, r.Name) // none where all containers are gone
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfigPath(r.Name))
	if err != nil {
		return nil, err
	}
	if err := l.reachAPI(config); err != nil {
		return nil, err
	}
	stopped, err := l.stopped(ctx)
	if err != nil {
		return nil, err
	}
	containers, err := l.provider.ListNodes(l.cluster())
	if err != nil {
		return nil, err
	}
	there := map[string]nodes.Node{}
	for _, c := range containers {
		there[c.String()] = c
	}
	place := func(name, containerName string) *Place {
		c := &container{Node: there[containerName], engine: e, agent: l.show.agent, hasAgent: true}
		return &Place{name: name, container: c, down: stopped[containerName]}
	}
	var group errgroup.Group
	for _, recorded := range r.Layout.Nodes {
		n := &node{Place: place(recorded.Name, recorded.Name), address: recorded.Address, podCIDR: recorded.PodCIDR}
		l.nodes = append(l.nodes, n)
		group.Go(func() error { n.pod = n.recordedPod(ctx, recorded.Pod); return nil })
		group.Go(func() error { n.client = n.recordedPod(ctx, recorded.Client); return nil })
	}
	l.outside = lab.Host{Machine: place(outsideName, l.outsideContainer()), Address: r.Layout.Outside}
	l.dns = lab.DNS{ClusterIP: r.Layout.DNS.ClusterIP, Node: r.Layout.DNS.Node}
	return l, errors.Join(group.Wait(), ctx.Err())
}

// recordedPod is a pod that may not run.
func (n *node) recordedPod(ctx context.Context, p recordedPod) lab.Pod {
	place := &Place{name: p.Name, container: n.container, down: n.down}
	if n.down == "" {
		ctx, cancel := context.WithTimeout(ctx, partLimit)
		defer cancel()
		var err error
		if place.sandbox, err = n.sandboxOf(ctx, p.Name); err != nil {
			place.down = fmt.Sprintf("%s does not run: %v", p.Name, err)
		}
	}
	return lab.Pod{Machine: place, Address: p.Address, Service: p.Service}
}
