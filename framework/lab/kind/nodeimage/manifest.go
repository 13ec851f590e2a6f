package nodeimage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/netfault/netfault/framework/tools"
)

// FlannelManifest returns the kube-flannel.yml of a version of flannel such as "v0.28.10", from flannel's own Go
// module, and keeps it in netfault's cache, so that it is downloaded once at most.
func FlannelManifest(ctx context.Context, version string) ([]byte, error) {
	name := filepath.Join("manifests", "kube-flannel-"+version+".yml")
	if kept, err := tools.InCache(name); err == nil {
		return os.ReadFile(kept)
	}
	cache, err := tools.OwnCache()
	if err != nil {
		return nil, err
	}
	dir, err := download(ctx, "github.com/flannel-io/flannel@"+version)
	if err != nil {
		return nil, fmt.Errorf("flannel's manifest: %w", err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "Documentation", "kube-flannel.yml"))
	if err != nil {
		return nil, fmt.Errorf("flannel's manifest: %w", err)
	}
	kept := filepath.Join(cache, name)
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return nil, err
	}
	partial := fmt.Sprintf("%s.%d", kept, os.Getpid())
	if err := os.WriteFile(partial, content, 0o644); err != nil {
		return nil, err
	}
	return content, os.Rename(partial, kept)
}

// download returns the folder of a module in Go's cache.
func download(ctx context.Context, module string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, goCommand(), "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	var answer struct{ Dir, Error string }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, errors.Join(failed, err))
	}
	if answer.Error != "" {
		return "", fmt.Errorf("go mod download: %s", answer.Error)
	}
	return answer.Dir, failed
}

// goCommand looks where Go's own installer puts it, too, which is not on sudo's PATH.
func goCommand() string {
	if _, err := exec.LookPath("go"); err == nil {
		return "go"
	}
	return "/usr/local/go/bin/go"
}
