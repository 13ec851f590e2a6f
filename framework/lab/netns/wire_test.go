package netns

import (
	"strings"
	"testing"
)

// The one module that the kernel does not load by itself is named where it is missed. The folder of such a key is missing then.
func TestWithoutBridgeNetfilter(t *testing.T) {
	err := writeSysctls(map[string]string{"net/bridge/none/bridge-nf-call-iptables": "1"})
	if err == nil || !strings.Contains(err.Error(), "modprobe br_netfilter") {
		t.Errorf("%v; want what to do", err)
	}
}
