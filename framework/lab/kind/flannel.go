package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/klient/k8s/resources"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// flannelSelector finds flannel's pods, in every version of its manifest.
const flannelSelector = "app=flannel"

// flannel is flannel's DaemonSet.
type flannel struct {
	lab      *Lab
	manifest *manifest
}

// openFlannel finds out which version a running cluster has. Its DaemonSet may be gone while a fault is in force, so
// that the version is noted on its namespace.
func openFlannel(ctx context.Context, l *Lab) (*flannel, error) {
	var all corev1.NamespaceList
	if err := l.client.Resources().List(ctx, &all, resources.WithLabelSelector(l.show.label(versionLabel))); err != nil {
		return nil, err
	}
	if len(all.Items) != 1 {
		return nil, fmt.Errorf("%d namespaces have flannel's label %s: it was not made whole", len(all.Items), l.show.label(versionLabel))
	}
	ns := all.Items[0]
	label := func(name string) string { return ns.Labels[l.show.label(name)] }
	m, err := readManifest(ctx, l.show, label(versionLabel), label(offlineLabel) == "true", lab.Rules(label(rulesLabel)), netip.Prefix{})
	return &flannel{lab: l, manifest: m}, err
}

func (f *flannel) Version() string { return f.manifest.version }

func (f *flannel) String() string {
	if f.manifest.rules == lab.NFTables {
		return "flannel " + f.Version() + " with nftables rules"
	}
	return "flannel " + f.Version()
}

// install makes everything of the manifest for the first time, and waits until flannel is ready on every node.
func (f *flannel) install(ctx context.Context) error {
	if err := f.lab.waitForAPI(ctx); err != nil {
		return err
	}
	for _, o := range f.manifest.others {
		if err := f.lab.create(ctx, o); err != nil {
			return err
		}
	}
	if err := f.lab.create(ctx, f.manifest.daemonSet.DeepCopy()); err != nil {
		return err
	}
	var all []string
	for _, n := range f.lab.nodes {
		all = append(all, n.name)
	}
	return f.waitReady(ctx, all)
}

// pods lists flannel's pods that are not about to end.
func (f *flannel) pods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	ns := f.manifest.daemonSet.Namespace
	if err := f.lab.client.Resources(ns).List(ctx, &pods, resources.WithLabelSelector(flannelSelector)); err != nil {
		return nil, fmt.Errorf("flannel's pods: %w", err)
	}
	return pods.Items, nil
}

