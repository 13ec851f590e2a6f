package kind

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/netfault/netfault/framework/lab"
)

// findKubeProxy asks kube-proxy's configuration which rules it writes.
func (l *Lab) findKubeProxy(ctx context.Context) error {
	var config corev1.ConfigMap
	if err := l.client.Resources().Get(ctx, "kube-proxy", "kube-system", &config); err != nil {
		return fmt.Errorf("kube-proxy: %w", err)
	}
	var err error
	l.kubeProxy, err = kubeProxyMode(config.Data["config.conf"])
	return err
}

// kubeProxyMode reads a KubeProxyConfiguration, of which an empty mode is iptables on Linux.
func kubeProxyMode(text string) (lab.Rules, error) {
	var config struct {
		Mode lab.Rules `json:"mode"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return "", fmt.Errorf("kube-proxy's configuration: %w", err)
	}
	if config.Mode == "" {
		return lab.IPTables, nil
	}
	return config.Mode, nil
}
