package kind

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// checkStatic returns an error if a program needs others to run, such as a C library: in the pods there is nothing beside it.
func checkStatic(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s needs a C library, which pods do not have: build it with `make build` (CGO_ENABLED=0)", program)
	}
	return nil
}

// agentImage is an image of nothing but netfault-agent, as an archive.
func agentImage(s show, program []byte) ([]byte, error) {
	var content bytes.Buffer
	files := tar.NewWriter(&content)
	header := tar.Header{Name: path.Base(s.agent), Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}
	if err := files.WriteHeader(&header); err != nil {
		return nil, err
	}
	if _, err := files.Write(program); err != nil {
		return nil, err
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	}, tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Entrypoint = []string{"/" + path.Base(s.agent)}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return nil, err
	}
	tag, err := name.NewTag(s.image)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	err = tarball.Write(tag, image, &archive)
	return archive.Bytes(), err
}
