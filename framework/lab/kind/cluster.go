package kind

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
	kindexec "sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/yaml"

	"github.com/netfault/netfault/framework/engine"
	kindconfigs "github.com/netfault/netfault/kind-configs"
)

// kubeconfigPath keeps kind from writing into the user's own kubeconfig.
func kubeconfigPath(lab string) string { return filepath.Join(StateDir(lab), "kubeconfig") }

// Labels of containers: kind's (pkg/cluster/internal/providers, v0.33.0) and netfault's own.
const (
	clusterLabel = "io.x-k8s.kind.cluster"
	roleLabel    = "io.x-k8s.kind.role"
	labLabel     = "io.github.netfault.lab"
	// outsideRole is none of kind's, so that kind removes the host outside with its cluster but takes it for no node.
	outsideRole = "netfault-outside"
)

// provider is kind's for the engine that answers, which need not be the one that kind would take.
func provider(e engine.Engine, log *logger) *cluster.Provider {
	options := []cluster.ProviderOption{cluster.ProviderWithLogger(log)}
	switch e.Name {
	case "docker":
		options = append(options, cluster.ProviderWithDocker())
	case "podman":
		options = append(options, cluster.ProviderWithPodman())
	default:
		options = append(options, cluster.ProviderWithNerdctl(e.Name))
	}
	return cluster.NewProvider(options...)
}

// createCluster makes the cluster. kind's Create cannot be cancelled: when ctx ends, the containers that it makes are removed,
// and it fails.
func (l *Lab) createCluster(ctx context.Context, o Options) error {
	mayRaise, err := engine.MayRaiseLimits()
	if err != nil {
		return err
	}
	config, err := clusterConfig(o, l.engine.CgroupV1, mayRaise)
	if err != nil {
		return err
	}
	took, err := l.networkTurn(ctx, o.Progress)
	if err != nil {
		return err
	}
	restore, err := l.engine.Shield()
	if err != nil {
		return errors.Join(err, took())
	}
	over := func() error { return errors.Join(restore(), took()) }
	done := make(chan error, 1)
	go func() {
		done <- l.provider.Create(l.cluster(),
			cluster.CreateWithV1Alpha4Config(config),
			cluster.CreateWithNodeImage(o.Image),
			cluster.CreateWithKubeconfigPath(kubeconfigPath(l.name)),
			// A cluster that failed is kept for its logs; Up removes it.
			cluster.CreateWithRetain(true),
		)
	}()
	select {
	case err := <-done:
		return errors.Join(withOutput(err), over())
	case <-ctx.Done():
	}
	o.Progress(fmt.Sprintf("%v: removing what kind has made so far", context.Cause(ctx)))
	// Containers that the engine is about to make come later, and kind goes on as long as it has some.
	err = l.removeUntil(context.WithoutCancel(ctx), done)
	return errors.Join(context.Cause(ctx), err, over())
}

// removeUntil removes the cluster's containers again and again, until kind has given up.
func (l *Lab) removeUntil(ctx context.Context, done <-chan error) error {
	pace := time.NewTicker(removePace)
	defer pace.Stop()
	for {
		err := removeContainers(ctx, l.engine, l.provider, l.cluster())
		select {
		case <-done:
			return err
		case <-pace.C:
		}
	}
}

// removePace is the time between two looks for containers that have come meanwhile.
const removePace = 250 * time.Millisecond

// clusterConfig is kind-configs/flannel.yaml for so many nodes, with that mode of kube-proxy and those networks, with what this machine
// needs merged in.
func clusterConfig(o Options, cgroupV1, mayRaiseLimits bool) (*v1alpha4.Cluster, error) {
	var c v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(kindconfigs.Flannel, &c); err != nil {
		return nil, fmt.Errorf("kind-configs/flannel.yaml: %w", err)
	}
	worker := c.Nodes[len(c.Nodes)-1]
	for len(c.Nodes) < o.Nodes {
		c.Nodes = append(c.Nodes, worker)
	}
	c.Nodes = slices.Clip(c.Nodes[:o.Nodes])
	c.Networking.KubeProxyMode = v1alpha4.ProxyMode(o.KubeProxy)
	if o.PodNetwork.IsValid() {
		c.Networking.PodSubnet = o.PodNetwork.String()
	}
	if o.ServiceNetwork.IsValid() {
		c.Networking.ServiceSubnet = o.ServiceNetwork.String()
	}
	if cgroupV1 {
		// Since Kubernetes 1.35 the kubelet does not start on control groups v1 unless it is told to.
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	if !mayRaiseLimits {
		// containerd lowers oom_score_adj, and no sandbox starts: "can't get final child's PID from pipe: EOF".
		c.ContainerdConfigPatches = append(c.ContainerdConfigPatches,
			"[plugins.\"io.containerd.grpc.v1.cri\"]\n  restrict_oom_score_adj = true\n")
	}
	return &c, nil
}

// withOutput adds the end of what a failed command of kind's printed.
func withOutput(err error) error {
	if run := kindexec.RunErrorForError(err); run != nil && len(run.Output) > 0 {
		lines := strings.Split(strings.TrimSpace(string(run.Output)), "\n")
		return fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return err
}
