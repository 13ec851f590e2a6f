package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/kubeproxy"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// Pods of a node, by the last byte of their address.
type podKind int

const (
	probePod  podKind = 2
	dnsPod    podKind = 3
	clientPod podKind = 4
)

func (k podKind) service() string {
	switch k {
	case dnsPod:
		return "coredns"
	case clientPod:
		return "client"
	}
	return "pod"
}

// service is the Service in front of the node's pod.
func (n *node) service() lab.Service {
	return lab.Service{
		Name: n.name + ".default.svc.cluster.local", ClusterIP: nth(n.site.ServiceNetwork, 256+n.index), Port: 80, NodePort: 30080 + n.index,
	}
}

// closingService is the Service in front of the node's second pod, whose server closes connections first.
func (n *node) closingService() lab.Service {
	return lab.Service{
		Name: n.name + "-closing.default.svc.cluster.local", ClusterIP: nth(n.site.ServiceNetwork, 512+n.index), Port: 80, NodePort: 30300 + n.index,
	}
}

// startWorkloads starts the pods, kube-proxy's rules and the server outside.
func (l *Lab) startWorkloads(ctx context.Context, p programs) error {
	rules := l.kubeProxyRules()
	group, groupCtx := errgroup.WithContext(ctx)
	for _, n := range l.nodes {
		group.Go(func() error {
			mtu, err := n.podMTU()
			if err != nil {
				return err
			}
			for _, k := range []podKind{probePod, clientPod} {
				argv := p.serve(k.service() + "-" + n.name)
				if err := l.startPod(groupCtx, n, k, mtu, argv, nil); err != nil {
					return err
				}
			}
			if n.index == 0 {
				argv := []string{p.coredns, "-conf", "/run/coredns/Corefile"}
				if err := l.startPod(groupCtx, n, dnsPod, mtu, argv, map[string]string{"/run/coredns/Corefile": l.corefile()}); err != nil {
					return err
				}
			}
			return n.Run(groupCtx, machine.Command{Argv: []string{"iptables-restore", "--noflush"}, Stdin: strings.NewReader(rules)})
		})
	}
	group.Go(func() error {
		_, err := l.outside.Machine.(*place).client().Put(groupCtx, agent.Service{Name: outsideService, Argv: p.serve(outsideName)})
		return err
	})
	return group.Wait()
}

func (l *Lab) startPod(ctx context.Context, n *node, k podKind, mtu int, argv []string, files map[string]string) error {
	pod := agent.PodNet{HostLink: "veth-" + k.service(), MTU: mtu}
	if l.record.Pods == lab.Routed {
		pod.Address = withBits(n.podAddress(k).Addr(), 32)
	} else {
		pod.Bridge, pod.Gateway, pod.Address = string(l.record.Pods), withBits(n.subnet().Addr().Next(), 24), n.podAddress(k).String()
	}
	_, err := n.client().Put(ctx, agent.Service{Name: k.service(), Argv: argv, Files: files, Pod: &pod})
	if err != nil {
		return fmt.Errorf("%s: %s: %w", n.name, k.service(), err)
	}
	return n.findPods(ctx)
}

// findPods looks up the process IDs of the node's pods, for their network namespaces.
func (n *node) findPods(ctx context.Context) error {
	services, err := n.client().Services(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	n.pods = map[podKind]int{}
	for _, k := range []podKind{probePod, dnsPod, clientPod} {
		for _, s := range services {
			if s.Name == k.service() {
				n.pods[k] = s.PID
			}
		}
	}
	return nil
}

// pod is the node's pod as a machine.
func (n *node) pod(k podKind) *place {
	p := *n.place
	p.name, p.pod, p.net = k.service()+"-"+n.name, n.pods[k], fmt.Sprintf("%s/root/proc/%d", n.root, n.pods[k])
	return &p
}

// podMTU is what flannel's CNI plugin gives to pods: the MTU that flanneld wrote into its subnet file.
func (n *node) podMTU() (int, error) {
	var content []byte
	err := n.do(func() error {
		var err error
		content, err = os.ReadFile(subnetFile)
		return err
	})
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "FLANNEL_MTU="); ok {
			return strconv.Atoi(value)
		}
	}
	return 0, errors.New(n.name + ": " + subnetFile + " has no FLANNEL_MTU")
}

func (l *Lab) kubeProxyRules() string {
	dns := netip.AddrPortFrom(l.nodes[0].podAddress(dnsPod).Addr(), 53)
	services := []kubeproxy.Service{
		{Name: "kube-system/kube-dns:dns", Protocol: "udp", ClusterIP: l.dnsClusterIP(), Port: 53, Endpoints: []netip.AddrPort{dns}},
		{Name: "kube-system/kube-dns:dns-tcp", Protocol: "tcp", ClusterIP: l.dnsClusterIP(), Port: 53, Endpoints: []netip.AddrPort{dns}},
	}
	for _, n := range l.nodes {
		s, closing := n.service(), n.closingService()
		services = append(services,
			kubeproxy.Service{
				Name: "default/" + n.name, Protocol: "tcp", ClusterIP: s.ClusterIP, Port: s.Port, NodePort: s.NodePort,
				Endpoints: []netip.AddrPort{netip.AddrPortFrom(n.podAddress(probePod).Addr(), lab.PodPort)},
			},
			kubeproxy.Service{
				Name: "default/" + n.name + "-closing", Protocol: "tcp", ClusterIP: closing.ClusterIP, Port: closing.Port, NodePort: closing.NodePort,
				Endpoints: []netip.AddrPort{netip.AddrPortFrom(n.podAddress(clientPod).Addr(), lab.ClosingPort)},
			})
	}
	return kubeproxy.Rules(l.site.PodNetwork, services)
}

// corefile answers for the Services, as the kubernetes plugin would from the API that this lab does not have.
func (l *Lab) corefile() string {
	var hosts strings.Builder
	for _, n := range l.nodes {
		for _, s := range []lab.Service{n.service(), n.closingService()} {
			fmt.Fprintf(&hosts, "        %s %s\n", s.ClusterIP, s.Name)
		}
	}
	return ".:53 {\n    hosts {\n" + hosts.String() + "    }\n    errors\n}\n"
}
