package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// node is a member of the cluster: a container of kind's.
type node struct {
	*Place
	address netip.Addr
	// podCIDR is that of the Kubernetes node.
	podCIDR netip.Prefix
	// pod has the Service in front of lab.PodPort, client that of lab.ClosingPort.
	pod, client lab.Pod
}

// namespace is that of the lab's pods and Services.
const namespace = "default"

// The NodePorts of the first node's pods.
const (
	firstNodePort        = 30080
	firstClosingNodePort = 30180
)

func podName(n *node) string    { return "pod-" + n.name }
func clientName(n *node) string { return "client-" + n.name }

// prepareWorkloads brings netfault-agent into every node, as a program and as the image of pods, and makes the Services.
func (l *Lab) prepareWorkloads(ctx context.Context, agent string) error {
	program, err := os.ReadFile(agent)
	if err != nil {
		return err
	}
	image, err := agentImage(l.show, program)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range l.nodes {
		group.Go(func() error {
			if err := n.install(ctx, l.Agent(), program); err != nil {
				return err
			}
			n.container.agentIsThere()
			// The agent is the node's sysctl, too, which knows the emulated tcp_tw_recycle.
			if _, err := machine.Output(ctx, n, "ln", "-sfn", l.Agent(), "/usr/local/sbin/sysctl"); err != nil {
				return err
			}
			if err := nodeutils.LoadImageArchive(n.container, bytes.NewReader(image)); err != nil {
				return fmt.Errorf("%s: %w", n.name, withOutput(err))
			}
			return nil
		})
		group.Go(func() error {
			service := newService(n.name, podName(n), lab.PodPort, firstNodePort+i)
			if err := l.create(ctx, &service); err != nil {
				return err
			}
			closing := newService(clientName(n), clientName(n), lab.ClosingPort, firstClosingNodePort+i)
			return l.create(ctx, &closing)
		})
	}
	return group.Wait()
}

// startPods makes two pods on each node, and the name server's. flannel must be ready there: once the kubelet has failed
// to make a pod's network, it waits 10 seconds and more before it tries again.
func (l *Lab) startPods(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.startDNS(ctx) })
	for _, n := range l.nodes {
		for _, name := range []string{podName(n), clientName(n)} {
			pod := n.newPod(name, l.show.image)
			group.Go(func() error { return l.create(ctx, &pod) })
		}
	}
	return group.Wait()
}

// install writes a program into the node.
func (p *Place) install(ctx context.Context, path string, program []byte) error {
	// Written beside and renamed, since the old one may be running.
	const script = `cat >"$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0"`
	return p.Run(ctx, machine.Command{Argv: []string{"sh", "-c", script, path}, Stdin: bytes.NewReader(program)})
}

// newPod is a pod on the node that runs netfault-agent's probe server. It names its node itself, past the scheduler, so
// that the control plane's node has one, too.
func (n *node) newPod(name, image string) corev1.Pod {
	no := false
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName:                     n.name,
			AutomountServiceAccountToken: &no,
			EnableServiceLinks:           &no,
			Tolerations:                  []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "agent", Image: image, ImagePullPolicy: corev1.PullNever,
				Args: []string{
					"serve", "--name=" + name, "--listen=:" + strconv.Itoa(lab.PodPort),
					"--listen-closing=:" + strconv.Itoa(lab.ClosingPort),
				},
			}},
		},
	}
}

func newService(name, pod string, port int32, nodePort int) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": pod},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(port), NodePort: int32(nodePort)}},
		},
	}
}

