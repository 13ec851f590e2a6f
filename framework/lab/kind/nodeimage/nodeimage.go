// Package nodeimage names the node image that `make node-image` builds without a registry, and keeps what it and the
// kind lab must agree on. What goes into the image is pinned by the modules under hack/node-image.
package nodeimage

import (
	"path/filepath"

	"github.com/netfault/netfault/framework/tools"
)

// cniPlugins is the version of the CNI plugins; hack/node-image/cni-plugins/go.mod pins the same one.
const cniPlugins = "v1.9.1"

// Kubernetes is the version in the image; hack/node-image/kubernetes/go.mod pins the same one.
const Kubernetes = "v1.34.4"

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
