package kind

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// dockerVersion fails with 1 where there is none: dash by itself says 127, which is the engine's word for what cannot be started.
const dockerVersion = "command -v dockerd >/dev/null || exit 1; dockerd --version"

// findDocker finds out whether the node image has a dockerd: the offline one has Debian's, kind's own have none.
func (l *Lab) findDocker(ctx context.Context) error {
	out, err := machine.Output(ctx, l.nodes[0], "sh", "-c", dockerVersion)
	var none *machine.ExitError
	if errors.As(err, &none) {
		l.docker = lab.DockerRecorded
		return nil
	}
	if err != nil {
		return err
	}
	// "Docker version 20.10.24+dfsg1, build 5d6db84"
	version, _, ok := strings.Cut(strings.TrimPrefix(string(out), "Docker version "), ",")
	if !ok {
		return fmt.Errorf("%s: dockerd --version prints %q", l.nodes[0].name, out)
	}
	l.docker = "dockerd " + version
	return nil
}