// findWorkloads waits until the pods run, and finds their addresses, processes and Services.
func (l *Lab) findWorkloads(ctx context.Context) error {
	var pods corev1.PodList
	err := waitFor(ctx, "the pods to run", func(ctx context.Context) (bool, error) {
		if err := l.client.Resources(namespace).List(ctx, &pods); err != nil {
			return false, err
		}
		for _, p := range pods.Items {
			if p.Status.Phase != corev1.PodRunning || p.Status.PodIP == "" {
				return false, fmt.Errorf("%s is %s%s", p.Name, p.Status.Phase, waitingReason(p))
			}
		}
		if len(pods.Items) < 2*len(l.nodes) {
			return false, fmt.Errorf("there are %d of %d", len(pods.Items), 2*len(l.nodes))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := l.findPodCIDRs(ctx); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, n := range l.nodes {
		group.Go(func() error { return l.findPods(groupCtx, n, pods.Items) })
	}
	return group.Wait()
}

// findPodCIDRs asks the API for the networks of the nodes' pods.
func (l *Lab) findPodCIDRs(ctx context.Context) error {
	for _, n := range l.nodes {
		var registered corev1.Node
		if err := l.client.Resources().Get(ctx, n.name, "", &registered); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		cidr, err := netip.ParsePrefix(podCIDR(registered))
		if err != nil {
			return fmt.Errorf("%s has no pod CIDR: %w", n.name, err)
		}
		n.podCIDR = cidr
	}
	return nil
}

func waitingReason(p corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Waiting != nil {
			return " (" + strings.TrimSpace(c.State.Waiting.Reason+" "+c.State.Waiting.Message) + ")"
		}
	}
	return ""
}

func (l *Lab) findPods(ctx context.Context, n *node, pods []corev1.Pod) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		n.pod, err = l.findPod(ctx, n, podName(n), n.name, pods)
		return err
	})
	group.Go(func() (err error) {
		n.client, err = l.findPod(ctx, n, clientName(n), clientName(n), pods)
		return err
	})
	return group.Wait()
}

func (l *Lab) findPod(ctx context.Context, n *node, name, service string, pods []corev1.Pod) (lab.Pod, error) {
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return p.Name == name })
	if i < 0 {
		return lab.Pod{}, fmt.Errorf("there is no pod %s", name)
	}
	address, err := netip.ParseAddr(pods[i].Status.PodIP)
	if err != nil {
		return lab.Pod{}, fmt.Errorf("pod %s: %w", name, err)
	}
	sandbox, err := n.sandboxOf(ctx, name)
	if err != nil {
		return lab.Pod{}, err
	}
	var found corev1.Service
	if err := l.client.Resources().Get(ctx, service, namespace, &found); err != nil {
		return lab.Pod{}, fmt.Errorf("the Service %s: %w", service, err)
	}
	clusterIP, err := netip.ParseAddr(found.Spec.ClusterIP)
	if err != nil {
		return lab.Pod{}, fmt.Errorf("the Service %s: %w", service, err)
	}
	port := found.Spec.Ports[0]
	return lab.Pod{
		Machine: &Place{name: name, container: n.container, sandbox: sandbox}, Address: address,
		Service: lab.Service{
			Name: service + "." + namespace + ".svc.cluster.local", ClusterIP: clusterIP,
			Port: int(port.Port), NodePort: int(port.NodePort),
		},
	}, nil
}

// sandboxOf returns the process ID of the pod's pause process as the node sees it. It asks containerd by ctr, which every
// node image has, unlike crictl.
func (n *node) sandboxOf(ctx context.Context, pod string) (int, error) {
	filter := fmt.Sprintf("labels.%q==sandbox,labels.%q==%s", "io.cri-containerd.kind", "io.kubernetes.pod.name", pod)
	found, err := machine.Output(ctx, n, "ctr", "--namespace=k8s.io", "containers", "list", "--quiet", filter)
	if err != nil {
		return 0, err
	}
	tasks, err := machine.Output(ctx, n, "ctr", "--namespace=k8s.io", "tasks", "list")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(tasks)) {
		fields := strings.Fields(line) // TASK PID STATUS
		if len(fields) == 3 && fields[2] == "RUNNING" && slices.Contains(strings.Fields(string(found)), fields[0]) {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, errors.New("pod " + pod + " has no sandbox that runs on " + n.name)
}
