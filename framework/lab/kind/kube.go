package kind

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	apiwait "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/klient/k8s"
	"sigs.k8s.io/e2e-framework/klient/k8s/resources"
	"sigs.k8s.io/e2e-framework/klient/wait"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// connect finds the lab's containers and its API.
func (l *Lab) connect(ctx context.Context) error {
	text, err := l.provider.KubeConfig(l.cluster(), false)
	if err != nil {
		return err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return err
	}
	if err := l.reachAPI(config); err != nil {
		return err
	}
	containers, err := l.provider.ListInternalNodes(l.cluster())
	if err != nil {
		return err
	}
	l.nodes = nil
	for _, c := range containers {
		address, err := containerAddress(c)
		if err != nil {
			return err
		}
		place := &Place{name: c.String(), container: &container{Node: c, engine: l.engine, agent: l.Agent()}}
		l.nodes = append(l.nodes, &node{Place: place, address: address})
	}
	slices.SortFunc(l.nodes, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	return ctx.Err()
}

// reachAPI makes the client of the cluster's API, which need not answer.
func (l *Lab) reachAPI(config *rest.Config) (err error) {
	// client-go's own limit of 5 requests a second is for controllers that share a server.
	config.QPS, config.Burst = 100, 200
	if l.show != openly {
		config.UserAgent = "kubectl" // the API keeps with each object who has made it
	}
	l.client, err = klient.New(config)
	return err
}

func containerAddress(c interface {
	IP() (ipv4, ipv6 string, err error)
	String() string
}) (netip.Addr, error) {
	ipv4, _, err := c.IP()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s: %w", c, err)
	}
	address, err := netip.ParseAddr(ipv4)
	if err != nil {
		return address, fmt.Errorf("%s has no IPv4 address: %w", c, err)
	}
	return address, nil
}

// waitForAPI waits until every node reaches the API by its Service, that is, until kube-proxy has written its rules.
// flanneld gives up before that, and the kubelet then waits 10 seconds before it starts it again.
func (l *Lab) waitForAPI(ctx context.Context) error {
	var service corev1.Service
	if err := l.client.Resources().Get(ctx, "kubernetes", "default", &service); err != nil {
		return err
	}
	url := "https://" + service.Spec.ClusterIP + "/livez"
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range l.nodes {
		group.Go(func() error {
			return waitFor(ctx, n.name+" to reach the API", func(ctx context.Context) (bool, error) {
				_, err := machine.Output(ctx, n, "curl", "--silent", "--show-error", "--fail", "--max-time", "1",
					"--cacert", "/etc/kubernetes/pki/ca.crt", url)
				return err == nil, err
			})
		})
	}
	return group.Wait()
}

// pollPause is the time between two looks at the API: the conditions there take seconds.
const pollPause = 100 * time.Millisecond

