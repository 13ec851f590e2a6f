package scenarios_test

import (
	"context"
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

// The suite is guarded as a whole, and on embedded labs leaves the machine's network as a whole. With -procs, it then starts Ginkgo's
// own program, and that the processes that share the specs among them.
func TestMain(m *testing.M) {
	flag.Parse()
	if *outDir == "" {
		os.Exit(m.Run())
	}
	if *share < 1 {
		fmt.Fprintf(os.Stderr, "-share=%d: want 1 for all, or how many specs there are for one that is run\n", *share)
		os.Exit(2)
	}
	config, _ := GinkgoConfiguration()
	first := config.ParallelTotal == 1 // and not one of those that share the specs
	suite := func() int {
		if err := chooseLab(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if first && *procs > 1 {
			return conduct()
		}
		return m.Run()
	}
	switch _, left := os.LookupEnv(leftNetwork); {
	case first && !left:
		os.Exit(guard.Run(suite, clearUp))
	case first && *procs > 1:
		os.Exit(conduct()) // the others find the network that was left as this process does
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
	if kind == labs.Netns {
		return leaveMachineNetwork()
	}
	return nil
}
