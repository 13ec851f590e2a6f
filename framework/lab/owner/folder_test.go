package owner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Labs that come and go at once do not take the common folder away from each other.
func TestFoldersComeAndGo(t *testing.T) {
	common := filepath.Join(t.TempDir(), "labs")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			dir := filepath.Join(common, fmt.Sprint(i))
			for range 500 {
				if err := errors.Join(MakeFolder(dir), RemoveFolder(dir)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if _, err := os.Stat(common); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the common folder is left: %v", err)
	}
}

func TestFolderIsOneLabs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "labs", "one")
	if err := MakeFolder(dir); err != nil {
		t.Fatal(err)
	}
	if err := MakeFolder(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second lab of its name: %v", err)
	}
}
