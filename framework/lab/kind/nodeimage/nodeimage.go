// Package nodeimage names the node image that `make node-image` builds without a registry, and keeps what it and the
// kind lab must agree on. What goes into the image is pinned in versions.go.
package nodeimage

import (
	"path/filepath"

	"github.com/netfault/netfault/framework/tools"
)

// Repository is the image's name in a container engine, and Reference the name with its tag.
const (
	Repository = "localhost/netfault/node"
	Reference  = Repository + ":" + Kubernetes
)

// StampLabel is the label that says from which sources the image was built.
const StampLabel = "io.github.netfault.stamp"

// Dir is where the image is built and kept, below netfault's cache.
func Dir() (string, error) {
	cache, err := tools.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "node-image"), nil
}

// Archive is the path of the built image, as `docker load` and `podman load` read it. It is there once the image was
// built on this machine, or once somebody put it there.
func Archive() (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "node-"+Kubernetes+".tar"), nil
}
