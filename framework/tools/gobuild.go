package tools

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/netfault/netfault/framework/progress"
)

// goBuild is one build by the go command, and what it took.
type goBuild struct {
	// dir is the module to build in.
	dir     string
	pkg     string
	ldflags string
	cgo     bool
	task    *progress.Task

	cpu time.Duration
	// packages are those that had to be compiled.
	packages int
}

// interruptPause is how long the go command has to remove its working folder when it is interrupted.
const interruptPause = 10 * time.Second

// run builds the program into a file.
func (b *goBuild) run(ctx context.Context, output string) error {
	stale, err := b.stale(ctx)
	if err != nil {
		return err
	}
	b.packages = len(stale)
	left := len(stale)
	compiled := func() {
		if left == 0 {
			b.task.Doing("linking")
		}
	}
	b.task.Of(left, "packages compiled")
	compiled()
	// The go command names each package that it compiles, and says all that is wrong in other lines.
	err = b.goCommand(ctx, nil, func(line string) bool {
		if !stale[line] {
			return false
		}
		b.task.Step()
		left--
		compiled()
		return true
	}, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", b.ldflags, "-o", output, b.pkg)
	return err
}

// stale returns the packages, the program's own aside, that Go's build cache does not have, and downloads what is needed to know.
func (b *goBuild) stale(ctx context.Context) (map[string]bool, error) {
	modules := 0
	var out strings.Builder
	b.task.Doing("looking what is to be compiled")
	err := b.goCommand(ctx, &out, func(line string) bool {
		if !strings.HasPrefix(line, "go: downloading ") {
			return false
		}
		modules++
		b.task.Doing(fmt.Sprintf("downloading modules, %d by now", modules))
		return true
	}, "list", "-trimpath", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", b.pkg)
	if err != nil {
		return nil, err
	}
	// The last is the program itself, which counts as stale as long as it is not installed.
	all := strings.Fields(out.String())
	stale := map[string]bool{}
	for _, pkg := range all[:max(0, len(all)-1)] {
		stale[pkg] = true
	}
	return stale, nil
}

// goCommand runs the go command. Lines that known does not take are part of the error.
func (b *goBuild) goCommand(ctx context.Context, out *strings.Builder, known func(line string) bool, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b.cgo {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out != nil {
		cmd.Stdout = out
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptPause
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var said []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if !known(lines.Text()) {
			said = append(said, lines.Text())
		}
	}
	err = cmd.Wait()
	b.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.Join(said[max(0, len(said)-8):], "\n"))
	}
	return nil
}
