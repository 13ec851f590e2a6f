package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/e2e-framework/klient/decoder"
	"sigs.k8s.io/e2e-framework/klient/k8s"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
	"github.com/netfault/netfault/framework/tools"
)

// manifest is flannel's own, as objects.
type manifest struct {
	version string
	// rules are those that flanneld writes.
	rules  lab.Rules
	others []k8s.Object
	// daemonSet is kube-flannel-ds; it leaves out nodes that have offLabel.
	daemonSet *appsv1.DaemonSet
	// ready is where flanneld answers on its node once it is ready; empty in manifests without a readiness probe.
	ready string
}

// readManifest reads the manifest of a version of flannel, and patches it where the lab needs that. The network is that of pods, the
// manifest's own if it is the zero value.
func readManifest(ctx context.Context, s show, version string, offline bool, rules lab.Rules, network netip.Prefix) (*manifest, error) {
	if err := checkFlannel(version, offline); err != nil {
		return nil, err
	}
	text, err := nodeimage.FlannelManifest(ctx, version)
	if err != nil {
		return nil, err
	}
	objects, err := decoder.DecodeAll(ctx, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("flannel's manifest: %w", err)
	}
	m := &manifest{version: version, rules: rules}
	labelled := false
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.DaemonSet:
			m.daemonSet = o
			continue
		case *corev1.Namespace:
			o.Labels = labels.Merge(o.Labels, labels.Set{
				s.label(versionLabel): version, s.label(offlineLabel): fmt.Sprint(offline), s.label(rulesLabel): string(rules),
			})
			labelled = true
		case *corev1.ConfigMap:
			if err := setNetwork(o, network); err != nil {
				return nil, fmt.Errorf("flannel %s: %w", version, err)
			}
			if err := setRules(o, rules); err != nil {
				return nil, fmt.Errorf("flannel %s: %w", version, err)
			}
			if offline {
				// The CNI plugin in the offline image is of containernetworking/plugins v0.9.1, which knows no 1.0.0.
				const file = "cni-conf.json"
				o.Data[file] = strings.Replace(o.Data[file], `"cniVersion": "1.0.0"`, `"cniVersion": "0.3.1"`, 1)
			}
		}
		m.others = append(m.others, o)
	}
	if m.daemonSet == nil || !labelled {
		// That of v0.14.0 has none, and a PodSecurityPolicy, which Kubernetes 1.25 dropped.
		return nil, fmt.Errorf("the manifest of flannel %s has no DaemonSet in a namespace of its own: the kind lab needs a newer one", version)
	}
	return m, m.patch(s)
}

// setRules has flanneld write its rules as nftables, where that is wanted (EnableNFTables in flannel's
// Documentation/configuration.md, v0.28.10; v0.25.7 has it, too).
func setRules(config *corev1.ConfigMap, rules lab.Rules) error {
	if rules == lab.IPTables {
		return nil
	}
	return setConfig(config, "EnableNFTables", true)
}

// setNetwork has flannel give out pods' networks of that one, if one is given.
func setNetwork(config *corev1.ConfigMap, network netip.Prefix) error {
	if !network.IsValid() {
		return nil
	}
	return setConfig(config, "Network", network.String())
}

// setConfig sets what flanneld's own configuration has a value for.
func setConfig(config *corev1.ConfigMap, key string, value any) error {
	const file = "net-conf.json"
	var all map[string]any
	if err := json.Unmarshal([]byte(config.Data[file]), &all); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if _, ok := all[key]; !ok {
		return fmt.Errorf("%s knows no %s", file, key)
	}
	all[key] = value
	text, err := json.MarshalIndent(all, "", "  ")
	config.Data[file] = string(text)
	return err
}

func checkFlannel(version string, offline bool) error {
	if tools.HasStandIn(version) {
		return fmt.Errorf("flannel %s is to be had on the embedded lab alone, by a stand-in", version)
	}
	if offline && version != tools.DefaultFlannel {
		return fmt.Errorf("the offline node image has flannel %s and no other: FLANNEL_VERSION=%s needs a registry",
			tools.DefaultFlannel, version)
	}
	return nil
}

// patch leaves out the nodes with offLabel, and has the kubelet look every second whether flanneld is ready.
func (m *manifest) patch(s show) error {
	pod := &m.daemonSet.Spec.Template.Spec
	if pod.Affinity == nil || pod.Affinity.NodeAffinity == nil ||
		pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return fmt.Errorf("flannel's manifest of %s has no node affinity", m.version)
	}
	terms := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for i := range terms {
		terms[i].MatchExpressions = append(terms[i].MatchExpressions,
			corev1.NodeSelectorRequirement{Key: s.label(offLabel), Operator: corev1.NodeSelectorOpDoesNotExist})
	}
	for i := range pod.Containers {
		p := pod.Containers[i].ReadinessProbe
		if p == nil {
			continue
		}
		p.InitialDelaySeconds, p.PeriodSeconds = 0, 1
		if p.HTTPGet != nil {
			m.ready = "http://localhost:" + portOf(pod.Containers[i], p.HTTPGet.Port) + p.HTTPGet.Path
		}
	}
	return nil
}

// portOf returns the number of a port that may be named.
func portOf(c corev1.Container, port intstr.IntOrString) string {
	for _, p := range c.Ports {
		if p.Name == port.StrVal && port.Type == intstr.String {
			return strconv.Itoa(int(p.ContainerPort))
		}
	}
	return port.String()
}