// waitFor waits until condition is true, or returns what was waited for and the condition's last error.
func waitFor(ctx context.Context, what string, condition apiwait.ConditionWithContextFunc) error {
	var last error
	err := wait.For(func(ctx context.Context) (bool, error) {
		done, err := condition(ctx)
		// A condition that was cut off by the deadline has nothing new to tell.
		if err != nil && (last == nil || !strings.Contains(err.Error(), "context deadline")) {
			last = err
		}
		return done && err == nil, nil
	}, wait.WithContext(ctx), wait.WithTimeout(startLimit), wait.WithInterval(pollPause), wait.WithImmediate())
	switch {
	case err != nil && last != nil:
		return fmt.Errorf("waiting for %s: %w: %w", what, err, last)
	case err != nil:
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// create makes an object, and waits where Kubernetes has not made what it needs, such as a namespace's service account.
func (l *Lab) create(ctx context.Context, object k8s.Object) error {
	what := fmt.Sprintf("%T %s", object, object.GetName())
	return waitFor(ctx, what, func(ctx context.Context) (bool, error) {
		err := l.client.Resources().Create(ctx, object)
		return err == nil || apierrors.IsAlreadyExists(err), err
	})
}

func (l *Lab) patch(ctx context.Context, object k8s.Object, patch string) error {
	return l.client.Resources().Patch(ctx, object, k8s.Patch{PatchType: types.StrategicMergePatchType, Data: []byte(patch)})
}

// flannel's annotations of a node (pkg/subnet/kube/annotations.go, v0.28.10).
const (
	annotationPrefix   = "flannel.alpha.coreos.com/"
	annotationType     = annotationPrefix + "backend-type"
	annotationData     = annotationPrefix + "backend-data"
	annotationPublicIP = annotationPrefix + "public-ip"
)

// Leases are the nodes' annotations. A node without them has no lease.
func (l *Lab) Leases(ctx context.Context) ([]evidence.Lease, error) {
	if why := l.nodes[0].down; why != "" {
		return nil, fmt.Errorf("leases: %s", why) // the API runs there
	}
	var nodes corev1.NodeList
	if err := l.client.Resources().List(ctx, &nodes); err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	leases := []evidence.Lease{}
	for _, n := range nodes.Items {
		if n.Annotations[annotationPublicIP] == "" || n.Annotations[annotationType] == "" {
			continue
		}
		lease, err := leaseOf(n)
		if err != nil {
			return nil, err
		}
		leases = append(leases, lease)
	}
	slices.SortFunc(leases, func(a, b evidence.Lease) int { return strings.Compare(a.Node, b.Node) })
	return leases, nil
}

// look finds what is in the cluster: pods, Services, the name server, the host outside, a dockerd and kube-proxy's mode.
func (l *Lab) look(ctx context.Context) error {
	if err := l.findWorkloads(ctx); err != nil {
		return err
	}
	if err := l.findOutside(); err != nil {
		return err
	}
	if err := l.findDocker(ctx); err != nil {
		return err
	}
	if err := l.findKubeProxy(ctx); err != nil {
		return err
	}
	return l.findDNS(ctx)
}

// placeDNS ties CoreDNS to the first node, since a probe must know which node answers, and has the kubelet look every
// second whether it is ready. It does not run until startDNS.
func (l *Lab) placeDNS(ctx context.Context) error {
	deployment := dnsDeployment()
	return l.patch(ctx, &deployment, fmt.Sprintf(`{"spec": {"replicas": 0, "template": {"spec": {
		"nodeSelector": {"kubernetes.io/hostname": %q},
		"containers": [{"name": "coredns", "readinessProbe": {"periodSeconds": 1}}]}}}}`, l.nodes[0].name))
}

// startDNS makes the one pod of CoreDNS.
func (l *Lab) startDNS(ctx context.Context) error {
	deployment := dnsDeployment()
	return l.patch(ctx, &deployment, `{"spec": {"replicas": 1}}`)
}

// findDNS waits until CoreDNS's pod runs, and finds it and its Service.
func (l *Lab) findDNS(ctx context.Context) error {
	var service corev1.Service
	if err := l.client.Resources().Get(ctx, "kube-dns", "kube-system", &service); err != nil {
		return fmt.Errorf("CoreDNS: %w", err)
	}
	address, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return fmt.Errorf("CoreDNS: %w", err)
	}
	var pod corev1.Pod
	err = waitFor(ctx, "CoreDNS's pod to run", func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := l.client.Resources("kube-system").List(ctx, &pods, resources.WithLabelSelector("k8s-app=kube-dns"))
		if err != nil {
			return false, err
		}
		running := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
			return p.DeletionTimestamp != nil || p.Status.Phase != corev1.PodRunning
		})
		if len(running) != 1 {
			return false, fmt.Errorf("%d run", len(running))
		}
		pod = running[0]
		return true, nil
	})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(l.nodes, func(n *node) bool { return n.name == pod.Spec.NodeName })
	if i < 0 {
		return fmt.Errorf("CoreDNS's pod %s is on %q, which is no node of the lab", pod.Name, pod.Spec.NodeName)
	}
	n := l.nodes[i]
	sandbox, err := n.sandboxOf(ctx, pod.Name)
	if err != nil {
		return err
	}
	place := &Place{name: "coredns-" + n.name, container: n.container, sandbox: sandbox}
	l.dns = lab.DNS{ClusterIP: address, Node: n.name, Pod: place}
	return nil
}
