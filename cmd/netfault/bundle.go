package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// checkBundle returns an error that names the folder that may be meant, where dir is not the top folder of a bundle and such a
// one is near. A folder without anything of a bundle near it is judged: it holds nothing, and all is unknown.
func checkBundle(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("open bundle: %w", err)
	case !info.IsDir():
		return notFolder(dir)
	case isBundle(dir):
		return nil
	}
	if top, ok := above(dir); ok {
		return fmt.Errorf("%s is a part of a bundle; the whole is %s", shown(dir), shown(top))
	}
	below, err := bundlesIn(dir)
	if err != nil {
		return fmt.Errorf("open bundle: %w", err)
	}
	if len(below) > 0 {
		return fmt.Errorf("%s is no bundle, but holds some: name one, such as %s", shown(dir), shown(below[0]))
	}
	return nil
}

// notFolder says what to name in the place of a file.
func notFolder(file string) error {
	if top, ok := above(file); ok {
		return fmt.Errorf("%s is a file of a bundle; the whole is %s", shown(file), shown(top))
	}
	if isArchive(file) {
		return fmt.Errorf("%s is an archive: unpack it, and name the folder in it that has bundle.json", shown(file))
	}
	if filepath.Base(file) == evidence.InfoFile {
		return fmt.Errorf("%s is a file of a bundle; the whole is %s", shown(file), shown(filepath.Dir(file)))
	}
	return fmt.Errorf("%s is no folder; a bundle is one", shown(file))
}

func isArchive(file string) bool {
	return slices.ContainsFunc([]string{".tar", ".tgz", ".txz", ".gz", ".xz", ".zst", ".bz2", ".zip"}, func(ending string) bool {
		return strings.HasSuffix(strings.ToLower(file), ending)
	})
}

// isBundle reports whether dir has anything of a bundle.
func isBundle(dir string) bool {
	return slices.ContainsFunc([]string{evidence.InfoFile, evidence.NodesDir, evidence.ClusterDir}, func(part string) bool {
		_, err := os.Lstat(filepath.Join(dir, part))
		return err == nil
	})
}

// above returns the bundle that path is inside of: in a folder of it that bundles have, such as nodes/n1/captures.
func above(path string) (top string, ok bool) {
	at, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	const deepest = 4 // nodes/NODE/captures/FILE
	for range deepest {
		part := filepath.Base(at)
		at = filepath.Dir(at)
		if (part == evidence.NodesDir || part == evidence.ClusterDir) && isBundle(at) {
			return at, true
		}
	}
	return "", false
}

// bundlesIn lists the folders in dir that are bundles.
func bundlesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if sub := filepath.Join(dir, e.Name()); isBundle(sub) {
			found = append(found, sub)
		}
	}
	return found, nil
}

// shown is a path as it can be pasted into a shell.
func shown(path string) string { return detectors.Command{Argv: []string{path}}.String() }
