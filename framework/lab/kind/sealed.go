package kind

import (
	"bytes"
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// The prefixes set netfault's clusters apart from everybody else's. That of sealed labs is netfault's name for those who know it, and
// tells others nothing: every machine bears it.
const (
	clusterPrefix = "netfault-"
	sealedPrefix  = "n6t-"
)

// show is what whoever is root on a lab's machines, or asks its API, can see of netfault there.
type show struct {
	prefix string
	// agent is where netfault-agent is in every container of the lab.
	agent string
	// image is that of the lab's pods. It exists in the nodes only, and in no registry.
	image string
	// domain is that of labels in the cluster.
	domain string
}

var (
	openly   = show{clusterPrefix, "/usr/local/bin/netfault-agent", "localhost/netfault/agent:lab", "netfault.github.io"}
	nameless = show{sealedPrefix, agent.SealedProgram, "localhost/web:1", "node.local"}
)

// shows are all of them.
var shows = []show{openly, nameless}

func (s show) cluster(name string) string { return s.prefix + name }

// label is a label in the cluster.
func (s show) label(name string) string { return s.domain + "/" + name }

// Labels in the cluster, without their domain: the last three are on flannel's namespace, by which a cluster that is opened again tells
// what was installed in it.
const (
	// offLabel on a node keeps flannel's DaemonSet away from it.
	offLabel     = "without-flannel"
	versionLabel = "flannel"
	offlineLabel = "offline"
	rulesLabel   = "flannel-rules"
)

// clusterNames are what the cluster of a lab of that name may be called.
func clusterNames(name string) []string {
	var all []string
	for _, s := range shows {
		all = append(all, s.cluster(name))
	}
	return all
}

// labOf returns the name of the lab that a cluster would be of; empty if it is none's.
func labOf(cluster string) string {
	for _, s := range shows {
		if name, ok := strings.CutPrefix(cluster, s.prefix); ok && lab.CheckName(name) == nil {
			return name
		}
	}
	return ""
}

// showOf returns what a lab shows whose cluster is among these; ok is false if it has none there.
func showOf(clusters []string, name string) (s show, ok bool) {
	for _, s := range shows {
		if slices.Contains(clusters, s.cluster(name)) {
			return s, true
		}
	}
	return openly, false
}

// containers are the nodes and the host outside.
func (l *Lab) containers() []machine.Machine {
	all := []machine.Machine{l.outside}
	for _, n := range l.nodes {
		all = append(all, n)
	}
	return all
}

// cluster is the name of the lab's cluster, as kind has it.
func (l *Lab) cluster() string { return l.show.cluster(l.name) }

// agentOf returns the program that the lab's machines have as netfault-agent: that one, or a nameless copy of it.
func (l *Lab) agentOf(program string) (string, error) {
	if l.show == openly {
		return program, nil
	}
	copied := filepath.Join(l.StateDir(), path.Base(l.Agent()))
	return copied, agent.CopyNameless(program, copied)
}

// adminConfig is where kubeadm writes what kubectl needs, on the control plane's node.
const adminConfig = "/etc/kubernetes/admin.conf"

// placeKubeconfig has kubectl reach the API from every node and from the host outside, for whoever logs in there.
func (l *Lab) placeKubeconfig(ctx context.Context) error {
	config, err := machine.Output(ctx, l.nodes[0], "cat", adminConfig)
	if err != nil {
		return err
	}
	for _, m := range l.containers() {
		// kubectl warns of one that others can read.
		command := machine.Command{Argv: []string{"install", "-D", "-m", "600", "/dev/stdin", "/root/.kube/config"}, Stdin: bytes.NewReader(config)}
		if err := m.Run(ctx, command); err != nil {
			return err
		}
	}
	return nil
}
