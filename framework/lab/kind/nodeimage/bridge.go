package nodeimage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/netfault/netfault/framework/tools"
)

// BridgePlugin returns the path of the CNI plugin bridge, which kind's own node images lack. It is built from the
// checkout's hack/node-image/cni-plugins and kept in netfault's cache.
func BridgePlugin(ctx context.Context) (string, error) {
	name := filepath.Join("tools", "cni-bridge-"+cniPlugins)
	if built, err := tools.InCache(name); err == nil {
		return built, nil
	}
	cache, err := tools.OwnCache()
	if err != nil {
		return "", err
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	source, err := tools.SourceDir(here)
	if err != nil {
		return "", fmt.Errorf("the CNI plugin bridge is not built yet: %w", err)
	}
	path := filepath.Join(cache, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	partial := fmt.Sprintf("%s.%d", path, os.Getpid())
	cmd := exec.CommandContext(ctx, goCommand(), "build", "-trimpath", "-ldflags", "-s -w", "-o", partial,
		"github.com/containernetworking/plugins/plugins/main/bridge")
	cmd.Dir = filepath.Join(source, "..", "node-image", "cni-plugins")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of the CNI plugin bridge: %w: %s", err, out)
	}
	return path, os.Rename(partial, path)
}
