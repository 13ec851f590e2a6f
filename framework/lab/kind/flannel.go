package kind

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/klient/k8s/resources"
)

// offLabel on a node keeps flannel's DaemonSet away from it.
const offLabel = "netfault.github.io/without-flannel"

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
	if err := l.client.Resources().List(ctx, &all, resources.WithLabelSelector(versionLabel)); err != nil {
		return nil, err
	}
	if len(all.Items) != 1 {
		return nil, fmt.Errorf("%d namespaces have flannel's label %s: it was not made whole", len(all.Items), versionLabel)
	}
	ns := all.Items[0]
	m, err := readManifest(ctx, ns.Labels[versionLabel], ns.Labels[offlineLabel] == "true")
	return &flannel{lab: l, manifest: m}, err
}

func (f *flannel) Version() string { return f.manifest.version }

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

// Running lists the nodes on which flanneld runs and is not about to end.
func (f *flannel) Running(ctx context.Context) ([]string, error) {
	pods, err := f.pods(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, p := range pods {
		if p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
			names = append(names, p.Spec.NodeName)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Delete deletes the DaemonSet and waits until its pods are gone.
func (f *flannel) Delete(ctx context.Context) error {
	made := f.manifest.daemonSet
	ds := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: made.Name, Namespace: made.Namespace}}
	foreground := resources.WithDeletePropagation(string(metav1.DeletePropagationForeground))
	err := f.lab.client.Resources().Delete(ctx, &ds, foreground)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete flannel's DaemonSet: %w", err)
	}
	return waitFor(ctx, "the end of flannel's pods", func(ctx context.Context) (bool, error) {
		pods, err := f.pods(ctx)
		if err != nil {
			return false, err
		}
		if len(pods) > 0 {
			return false, fmt.Errorf("%d are left", len(pods))
		}
		err = f.lab.client.Resources().Get(ctx, ds.Name, ds.Namespace, &appsv1.DaemonSet{})
		return apierrors.IsNotFound(err), nil
	})
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
		if err := f.lab.patch(ctx, &node, fmt.Sprintf(`{"metadata": {"labels": {%q: %s}}}`, offLabel, value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	ds := f.manifest.daemonSet.DeepCopy()
	if err := f.lab.client.Resources().Create(ctx, ds); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create flannel's DaemonSet: %w", err)
	}
	return f.waitReady(ctx, wanted)
}

func (f *flannel) waitReady(ctx context.Context, names []string) error {
	return waitFor(ctx, "flannel's pods to be ready", func(ctx context.Context) (bool, error) {
		pods, err := f.pods(ctx)
		if err != nil {
			return false, err
		}
		ready := map[string]bool{}
		for _, p := range pods {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil {
					ready[p.Spec.NodeName] = true
				}
			}
		}
		for _, name := range names {
			if !ready[name] {
				return false, fmt.Errorf("that on %s is not", name)
			}
		}
		return true, nil
	})
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
