package labs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
)

// Between a lab's folder and the word whose it is there is a moment, in which a reset must not take it for an abandoned one.
func TestUseOfALabThatIsJustBegun(t *testing.T) {
	f := Found{Kind: KIND, Name: fmt.Sprintf("begun-%d", os.Getpid())}
	if err := os.MkdirAll(f.StateDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(f.StateDir()); err != nil {
			t.Error(err)
		}
		_ = os.Remove(filepath.Dir(f.StateDir())) // if it was the only one
	})
	if use, err := f.Use(); err != nil || use != owner.Abandoned {
		t.Errorf("a folder that nobody says anything of: %v, %v", use, err)
	}
	this, err := owner.This()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	time.AfterFunc(claimLimit/10, func() {
		written <- owner.WriteRecord(f.StateDir(), map[string]any{"name": f.Name, "owner": this})
	})
	use, err := f.Use()
	if err != nil || use != owner.Owned {
		t.Errorf("a lab whose maker is at it: %v, %v", use, err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// A site's parts are told to a cluster, whose nodes have names of their own, by the places of its nodes.
func TestPartsOfASite(t *testing.T) {
	got := partsOf(lab.Site{Nodes: []string{"bob", "ada", "eve"}, Parts: []string{"eve", "ada", "bob"}})
	if !slices.Equal(got, []int{2, 0, 1}) || partsOf(lab.Site{}) != nil {
		t.Errorf("%v, and without a site %v", got, partsOf(lab.Site{}))
	}
}
