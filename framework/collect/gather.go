package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"

	"github.com/netfault/netfault/detectors/evidence"
)

// Source is a node to gather from. Both methods run this package on the node and stream what it writes.
type Source interface {
	// Name is the node's name.
	Name() string
	// Node runs Node there.
	Node(ctx context.Context, w io.Writer) error
	// Later runs Later there.
	Later(ctx context.Context, w io.Writer) error
}

// sideBySide is how many nodes are gathered from at once.
const sideBySide = 32

// Gather makes a bundle in the folder dir, which must be empty or not exist. The nodes are gathered from side by side;
// then the steps (leases, probes, counters again) run in their order. bundle.json is written last, so that a folder without
// it is an interrupted bundle.
//
// A node or step that fails does not stop the others, and the bundle is still finished: what is missing is missing in the
// folder, an evidence.ErrorsFile says why, and an *IncompleteError is returned. When ctx ends, or the folder cannot be written,
// it is another error, and there is no bundle.json.
func Gather(ctx context.Context, dir string, info evidence.Info, nodes []Source, steps ...func(dir string) error) error {
	if err := checkNames(nodes); err != nil {
		return err
	}
	root, err := createEmpty(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, n := range nodes {
		if err := root.MkdirAll(nodeDir(n.Name()), 0o755); err != nil {
			return err
		}
	}
	errs := []error{eachNode(nodes, func(n Source) error { return gather(ctx, root, n, n.Node, nodeFiles, evidence.ErrorsFile) })}
	for _, step := range steps {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, step(dir))
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(fmt.Errorf("bundle %s was interrupted: %w", dir, err), errors.Join(errs...))
	}
	if err := writeJSON(root, evidence.InfoFile, info); err != nil {
		return errors.Join(append(errs, err)...)
	}
	if err := errors.Join(errs...); err != nil {
		return &IncompleteError{err}
	}
	return nil
}

// IncompleteError says what a bundle lacks that could not be had, a line for each. The bundle can be judged: what depends on the
// rest is unknown.
type IncompleteError struct{ missing error }

func (e *IncompleteError) Error() string { return e.missing.Error() }

// Unwrap returns the errors of the nodes and steps, joined.
func (e *IncompleteError) Unwrap() error { return e.missing }

// GatherLater takes what counts a second time from every node of the bundle in dir. A node that fails does not stop the
// others, and says why in its later evidence.ErrorsFile.
func GatherLater(ctx context.Context, dir string, nodes []Source) error {
	if err := checkNames(nodes); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return eachNode(nodes, func(n Source) error {
		return gather(ctx, root, n, n.Later, laterFiles, evidence.Later(evidence.ErrorsFile))
	})
}

// checkNames refuses names that cannot stand in a path, and two nodes of one name.
func checkNames(nodes []Source) error {
	seen := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		if err := evidence.CheckNodeName(n.Name()); err != nil {
			return err
		}
		if seen[n.Name()] {
			return fmt.Errorf("two nodes have the name %q", n.Name())
		}
		seen[n.Name()] = true
	}
	return nil
}

// createEmpty opens dir for a new bundle and makes it first if need be.
func createEmpty(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		return nil, fmt.Errorf("folder %s is not empty (it has %s): name a new one, or remove it first", dir, list[0].Name())
	}
	return os.OpenRoot(dir)
}

// eachNode runs f for the nodes, at most sideBySide at a time, and joins the errors in the order of the nodes.
func eachNode(nodes []Source, f func(Source) error) error {
	errs := make([]error, len(nodes))
	slots := make(chan struct{}, sideBySide)
	var wg sync.WaitGroup
	for i, n := range nodes {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(n)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// gather runs one of a node's methods and unpacks the stream while it comes. A node that failed is told in errorsFile too, so
// that the bundle speaks for itself.
func gather(ctx context.Context, root *os.Root, n Source, run func(context.Context, io.Writer) error, files []string, errorsFile string) error {
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, pw)
		pw.CloseWithError(err)
		done <- err
	}()
	unpackErr := unpack(root, n.Name(), pr, files)
	// What the node still sends must not block it: a writer to a closed pipe gets this error.
	pr.CloseWithError(unpackErr)
	runErr := <-done
	err := errors.Join(unpackErr, runErr)
	switch { // one often is the other's cause, which is told once
	case errors.Is(unpackErr, runErr):
		err = runErr
	case errors.Is(runErr, unpackErr):
		err = unpackErr
	}
	if err == nil {
		return nil
	}
	note := appendLine(root, evidence.NodeFile(n.Name(), errorsFile), errorLine(evidence.WholeNode, err))
	return errors.Join(fmt.Errorf("collect node %s: %w", n.Name(), err), note)
}

// WriteLeases writes cluster/leases.json of the bundle in dir: what read returns.
func WriteLeases(dir string, read func() ([]evidence.Lease, error)) error {
	return WriteCluster(dir, evidence.LeasesFile, func(w io.Writer) error {
		leases, err := read()
		if err != nil {
			return err
		}
		return writeRows(w, leases)
	})
}

// WriteProbes writes cluster/probes.json of the bundle in dir.
func WriteProbes(dir string, probes []evidence.Probe) error {
	return WriteCluster(dir, evidence.ProbesFile, func(w io.Writer) error { return writeRows(w, probes) })
}

// WriteCluster writes one of the files under cluster/ of the bundle in dir. If that fails, it says why in the evidence.ErrorsFile
// there.
func WriteCluster(dir, file string, write func(io.Writer) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll("cluster", 0o755); err != nil {
		return err
	}
	err = writeWhole(root, file, func(w io.Writer) error { return write(&limitedWriter{w, maxFile}) })
	if err == nil {
		return nil
	}
	dir, name := path.Split(file)
	return errors.Join(err, appendLine(root, path.Join(dir, evidence.ErrorsFile), errorLine(name, err)))
}

func writeJSON(root *os.Root, file string, v any) error {
	return writeWhole(root, file, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}
