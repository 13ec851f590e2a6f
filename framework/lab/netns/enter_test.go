package netns

import (
	"os"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
)

// Who is not root and may not become it can have a lab all the same, and is told how.
func TestUpWithoutRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root is not refused")
	}
	_, err := Up(t.Context(), Options{Name: lab.DefaultName})
	if err == nil || !strings.Contains(err.Error(), "sudo") || !strings.Contains(err.Error(), "hack/rootless bash") {
		t.Errorf("%v; want both ways", err)
	}
}
