package tools

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What could be downloaded of dockerd before the disk was full takes no room from what else is built, and is no dockerd.
func TestFetchDockerOnFullDisk(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("NETFAULT_CACHE", cache)
	t.Setenv("SUDO_UID", "")
	script := "#!/bin/sh\necho half >docker.io.deb\necho 'No space left on device' >&2\nexit 100\n"
	if err := os.WriteFile(filepath.Join(bin, "apt-get"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := FetchDocker(t.Context(), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Errorf("%v; want what apt-get says", err)
	}
	if _, err := FindDocker(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want no dockerd", err)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
