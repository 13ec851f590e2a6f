package scenarios_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/collect/procsys"
	"github.com/netfault/netfault/framework/guard"
	"github.com/netfault/netfault/framework/kstate"
	embedded "github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
)

// leftNetwork tells the suite that it is in a network namespace of its own, and has the file descriptor of the one that it
// has left.
const leftNetwork = "NETFAULT_TEST_LEFT_NETWORK"

// machineNetwork is the network namespace that the suite has left.
var machineNetwork = netns.None()

// The suite of embedded labs runs in a network namespace of its own, which nothing else on this machine knows: whatever
// is not as it was there, a lab has left.
func TestMain(m *testing.M) {
	flag.Parse()
	if *outDir == "" {
		os.Exit(m.Run())
	}
	suite := func() int {
		if err := chooseLab(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}
	if _, left := os.LookupEnv(leftNetwork); left {
		os.Exit(suite()) // it is guarded already
	}
	os.Exit(guard.Run(suite, clearUp))
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

// leaveMachineNetwork makes a network namespace and executes this program anew in it, so that all its threads are there. It
// returns only if it fails.
func leaveMachineNetwork() error {
	runtime.LockOSThread()
	machine, err := netns.Get()
	if err != nil {
		return err
	}
	if _, err := netns.New(); err != nil {
		return fmt.Errorf("make a network namespace for the suite: %w; it needs root: make e2e", err)
	}
	if _, err := unix.FcntlInt(uintptr(machine), unix.F_SETFD, 0); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(self, os.Args, append(os.Environ(), fmt.Sprintf("%s=%d", leftNetwork, machine)))
}

// checkOwnNetwork holds that the labs leave nothing in the network that they are made from, and none of the settings changed
// that the whole machine shares.
func checkOwnNetwork(ctx context.Context) {
	before, err := kstate.Record(ctx)
	Expect(err).NotTo(HaveOccurred())
	shared, err := sharedSettings(ctx, before)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) {
		after, err := kstate.Record(ctx)
		Expect(err).NotTo(HaveOccurred())
		now, err := sharedSettings(ctx, before)
		Expect(err).NotTo(HaveOccurred())
		var left []string
		for _, d := range slices.Concat(kstate.Diff(before, after), kstate.Diff(shared, now)) {
			left = append(left, d.String())
		}
		if len(left) > 0 {
			Fail("labs have left something in the network that they were made from:\n  " + strings.Join(left, "\n  "))
		}
		for _, f := range flavours() {
			if toKeep != nil && toKeep.Name() == string(labs.Netns)+":"+labName(f) {
				continue
			}
			Expect(embedded.List()).NotTo(ContainElement(labName(f)))
		}
	})
}

// sharedSettings are the sysctls that the machine has in its own network, and a namespace such as own has not.
func sharedSettings(ctx context.Context, own kstate.State) (kstate.State, error) {
	var entries []procsys.Entry
	err := inMachineNetwork(func() (err error) {
		entries, err = procsys.Read(ctx)
		return err
	})
	shared := kstate.State{Version: own.Version, Sysctls: map[string]string{}}
	for _, e := range entries {
		if _, ok := own.Sysctls[ofAnyLink(e.Key)]; !ok && e.Writable {
			shared.Sysctls[e.Key] = e.Value
		}
	}
	return shared, err
}

// ofAnyLink returns the key of the setting for links that are yet to come: what is a link's, every namespace has of its own.
func ofAnyLink(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) == 5 && (parts[2] == "conf" || parts[2] == "neigh") {
		parts[3] = "default"
	}
	return strings.Join(parts, ".")
}

// inMachineNetwork calls do on a thread in the network namespace that the suite has left; the thread ends with it.
func inMachineNetwork(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := netns.Set(machineNetwork)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}
