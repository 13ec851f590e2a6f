package nodeimage

// The versions of what the offline node image has in it. A program is built from the Go module of its own folder under
// hack/node-image, because Go resolves each alone, and a test holds every go.mod there to this file. The image is built
// anew when a go.mod changes.
//
// For another Kubernetes, change Kubernetes here, and in hack/node-image/kubernetes/go.mod the version of k8s.io/kubernetes
// and those of the k8s.io modules that it replaces (v0.34.4 for v1.34.4). Etcd and CoreDNS are the ones that kubeadm of that
// version lists (`kubeadm config images list`): change them here, and in the go.mod of etcd and coredns. Then run
// `go mod tidy` in each of these folders, `go test ./hack/node-image ./framework/lab/kind/nodeimage` and `make node-image`,
// which compares with that list once more.
//
// Pinned elsewhere: kind itself in go.mod, flannel by tools.DefaultFlannel, and the official node images that CI runs on in
// .github/workflows/ci.yml.
const (
	// Kubernetes is built in hack/node-image/kubernetes, and is the image's tag.
	Kubernetes = "v1.34.4"

	// Etcd is built in hack/node-image/etcd.
	Etcd = "v3.6.5"

	// CoreDNS is built in hack/node-image/coredns.
	CoreDNS = "v1.12.1"

	// cniPlugins are built in hack/node-image/cni-plugins: for this image, and the plugin bridge for kind's own, too.
	cniPlugins = "v1.9.1"

	// cniFlannel is built in hack/node-image/cni-flannel: the last CNI plugins that had flannel's among them.
	cniFlannel = "v0.9.1"

	// Debian is the release of all root file systems. hack/node-image/debian.go names it as well: a change there is what
	// has the image built anew.
	Debian = "bookworm"
)
