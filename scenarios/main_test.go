package scenarios_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/guard"
	"github.com/netfault/netfault/framework/labs"
)

// The suite is guarded as a whole, and leaves the machine's network as a whole. With -procs, it then starts Ginkgo's own program,
// and that the processes that share the specs among them.
func TestMain(m *testing.M) {
	flag.Parse()
	if *outDir == "" {
		os.Exit(m.Run())
	}
	if *share < 1 {
		fmt.Fprintf(os.Stderr, "-share=%d: want 1 for all, or how many specs there are for one that is run\n", *share)
		os.Exit(2)
	}
	suite := func() int {
		if err := chooseLab(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}
	config, _ := GinkgoConfiguration()
	switch _, left := os.LookupEnv(leftNetwork); {
	case !left:
		os.Exit(guard.Run(suite, clearUp))
	case *procs > 1 && config.ParallelTotal == 1:
		os.Exit(conduct())
	default:
		os.Exit(suite())
	}
}

// chooseLab chooses the kind of lab, and begins anew in a network namespace of its own if it is an embedded one.
func chooseLab(ctx context.Context) error {
	if left, ok := os.LookupEnv(leftNetwork); ok {
		fd, err := strconv.Atoi(left)
		if err != nil {
			return fmt.Errorf("%s: %w", leftNetwork, err)
		}
		// Neither is for the programs that the suite starts.
		unix.CloseOnExec(fd)
		machineNetwork, chosen = netns.NsHandle(fd), labs.Netns
		return os.Unsetenv(leftNetwork)
	}
	kind, why, err := labs.Choose(ctx, labs.Kind(*labKind), func(step string) { fmt.Println("  " + step) })
	if err != nil {
		return err
	}
	fmt.Printf("\nlab of the kind %s: %s\n", kind, why)
	chosen = kind
	switch {
	case kind == labs.Netns:
		return leaveMachineNetwork()
	case *procs > 1:
		return errors.New("-procs is for embedded labs (-lab=netns): a machine has room for one kind cluster")
	}
	return nil
}
