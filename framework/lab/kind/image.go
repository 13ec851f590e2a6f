package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
)

// isOffline says whether an image is the one that `make node-image` builds, which has flannel's images in it and an
// older flannel CNI plugin.
func isOffline(image string) bool { return strings.HasPrefix(image, nodeimage.Repository+":") }

// FindImage chooses the node image: the offline one, if somebody has built it on this machine; otherwise that of kind's
// own release, if it is there or can be pulled.
func FindImage(ctx context.Context, e engine.Engine, progress func(string)) (string, error) {
	archive, err := nodeimage.Archive()
	if err != nil {
		return "", err
	}
	built, err := os.ReadFile(archive + ".stamp")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	loaded, ok := e.ImageLabel(ctx, nodeimage.Reference, nodeimage.StampLabel)
	if ok && (len(built) == 0 || loaded == string(built)) {
		return nodeimage.Reference, nil
	}
	if len(built) > 0 {
		progress("load the node image into " + e.Name)
		if _, err := e.Output(ctx, "load", "--input", archive); err != nil {
			return "", fmt.Errorf("the node image %s: %w", archive, err)
		}
		return nodeimage.Reference, nil
	}
	if e.HasImage(ctx, defaults.Image) {
		return defaults.Image, nil
	}
	progress("pull " + defaults.Image)
	if _, err := e.Output(ctx, "pull", "--quiet", defaults.Image); err != nil {
		return "", fmt.Errorf("there is no node image: %w; `make node-image` builds one without a registry", err)
	}
	return defaults.Image, nil
}
