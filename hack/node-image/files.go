package main

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
)

// writeFiles writes a tar archive of files: paths in the archive to files on disk. All belong to root, and those that are
// programs or scripts may be executed.
func writeFiles(w io.Writer, files map[string]string) error {
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	archive := tar.NewWriter(w)
	for _, p := range paths {
		if err := writeFile(archive, p, files[p]); err != nil {
			return err
		}
	}
	return archive.Close()
}

func writeFile(archive *tar.Writer, to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: to, Size: info.Size(), Mode: 0o644, Typeflag: tar.TypeReg}
	// Files in Go's module cache have lost their modes.
	if strings.HasSuffix(path.Dir(to), "bin") {
		header.Mode = 0o755
	}
	if info.Mode()&0o111 != 0 {
		header.Mode = 0o755
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

// writeOverlay writes what goes over Debian's root file system in a node: kind's own files, Kubernetes and the CNI
// plugins, the component images for setup.sh to import.
func (b builder) writeOverlay(baseFiles string) error {
	files := map[string]string{
		"kind/setup.sh":                       filepath.Join(b.source, "setup.sh"),
		"kind/components.tar":                 b.componentsTar(),
		"kind/manifests/default-storage.yaml": filepath.Join(b.source, "storage.yaml"),
		"kind/version":                        filepath.Join(b.dir, "version"),
	}
	if err := os.WriteFile(files["kind/version"], []byte(nodeimage.Kubernetes), 0o644); err != nil {
		return err
	}
	for _, program := range []string{"kubeadm", "kubelet", "kubectl"} {
		files["usr/bin/"+program] = b.bin(program)
	}
	for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap", "ptp"} {
		files["opt/cni/bin/"+plugin] = b.bin(plugin)
	}
	for _, top := range []string{"usr", "kind", "etc"} {
		err := filepath.WalkDir(filepath.Join(baseFiles, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			inside, err := filepath.Rel(baseFiles, p)
			files[inside] = p
			return err
		})
		if err != nil {
			return err
		}
	}
	f, err := os.Create(b.overlayTar())
	if err != nil {
		return err
	}
	return errors.Join(writeFiles(f, files), f.Close())
}
