// Package dnsreachability recognises by probes whether pods get answers from the cluster's DNS.
package dnsreachability

import (
	_ "embed"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/probes"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
)

// Detector reports each pair of ends between which a probe got no answer.
var Detector = probes.Reachability(evidence.ProbeDNS,
	"pods get answers from the cluster's DNS",
	"pod on %s gets no answer from the cluster DNS on %s",
	detectors.Writeup{English: english, Chinese: chinese})
