// Command node-image builds a kind node image, with Kubernetes and flannel in it, without any container registry: from
// Go modules and Debian packages alone. `make node-image` runs it. The image is kept in netfault's cache, so that an
// unchanged one is not built twice, and is loaded into the container engine.
//
// `node-image trainer FILE` writes another image in the same way, for those without Linux: the training page, with netfault and all that
// exercises need. `make trainer-image` runs that. It is here since the stamp of every cached node image covers the text of what they share.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch {
	case len(os.Args) == 1:
		err = run(ctx)
	case len(os.Args) == 3 && os.Args[1] == "trainer":
		err = buildTrainer(ctx, os.Args[2])
	default:
		err = errors.New("want nothing, for a kind node image, or trainer FILE")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node-image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := nodeimage.Dir()
	if err != nil {
		return err
	}
	archive := nodeimage.ArchiveIn(dir)
	b := builder{source: filepath.Join("hack", "node-image"), dir: dir, archive: archive}
	if _, err := os.Stat(filepath.Join(b.source, "kubernetes", "go.mod")); err != nil {
		return fmt.Errorf("run it in the top folder of netfault's checkout: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "bin"), 0o755); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(b.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	stamp, err := b.stamp()
	if err != nil {
		return err
	}
	if b.isBuilt(stamp) {
		say("node image: built before, %s", archive)
	} else if err := b.build(ctx, stamp); err != nil {
		return err
	}
	return load(ctx, archive, stamp)
}

// builder makes the image. source is hack/node-image, dir the folder in the cache.
type builder struct{ source, dir, archive string }

func (b builder) bin(name string) string { return filepath.Join(b.dir, "bin", name) }

// isBuilt reports whether the archive was built from what stamp stands for.
func (b builder) isBuilt(stamp string) bool {
	have, err := os.ReadFile(b.archive + ".stamp")
	_, missing := os.Stat(b.archive)
	return err == nil && missing == nil && string(have) == stamp
}

func (b builder) build(ctx context.Context, stamp string) error {
	begin := time.Now()
	say("building the node image with Kubernetes %s: 6 to 10 minutes on 2 cores from nothing", nodeimage.Kubernetes)
	// Go takes the processors meanwhile; mmdebstrap mostly waits for the network.
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.buildBinaries(groupCtx) })
	group.Go(func() error { return b.debian(groupCtx, "component base", b.baseTar(), baseFlags()...) })
	if err := group.Wait(); err != nil {
		return err
	}
	// It stays in the cache, and sudo has made it root's.
	if err := takeOver(b.baseTar()); err != nil {
		return err
	}
	kind, err := moduleDir(ctx, "sigs.k8s.io/kind")
	if err != nil {
		return err
	}
	baseFiles := filepath.Join(kind, "images", "base", "files")
	if err := b.writeComponents(ctx, baseFiles); err != nil {
		return err
	}
	if err := b.writeOverlay(baseFiles); err != nil {
		return err
	}
	if err := b.debian(ctx, "node", b.nodeTar(), b.nodeFlags()...); err != nil {
		return err
	}
	if err := b.writeArchive(stamp); err != nil {
		return err
	}
	say("built in %s: %s", time.Since(begin).Round(time.Second), b.archive)
	// What is needed again only to build another image; the programs and the component base stay for that.
	return errors.Join(os.Remove(b.nodeTar()), os.Remove(b.overlayTar()), os.Remove(b.componentsTar()))
}

// takeOver makes a file that may be another's the caller's own, in a folder that is.
func takeOver(path string) error {
	theirs, err := os.Open(path)
	if err != nil {
		return err
	}
	defer theirs.Close()
	ours, err := os.Create(path + ".partial")
	if err != nil {
		return err
	}
	_, err = io.Copy(ours, theirs)
	if err := errors.Join(err, ours.Close()); err != nil {
		return err
	}
	return os.Rename(path+".partial", path)
}

// load brings the image into the engine, unless this very image is there. A lab does the same with the archive.
func load(ctx context.Context, archive, stamp string) error {
	e, err := engine.Find(ctx)
	if err != nil {
		say("the image is not loaded: %v", err)
		return nil
	}
	if e.Name == "podman" && os.Geteuid() != 0 {
		return nil // each user of Podman has images of their own, and a lab runs as root
	}
	if have, ok := e.ImageLabel(ctx, nodeimage.Reference, nodeimage.StampLabel); ok && have == stamp {
		say("%s has it: %s", e.Name, nodeimage.Reference)
		return nil
	}
	say("loading it into %s as %s", e.Name, nodeimage.Reference)
	old, err := e.Output(ctx, "image", "inspect", "--format", "{{.Id}}", nodeimage.Reference)
	if _, err := e.Output(ctx, "load", "--input", archive); err != nil {
		return err
	}
	if err == nil {
		// The image of that name before would stay without one. It cannot be removed while a lab runs on it.
		_, _ = e.Output(ctx, "rmi", strings.TrimSpace(string(old)))
	}
	return nil
}

// lock keeps two builds from writing the same files.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another build runs: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
