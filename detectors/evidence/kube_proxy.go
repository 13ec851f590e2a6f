package evidence

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// KubeProxy is what is read of kube-proxy's configuration (KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1).
type KubeProxy struct {
	// Mode is "iptables", "ipvs" or "nftables"; empty is iptables on Linux.
	Mode string `yaml:"mode"`
	// ClusterCIDR holds the pods' addresses; what comes from elsewhere to a ClusterIP is masqueraded.
	ClusterCIDR string `yaml:"clusterCIDR"`
	IPTables    struct {
		// MasqueradeAll masquerades everything to a ClusterIP.
		MasqueradeAll bool `yaml:"masqueradeAll"`
	} `yaml:"iptables"`
	Conntrack struct {
		// MaxPerCore and Min decide net.netfilter.nf_conntrack_max. Nil is the default; MaxPerCore 0 leaves it alone.
		MaxPerCore *int `yaml:"maxPerCore"`
		Min        *int `yaml:"min"`
		// BeLiberal leaves packets alone that are out of their TCP window.
		BeLiberal bool `yaml:"tcpBeLiberal"`
	} `yaml:"conntrack"`
}

// kubeProxyKey is where kubeadm and kind have the configuration in the ConfigMap.
const kubeProxyKey = "config.conf"

// KubeProxy returns kube-proxy's configuration, from its ConfigMap in KubeProxyFile.
func (b *Bundle) KubeProxy() (KubeProxy, error) {
	var config KubeProxy
	err := b.decode(KubeProxyFile, func(d *decoder) error {
		var object struct {
			Data map[string]string `json:"data"`
		}
		if err := d.value(&object); err != nil {
			return err
		}
		text, ok := object.Data[kubeProxyKey]
		if !ok {
			return errors.New("no data." + kubeProxyKey + ": want the output of kubectl -n kube-system get configmap kube-proxy -o json")
		}
		if err := yaml.Unmarshal([]byte(text), &config); err != nil {
			return fmt.Errorf("data.%s: %w", kubeProxyKey, err)
		}
		return nil
	})
	return config, err
}
