// Package tools finds and builds the programs that the embedded lab runs: etcd, flanneld and CoreDNS, from sources
// pinned in modules of their own under hack/tools.
package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/netfault/netfault/framework/flanneld"
)

// DefaultFlannel is the version of flannel that a lab runs unless FLANNEL_VERSION names another.
const DefaultFlannel = "v0.28.10"

// Tool is a program of the embedded lab.
type Tool struct {
	Name    string
	Version string
	// module is the folder under hack/tools that pins the source; empty for a version that is not pinned there.
	module string
	// pkg is the program's package, as it is called in that module.
	pkg string
	// static is set for a program with C code, which is linked statically by the C linker.
	static bool
	// script is a file of the module that belongs to the program and is kept beside it; empty if there is none.
	script string
	// versionVar is the variable that tells the program its version, set by the linker.
	versionVar string
}

// Etcd speaks both of etcd's APIs: 3.5 is the last minor version with the one that flannel before v0.18 needs.
func Etcd() Tool {
	return Tool{Name: "etcd", Version: "v3.5.35", module: "etcd", pkg: "go.etcd.io/etcd/server/v3"}
}

// CoreDNS is the cluster's name server, with the plugins that the lab's Corefile names.
func CoreDNS() Tool {
	return Tool{Name: "coredns", Version: "v1.12.4", module: "coredns", pkg: "."}
}

// PinnedFlannel are the versions of flannel with a module under hack/tools.
var PinnedFlannel = []string{"v0.28.10", "v0.25.7", "v0.14.0"}

var flannelVersion = regexp.MustCompile(`^v0\.\d{1,4}\.\d{1,4}$`)

// Flanneld is flannel's daemon at a version such as "v0.28.10".
func Flanneld(version string) (Tool, error) {
	if !flannelVersion.MatchString(version) {
		return Tool{}, fmt.Errorf("FLANNEL_VERSION %q is not a version of flannel: want something like %s", version, DefaultFlannel)
	}
	t := Tool{
		Name: "flanneld", Version: version, pkg: "github.com/flannel-io/flannel", static: true,
		script:     "dist/mk-docker-opts.sh",
		versionVar: "github.com/flannel-io/flannel/pkg/version.Version",
	}
	if version == "v0.14.0" {
		t.versionVar = "github.com/flannel-io/flannel/version.Version"
	}
	for _, pinned := range PinnedFlannel {
		if version == pinned {
			t.module = "flannel-" + version
		}
	}
	return t, nil
}

// HasStandIn reports whether a version of flannel cannot be built, and package flanneld stands in for its flanneld.
func HasStandIn(version string) bool { return version == flanneld.Version }

// BuiltFlannel is the version of flannel that is built for a lab with the version: that one, or for one that has a stand-in the
// default, whose mk-docker-opts.sh does for it, too.
func BuiltFlannel(version string) string {
	if HasStandIn(version) {
		return DefaultFlannel
	}
	return version
}

// FlannelVariable is the environment variable that names a version of flannel.
const FlannelVariable = "FLANNEL_VERSION"

// FlannelVersion is what FLANNEL_VERSION asks for, or the default.
func FlannelVersion() string {
	if v := os.Getenv(FlannelVariable); v != "" {
		return v
	}
	return DefaultFlannel
}

// NeedsC reports whether a C compiler and the C library's headers are needed to build the tool.
func (t Tool) NeedsC() bool { return t.static }

// Find returns the path of the built tool. An error wraps fs.ErrNotExist when it has not been built.
func (t Tool) Find() (string, error) {
	path, err := InCache(t.binary())
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s %s is not built: %w; run `make tools` in netfault's checkout", t.Name, t.Version, err)
	}
	return path, err
}

// binary is the path of the built tool below the cache.
func (t Tool) binary() string { return filepath.Join("tools", t.Name+"-"+t.Version) }

// FindScript returns the path of the script that belongs to the built tool: for flanneld, mk-docker-opts.sh, which turns
// flanneld's subnet file into Docker's options.
func (t Tool) FindScript() (string, error) {
	path, err := t.Find()
	return path + "." + filepath.Base(t.script), err
}

// Agent returns the path of netfault-agent, which is built beside the program that asks for it.
func Agent() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "netfault-agent")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("netfault-agent is not beside %s: run `make build` (or go install ./cmd/...): %w", self, err)
	}
	return path, nil
}