// Running lists the nodes on which flanneld runs and is not about to end: those with its process, and with a pod that is not
// being deleted. What the pod's status says comes a second or two behind.
func (f *flannel) Running(ctx context.Context) ([]string, error) {
	pods, err := f.pods(ctx)
	if err != nil {
		return nil, err
	}
	processes, err := f.processes(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, p := range pods {
		if p.DeletionTimestamp == nil && slices.Contains(processes, p.Spec.NodeName) {
			names = append(names, p.Spec.NodeName)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Starting lists the nodes with a pod of flannel's that is not ready and is not being deleted.
func (f *flannel) Starting(ctx context.Context) ([]string, error) {
	pods, err := f.pods(ctx)
	if err != nil {
		return nil, err
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil || p.Spec.NodeName == "" })
	ready := make([]bool, len(pods))
	var looking errgroup.Group
	for i, p := range pods {
		looking.Go(func() error {
			ready[i] = f.isReady(ctx, p.Spec.NodeName, p) == nil
			return nil
		})
	}
	err = looking.Wait()
	var names []string
	for i, p := range pods {
		if !ready[i] {
			names = append(names, p.Spec.NodeName)
		}
	}
	slices.Sort(names)
	return names, err
}

// processes lists the nodes that have a process of flanneld, in the order of the lab's nodes.
func (f *flannel) processes(ctx context.Context) ([]string, error) {
	has := make([]bool, len(f.lab.nodes))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, n := range f.lab.nodes {
		group.Go(func() error {
			_, err := machine.Output(groupCtx, n, "pgrep", "-x", "flanneld")
			var none *machine.ExitError
			if errors.As(err, &none) && none.Code == 1 { // pgrep(1): no process matched
				return nil
			}
			has[i] = err == nil
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var names []string
	for i, n := range f.lab.nodes {
		if has[i] {
			names = append(names, n.name)
		}
	}
	return names, nil
}

// Delete deletes the DaemonSet with its pods, and waits until no flanneld runs any more. Then the pods' objects are deleted at
// once: the kubelet would do it when it has cleared up behind them, and as long as they are there their port on the node counts
// as taken, so that the scheduler gives the node no new pod.
func (f *flannel) Delete(ctx context.Context) error {
	made := f.manifest.daemonSet
	ds := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: made.Name, Namespace: made.Namespace}}
	inBackground := resources.WithDeletePropagation(string(metav1.DeletePropagationBackground))
	err := f.lab.client.Resources().Delete(ctx, &ds, inBackground)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete flannel's DaemonSet: %w", err)
	}
	var ended []corev1.Pod
	err = waitFor(ctx, "the end of flanneld", func(ctx context.Context) (bool, error) {
		pods, err := f.pods(ctx)
		if err != nil {
			return false, err
		}
		ended = slices.Clone(pods)
		alive := slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
		if len(alive) > 0 {
			// Kubernetes's garbage collector would do it, in its own time.
			return false, errors.Join(fmt.Errorf("%s is not deleted yet", alive[0].Name), f.deletePods(ctx, alive))
		}
		for _, p := range ended {
			if p.Status.Phase == corev1.PodPending {
				return false, fmt.Errorf("%s may yet start", p.Name)
			}
		}
		left, err := f.processes(ctx)
		if len(left) > 0 {
			return false, fmt.Errorf("it runs on %s", strings.Join(left, ", "))
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return f.deletePods(ctx, ended, resources.WithGracePeriod(0))
}

// deletePods deletes pods side by side; some may be gone.
func (f *flannel) deletePods(ctx context.Context, pods []corev1.Pod, how ...resources.DeleteOption) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range pods {
		group.Go(func() error {
			if err := f.lab.client.Resources().Delete(ctx, &p, how...); err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("delete the pod %s: %w", p.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Create makes the DaemonSet for the named nodes and those where flanneld runs already, and waits until its pods there
// are ready. Other nodes are left out by their label, which the DaemonSet's node affinity asks for.
func (f *flannel) Create(ctx context.Context, names ...string) error {
	running, err := f.Running(ctx)
	if err != nil {
		return err
	}
	var all []string
	for _, n := range f.lab.nodes {
		all = append(all, n.name)
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return fmt.Errorf("there is no node %q; the nodes are %s", name, strings.Join(all, ", "))
		}
	}
	wanted := slices.Concat(running, names)
	for _, name := range all {
		value := `"true"`
		if slices.Contains(wanted, name) {
			value = "null"
		}
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := f.lab.patch(ctx, &node, fmt.Sprintf(`{"metadata": {"labels": {%q: %s}}}`, f.lab.show.label(offLabel), value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	ds := f.manifest.daemonSet.DeepCopy()
	if err := f.lab.client.Resources().Create(ctx, ds); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create flannel's DaemonSet: %w", err)
	}
	return f.waitReady(ctx, wanted)
}

// waitReady waits until flanneld says on each node that it is ready. The kubelet says so, too, a second or two later; where
// the manifest has no readiness probe, its word is all there is.
func (f *flannel) waitReady(ctx context.Context, names []string) error {
	return waitFor(ctx, "flanneld to be ready", func(ctx context.Context) (bool, error) {
		pods, err := f.pods(ctx)
		if err != nil {
			return false, err
		}
		for _, name := range names {
			i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName == name && p.DeletionTimestamp == nil })
			if i < 0 {
				return false, fmt.Errorf("there is no pod on %s", name)
			}
			if err := f.isReady(ctx, name, pods[i]); err != nil {
				return false, fmt.Errorf("on %s: %w", name, err)
			}
		}
		return true, nil
	})
}

func (f *flannel) isReady(ctx context.Context, name string, pod corev1.Pod) error {
	if f.manifest.ready == "" {
		ready := func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }
		if !slices.ContainsFunc(pod.Status.Conditions, ready) {
			return errors.New("the kubelet does not say that it is")
		}
		return nil
	}
	n := f.lab.nodes[slices.IndexFunc(f.lab.nodes, func(n *node) bool { return n.name == name })]
	_, err := machine.Output(ctx, n, "curl", "--silent", "--show-error", "--fail", "--max-time", "1", f.manifest.ready)
	return err
}

// ForgetLink removes the annotation in which flannel keeps the link address of a node's flannel.1, as when a node is
// registered anew. Otherwise flanneld gives a new flannel.1 its old address (flannel v0.24.1 and later).
func (f *flannel) ForgetLink(ctx context.Context, name string) error {
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := f.lab.patch(ctx, &node, fmt.Sprintf(`{"metadata": {"annotations": {%q: null}}}`, annotationData)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// DropLease removes flannel's annotations of a node, as a tool does that writes Nodes whole. flanneld writes them at its start
// alone, and the other nodes keep what they have of the node until theirs starts (pkg/subnet/kube/kube.go, v0.28.10:
// handleUpdateLeaseEvent passes over a Node without them).
func (f *flannel) DropLease(ctx context.Context, name string) error {
	var node corev1.Node
	if err := f.lab.client.Resources().Get(ctx, name, "", &node); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	none := map[string]any{}
	for key := range node.Annotations {
		if strings.HasPrefix(key, annotationPrefix) {
			none[key] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": none}})
	if err != nil {
		return err
	}
	if err := f.lab.patch(ctx, &node, string(patch)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ByHand are kubectl's commands. What is kept away from a node is so by its label, and a pod that is deleted comes again.
func (f *flannel) ByHand(node string) lab.ByHand {
	label := "kubectl label --overwrite node " + node + " " + f.lab.show.label(offLabel)
	return lab.ByHand{
		Restart: "kubectl -n " + f.manifest.daemonSet.Namespace + " delete pod -l " + flannelSelector + " --field-selector=spec.nodeName=" + node,
		Stop:    label + "=true", Start: label + "-",
	}
}
