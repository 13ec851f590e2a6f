package main

import (
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
)

// What a kind of lab cannot have is told before anything is made.
func TestCheckUp(t *testing.T) {
	whole := labs.Options{Kind: labs.KIND, Nodes: 3, Pods: lab.CNIBridge, KubeProxy: lab.NFTables, FlannelRules: lab.NFTables}
	if err := checkUp(whole); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*labs.Options){
		"--nodes=1":                    func(o *labs.Options) { o.Nodes = 1 },
		"--pods=docker0":               func(o *labs.Options) { o.Pods = lab.DockerBridge },
		"--kube-proxy=ipvs":            func(o *labs.Options) { o.KubeProxy = "ipvs" },
		"--flannel-rules=nft":          func(o *labs.Options) { o.FlannelRules = "nft" },
		"--kind=kind makes a lab with": func(o *labs.Options) { o.Kind, o.FlannelRules = labs.Netns, lab.IPTables },
		"has iptables rules alone":     func(o *labs.Options) { o.Kind, o.KubeProxy = labs.Netns, lab.IPTables },
		"--kind=vagrant":               func(o *labs.Options) { o.Kind = "vagrant" },
	} {
		o := whole
		change(&o)
		if err := checkUp(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
