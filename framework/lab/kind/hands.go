package kind

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/tools"
)

// handToolsDir is where the programs of this machine are in a node, with the libraries and the loader that they were made for: the
// node's own may be older.
const handToolsDir = "/usr/local/lib/tools"

// placeHandTools brings what nodes and the host outside lack of tools.HandTools from this machine: kind's own images have no tcpdump and
// no dig. What is neither here nor there is missing.
func (l *Lab) placeHandTools(ctx context.Context) error {
	var missing []string
	for _, t := range tools.HandTools {
		_, err := machine.Output(ctx, l.nodes[0], "sh", "-c", `command -v "$0" || exit 1`, t.Name) // dash says 127, which is the engine's, too
		if _, none := errors.AsType[*machine.ExitError](err); none {
			missing = append(missing, t.Name)
		} else if err != nil {
			return err
		}
	}
	archive, err := packHandTools(ctx, missing)
	if err != nil || len(archive) == 0 {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range l.containers() {
		group.Go(func() error {
			return m.Run(ctx, machine.Command{Argv: []string{"tar", "--extract", "--directory=/"}, Stdin: bytes.NewReader(archive)})
		})
	}
	return group.Wait()
}

// packHandTools returns an archive of programs of this machine with all that they load, and a script on the PATH for each; nil if none
// of them is here.
func packHandTools(ctx context.Context, names []string) ([]byte, error) {
	var out bytes.Buffer
	files := tar.NewWriter(&out)
	add := func(to string, content []byte) error {
		err := files.WriteHeader(&tar.Header{Name: strings.TrimPrefix(to, "/"), Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = files.Write(content)
		}
		return err
	}
	packed := map[string]bool{}
	pack := func(from, name string) (string, error) {
		to := filepath.Join(handToolsDir, name)
		if packed[to] {
			return to, nil
		}
		packed[to] = true
		content, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		return to, add(to, content)
	}
	for _, name := range names {
		program, err := exec.LookPath(name)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		loader, libraries, err := loads(ctx, program)
		if err != nil {
			return nil, err
		}
		for _, library := range libraries {
			if _, err := pack(library, filepath.Base(library)); err != nil {
				return nil, err
			}
		}
		loaderThere, err := pack(loader, filepath.Base(loader))
		if err != nil {
			return nil, err
		}
		// Under another name than a library could have.
		programThere, err := pack(program, name+".program")
		if err != nil {
			return nil, err
		}
		script := fmt.Sprintf("#!/bin/sh\nexec %s --library-path %s %s \"$@\"\n", loaderThere, handToolsDir, programThere)
		if err := add("/usr/local/bin/"+name, []byte(script)); err != nil {
			return nil, err
		}
	}
	if len(packed) == 0 {
		return nil, nil
	}
	err := files.Close()
	return out.Bytes(), err
}

// loads returns what ldd(1) says that a program is loaded by, and what that loads.
func loads(ctx context.Context, program string) (loader string, libraries []string, err error) {
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return "", nil, fmt.Errorf("ldd %s: %w", program, err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		switch i := slices.Index(words, "=>"); {
		case i >= 0 && i+1 < len(words):
			libraries = append(libraries, words[i+1])
		case len(words) > 0 && strings.HasPrefix(words[0], "/"):
			loader = words[0]
		}
	}
	if loader == "" {
		return "", nil, fmt.Errorf("ldd %s names no loader: %s", program, out)
	}
	return loader, libraries, nil
}
