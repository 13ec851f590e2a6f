package main

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/netfault/netfault/framework/tools"
)

// own is everything of this program that decides what the image is.
//
//go:embed archive.go binaries.go components.go debian.go files.go *.sh *.yaml pause/main.go
var own embed.FS

// stamp is equal for builds that give the same image, Debian's own updates aside: to have those, remove the cached
// image.
func (b builder) stamp() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH)
	err := fs.WalkDir(own, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := own.ReadFile(path)
		fmt.Fprintln(sum, path, len(content))
		sum.Write(content)
		return err
	})
	if err != nil {
		return "", err
	}
	dirs := []string{flannelModule}
	for _, m := range modules {
		dirs = append(dirs, filepath.Join(b.source, m.dir))
	}
	for _, dir := range dirs {
		for _, name := range []string{"go.mod", "go.sum"} {
			content, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return "", err
			}
			fmt.Fprintln(sum, dir, name, len(content))
			sum.Write(content)
		}
	}
	kind, err := requiredVersion("go.mod", "sigs.k8s.io/kind")
	fmt.Fprintln(sum, kind, tools.DefaultFlannel)
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}
