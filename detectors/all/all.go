// Package all lists every detector.
package all

import (
	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/dnsreachability"
	"github.com/netfault/netfault/detectors/egressreachability"
	"github.com/netfault/netfault/detectors/largereachability"
	"github.com/netfault/netfault/detectors/nodeportreachability"
	"github.com/netfault/netfault/detectors/podreachability"
	"github.com/netfault/netfault/detectors/podsnat"
	"github.com/netfault/netfault/detectors/servicereachability"
	"github.com/netfault/netfault/detectors/sourceaddress"
	"github.com/netfault/netfault/detectors/stalearp"
	"github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/detectors/twrecycle"
)

// list has a line for each detector, sorted.
var list = []detectors.Detector{
	dnsreachability.Detector,
	egressreachability.Detector,
	largereachability.Detector,
	nodeportreachability.Detector,
	podreachability.Detector,
	podsnat.Detector,
	servicereachability.Detector,
	sourceaddress.Detector,
	stalearp.Detector,
	stalevtep.Detector,
	twrecycle.Detector,
}

// Detectors returns every detector, in the order of reports.
func Detectors() []detectors.Detector { return detectors.Sorted(list) }
