package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/collect/procsys"
	"github.com/netfault/netfault/framework/kstate"
)

// The suite of embedded labs runs in a network namespace of its own, which nothing else on this machine knows: whatever
// is not as it was there, a lab has left.

// leftNetwork tells the suite that it is in a network namespace of its own, and has the file descriptor of the one that it
// has left.
const leftNetwork = "NETFAULT_TEST_LEFT_NETWORK"

// machineNetwork is the network namespace that the suite has left.
var machineNetwork = netns.None()

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
	// The processes that share a suite talk to Ginkgo's program over it.
	if err := netlink.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo"}}); err != nil {
		return fmt.Errorf("lo: %w", err)
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

// ownNetwork is the state of the network that the labs are made from, and of the settings that the whole machine shares.
type ownNetwork struct{ Own, Shared kstate.State }

func recordOwnNetwork(ctx context.Context) (ownNetwork, error) {
	own, err := kstate.Record(ctx)
	if err != nil {
		return ownNetwork{}, err
	}
	shared, err := sharedSettings(ctx, own)
	return ownNetwork{own, shared}, err
}

// expectUnchanged holds that the labs, which are gone, have left nothing and changed nothing.
func (before ownNetwork) expectUnchanged(ctx context.Context) {
	GinkgoHelper()
	after, err := recordOwnNetwork(ctx)
	Expect(err).NotTo(HaveOccurred())
	var left []string
	for _, d := range slices.Concat(kstate.Diff(before.Own, after.Own), kstate.Diff(before.Shared, after.Shared)) {
		left = append(left, d.String())
	}
	if len(left) > 0 {
		Fail("labs have left something in the network that they were made from:\n  " + strings.Join(left, "\n  "))
	}
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
