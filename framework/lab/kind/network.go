package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/wait"
)

// network is kind's, which it makes for all clusters (pkg/cluster/internal/providers, v0.33.0).
func (l *Lab) network() string {
	variables := map[string]string{"docker": "KIND_EXPERIMENTAL_DOCKER_NETWORK", "podman": "KIND_EXPERIMENTAL_PODMAN_NETWORK"}
	if name := os.Getenv(variables[l.engine.Name]); name != "" {
		return name
	}
	return "kind"
}

// networkTurn returns once this process may have kind make a cluster; done says that it has. Where two make the first clusters of a
// machine, kind makes its network for both, and Podman refuses the second: "network name kind already used" (ensureNetwork in
// pkg/cluster/internal/providers/podman/network.go, v0.33.0). So others wait for the first, and for nobody once the network is there.
func (l *Lab) networkTurn(ctx context.Context, progress func(string)) (done func() error, err error) {
	what := "another lab, with which the container network " + l.network() + " is made"
	return turn(ctx, stateRoot(), what, progress, func() bool {
		_, err := l.engine.Output(ctx, "network", "inspect", l.network())
		return err == nil
	})
}

// turn returns at once if what is to be made is there, and otherwise when nobody else is making it, with the lock of the folder, which
// done gives up. The lock is the kernel's, and ends with the process.
func turn(ctx context.Context, dir, what string, progress func(string), isThere func() bool) (done func() error, err error) {
	free := func() error { return nil }
	if isThere() {
		return free, nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	waits := sync.OnceFunc(func() { progress("waiting for " + what) })
	err = wait.Until(ctx, startLimit, what, func(context.Context) error {
		err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			waits()
			return fmt.Errorf("it holds the lock of %s", dir)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	if isThere() {
		return free, folder.Close()
	}
	return folder.Close, nil
}
