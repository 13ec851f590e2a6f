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

// CheckFlannel says why a cluster of that node image cannot run a version of flannel.
func CheckFlannel(version, image string) error { return checkFlannel(version, isOffline(image)) }

// ImageVariable is the environment variable that names another node image, such as kindest/node:v1.33.4.
const ImageVariable = "NODE_IMAGE"

// FindImage chooses the node image: the one that NODE_IMAGE names; the offline one, if somebody has built it on this machine;
// otherwise that of kind's own release. The first and the last are pulled if they are not there.
func FindImage(ctx context.Context, e engine.Engine, progress func(string)) (string, error) {
	if named := os.Getenv(ImageVariable); named != "" && named != nodeimage.Reference {
		return pulled(ctx, e, named, progress)
	}
	var built []byte
	archive, err := nodeimage.Archive()
	if err == nil {
		built, err = os.ReadFile(archive + ".stamp")
	}
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
	return pulled(ctx, e, defaults.Image, progress)
}

// pulled returns the image once it is there.
func pulled(ctx context.Context, e engine.Engine, image string, progress func(string)) (string, error) {
	if e.HasImage(ctx, image) {
		return image, nil
	}
	progress("pull " + image)
	if _, err := e.Output(ctx, "pull", "--quiet", image); err != nil {
		return "", fmt.Errorf("there is no node image: %w; `make node-image` builds one without a registry", err)
	}
	return image, nil
}
