package tools

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/netfault/netfault/framework/progress"
)

// SourceDir finds hack/tools of the checkout that dir is in.
func SourceDir(dir string) (string, error) {
	for d := dir; ; d = filepath.Dir(d) {
		tools := filepath.Join(d, "hack", "tools")
		if _, err := os.Stat(filepath.Join(tools, "etcd", "go.mod")); err == nil {
			return tools, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%s is not inside a checkout of netfault, whose hack/tools pins what to build", dir)
		}
	}
}

// Took is what a build took.
type Took struct {
	// Name is the tool's, with its version.
	Name string
	// Wall is how long it took, downloads included; CPU is the processor time of all that was run for it.
	Wall, CPU time.Duration
	// Packages are how many were compiled: those that Go's build cache did not have.
	Packages int
}

// Build builds the tool into the cache from the modules under source, unless that was done from the same sources before, and
// tells on log how far it is.
func (t Tool) Build(ctx context.Context, log io.Writer, source string) error {
	board, stop := progress.Start(log)
	defer stop()
	_, err := t.BuildBeside(ctx, board, source)
	return err
}

// BuildBeside is Build where other work is on the board, too. It returns nil if nothing was to be done.
func (t Tool) BuildBeside(ctx context.Context, board *progress.Board, source string) (*Took, error) {
	took, err := t.build(ctx, board, source)
	// The go command's own errors are text.
	if err != nil && strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		err = fmt.Errorf("%w\nmake room there, or name another folder: %s for what is built, GOCACHE and TMPDIR for what Go works with", err, cacheVariable)
	}
	return took, err
}

func (t Tool) build(ctx context.Context, board *progress.Board, source string) (*Took, error) {
	cache, err := OwnCache()
	if err != nil {
		return nil, err
	}
	task := board.Task(t.Name + " " + t.Version)
	defer task.End()
	begin := time.Now()
	module := filepath.Join(source, t.module)
	if t.module == "" {
		module = filepath.Join(cache, "modules", t.Name+"-"+t.Version)
		task.Doing("asking the module proxy")
		if err := t.writeModule(ctx, board, module, filepath.Join(source, "flannel-"+DefaultFlannel)); err != nil {
			return nil, err
		}
	}
	want, err := t.stamp(module)
	if err != nil {
		return nil, err
	}
	// The one that Find returns decides, which may be in another cache than the one that is written.
	if built, err := t.Find(); err == nil {
		if have, err := os.ReadFile(built + ".stamp"); err == nil && string(have) == want {
			fmt.Fprintf(board, "%s %s: built before\n", t.Name, t.Version)
			return nil, nil
		}
	}
	binary := filepath.Join(cache, t.binary())
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return nil, err
	}
	// Built beside and renamed, so that a build cut off never looks like a tool.
	partial := binary + ".partial"
	defer func() { _ = os.Remove(partial) }() // which a whole build has renamed
	b := t.goBuild(module, task)
	if err := b.run(ctx, partial); err != nil {
		return nil, fmt.Errorf("building %s %s: %w", t.Name, t.Version, err)
	}
	if t.script != "" {
		if err := t.copyScript(ctx, module, binary+"."+filepath.Base(t.script)); err != nil {
			return nil, err
		}
	}
	if err := os.Rename(partial, binary); err != nil {
		return nil, err
	}
	took := &Took{Name: t.Name + " " + t.Version, Wall: time.Since(begin), CPU: b.cpu, Packages: b.packages}
	fmt.Fprintf(board, "%s: built in %s\n", took.Name, took.Wall.Round(time.Second))
	return took, writeWhole(binary+".stamp", want, 0o644)
}

func (t Tool) goBuild(module string, task *progress.Task) *goBuild {
	b := &goBuild{dir: module, pkg: t.pkg, ldflags: "-s -w", cgo: t.static, task: task}
	if t.static {
		b.ldflags += " -linkmode external -extldflags -static"
	}
	if t.versionVar != "" {
		b.ldflags += " -X " + t.versionVar + "=" + t.Version
	}
	return b
}

// copyScript copies the tool's script out of its module, which the build has downloaded.
func (t Tool) copyScript(ctx context.Context, module, path string) error {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", t.pkg)
	cmd.Dir = module
	dir, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), t.script))
	if err != nil {
		return err
	}
	return writeWhole(path, string(content), 0o755)
}

// writeWhole writes a file that is there whole or not at all, also on a full disk: it is written beside and renamed.
func writeWhole(path, content string, mode os.FileMode) error {
	partial := path + ".partial"
	if err := os.WriteFile(partial, []byte(content), mode); err != nil {
		_ = os.Remove(partial) // it need not be there
		return err
	}
	return os.Rename(partial, path)
}

// stamp is equal for builds that give the same program.
func (t Tool) stamp(module string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), t)
	sources, err := filepath.Glob(filepath.Join(module, "*.go"))
	if err != nil {
		return "", err
	}
	for _, path := range append(sources, filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")) {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("the pinned source of %s %s: %w", t.Name, t.Version, err)
		}
		fmt.Fprintln(sum, filepath.Base(path), len(content))
		sum.Write(content)
	}
	return fmt.Sprintf("%x\n", sum.Sum(nil)), nil
}

// writeModule makes a module for a version that is not pinned in the repository, after the default version's.
func (t Tool) writeModule(ctx context.Context, log io.Writer, dir, like string) error {
	if _, err := os.Stat(filepath.Join(dir, "go.sum")); err == nil {
		return nil
	}
	fmt.Fprintf(log, "%s %s is not pinned under hack/tools (those are %s): asking the module proxy\n", t.Name, t.Version, strings.Join(PinnedFlannel, ", "))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	gomod := fmt.Sprintf("module netfault.invalid/%s\n\ngo 1.26\n\nrequire %s %s\n", filepath.Base(dir), t.pkg, t.Version)
	pinned, err := os.ReadFile(filepath.Join(like, "go.mod"))
	if err != nil {
		return err
	}
	if _, replace, ok := bytes.Cut(pinned, []byte("\nreplace (")); ok {
		gomod += "\nreplace (" + string(replace)
	}
	imports, err := os.ReadFile(filepath.Join(like, "tools.go"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"go.mod": []byte(gomod), "tools.go": imports} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	if err := run(ctx, dir, nil, "go", "mod", "tidy"); err != nil {
		return fmt.Errorf("flannel %s cannot be had here: %w", t.Version, errors.Join(err, os.RemoveAll(dir)))
	}
	return nil
}

func run(ctx context.Context, dir string, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, lastLines(out, 8))
	}
	return nil
}

func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
