package labs

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/tools"
)

// Flavour is what tells apart the labs that faults need: how pods hang on the nodes, and the version of flannel.
type Flavour struct {
	Pods    lab.Attachment
	Flannel string
}

// FlavourFor is that of a lab of a kind for a fault that needs these; any will do where one is empty. A kind cluster has one flavour.
func FlavourFor(k Kind, pods lab.Attachment, flannel string) Flavour {
	if k == KIND {
		return Flavour{lab.CNIBridge, tools.FlannelVersion()}
	}
	return Flavour{cmp.Or(pods, lab.CNIBridge), cmp.Or(flannel, tools.FlannelVersion())}
}

// String is what people call it.
func (f Flavour) String() string {
	if f.Flannel == tools.FlannelVersion() {
		return string(f.Pods)
	}
	return fmt.Sprintf("%s, flannel %s", f.Pods, f.Flannel)
}

// LabName is a name for a lab of the flavour, which begins with a prefix and can be followed by more.
func (f Flavour) LabName(prefix string) string {
	name := prefix + string(f.Pods)
	if f.Flannel != tools.FlannelVersion() {
		name += "-" + strings.ReplaceAll(f.Flannel, ".", "-")
	}
	return name
}
