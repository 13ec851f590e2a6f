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

// folder is the one of the image below the cache, and archive the file in it.
const (
	folder  = "node-image"
	archive = "node-" + Kubernetes + ".tar"
)

// Dir is where the image is built.
func Dir() (string, error) {
	cache, err := tools.OwnCache()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, folder), nil
}

// ArchiveIn is the path of the image in a folder, as `docker load` and `podman load` read it.
func ArchiveIn(dir string) string { return filepath.Join(dir, archive) }

// Archive returns the path of the built image. An error wraps fs.ErrNotExist until the image was built on this machine, or
// somebody put it there.
func Archive() (string, error) { return tools.InCache(filepath.Join(folder, archive)) }
