package rekey

import (
	"regexp"
	"strings"
)

// items is a list that kubectl prints.
func items(s shape) shape {
	return object(map[string]shape{"apiVersion": keywordOf, "kind": keywordOf, "items": list1(s)})
}

// kubeObject is an object of Kubernetes with what is kept of it beside its name.
func kubeObject(name func(*Names, string) string, members map[string]shape) shape {
	members["apiVersion"], members["kind"] = keywordOf, keywordOf
	members["metadata"] = object(map[string]shape{
		"namespace": text((*Names).kubeNamespace), "name": text(name),
		"labels": object(map[string]shape{
			"app": text((*Names).kubeName), "k8s-app": text((*Names).kubeName), "tier": text((*Names).kubeName),
			"kubernetes.io/service-name": text((*Names).kubeName),
		}),
	})
	return object(members)
}

var (
	kubeService = kubeObject((*Names).kubeName, map[string]shape{"spec": object(map[string]shape{
		"type": keywordOf, "clusterIP": addressOf, "clusterIPs": list1(addressOf), "externalTrafficPolicy": keywordOf,
		"internalTrafficPolicy": keywordOf, "sessionAffinity": keywordOf, "ports": list1(kubePort),
	})})
	kubeSlice = kubeObject((*Names).kubeName, map[string]shape{
		"addressType": keywordOf, "ports": list1(kubePort),
		"endpoints": list1(object(map[string]shape{
			"addresses": list1(addressOf), "nodeName": nodeOf,
			"conditions": object(map[string]shape{"ready": number, "serving": number, "terminating": number}),
		})),
	})
	kubePod = kubeObject((*Names).pod, map[string]shape{
		"spec": object(map[string]shape{"nodeName": nodeOf, "hostNetwork": number}),
		"status": object(map[string]shape{
			"phase": keywordOf, "podIP": addressOf, "hostIP": addressOf, "podIPs": list1(object(map[string]shape{"ip": addressOf})),
			"conditions": list1(object(map[string]shape{"type": keywordOf, "status": keywordOf})),
		}),
	})
	kubeDaemonSet = kubeObject((*Names).kubeName, map[string]shape{
		"spec": object(map[string]shape{"template": object(map[string]shape{"spec": object(map[string]shape{
			"containers": list1(object(map[string]shape{
				"name": text((*Names).kubeName), "image": text((*Names).image),
				"command": list1(text((*Names).argument)), "args": list1(text((*Names).argument)),
			})),
		})})}),
		"status": object(map[string]shape{"desiredNumberScheduled": number, "numberReady": number}),
	})
)

// kubePort is a port of a Service or of its endpoints.
var kubePort = object(map[string]shape{
	"name": text((*Names).portName), "protocol": keywordOf, "port": number, "targetPort": number, "nodePort": number,
})

// kubeName returns the new name of an object, the same that a rule's comment has, and remembers it for Text.
func (n *Names) kubeName(s string) string {
	to := n.service(s)
	if _, node := n.nodes[s]; to != s && !node {
		n.remember(s, to)
	}
	return to
}

func (n *Names) kubeNamespace(s string) string {
	to := n.namespace(s)
	if to != s {
		n.remember(s, to)
	}
	return to
}

// images are those that run what netfault looks at, from where they are published.
var images = regexp.MustCompile(`^((docker\.io|ghcr\.io|quay\.io|registry\.k8s\.io|k8s\.gcr\.io)/)?` +
	`((flannel|flannel-io|flannelcni|coreos|rancher|coredns)/)?` +
	`(flannel|flannel-cni-plugin|mirrored-flannelcni-flannel|kube-proxy|coredns)(:[A-Za-z0-9._-]+)?$`)

func (n *Names) image(s string) string {
	if images.MatchString(s) {
		return s
	}
	return n.word("image", s)
}

var programs = setOf("/opt/bin/flanneld /usr/local/bin/kube-proxy flanneld kube-proxy cp -f")

// argument re-keys an argument of a program: OPTION=VALUE, where options are the program's own.
func (n *Names) argument(s string) string {
	option, value, ok := strings.Cut(s, "=")
	switch {
	case programs[s] || plainOption.MatchString(s):
		return s
	case ok && plainOption.MatchString(option) && n.links[value]:
		return option + "=" + n.iface(value)
	case ok && plainOption.MatchString(option):
		return option + "=" + n.value(value)
	}
	return n.value(s)
}

// kubeProxyLine is a line of kube-proxy's configuration with a key that detectors or people need.
var kubeProxyLine = regexp.MustCompile(`^( *(?:apiVersion|kind|mode|clusterCIDR|iptables|ipvs|nftables|conntrack|masqueradeAll|masqueradeBit|` +
	`maxPerCore|min|tcpBeLiberal|tcpCloseWaitTimeout|tcpEstablishedTimeout|strictARP|scheduler|minSyncPeriod|syncPeriod|` +
	`detectLocalMode):) *(.*)$`)

// kubeProxy re-keys kube-proxy's configuration, which is YAML, line by line. Other lines are left out.
func (n *Names) kubeProxy(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		parts := kubeProxyLine.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		to := parts[1]
		switch bare := strings.Trim(parts[2], `"' `); {
		case parts[2] == "":
		case bare == "":
			to += ` ""`
		default:
			to += " " + n.value(bare)
		}
		out = append(out, to)
	}
	return strings.Join(out, "\n") + "\n"
}
