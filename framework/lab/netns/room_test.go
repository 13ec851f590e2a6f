package netns

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/tools"
)

// gcThresh2 is Linux's default (net/ipv4/arp.c, arp_tbl).
const gcThresh2 = 512

// What docs/ARCHITECTURE.md says of a machine that has Linux's defaults.
func TestLargestLabByDefault(t *testing.T) {
	if n := largestFor(gcThresh2); n != 84 {
		t.Errorf("the largest lab has %d nodes", n)
	}
	if err := (room{limit: gcThresh2}).check(84); err != nil {
		t.Errorf("84 nodes: %v", err)
	}
	err := (room{limit: gcThresh2, least: 30, most: 40}).check(84)
	for _, want := range []string{"takes 510 entries", "40 are taken", "one of 77 nodes fits", "gc_thresh3=2048", "gc_thresh2=1024"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("84 nodes where others have entries: %v\nwant it to say %q", err, want)
		}
	}
	if err := (room{limit: gcThresh2, most: 77 * 6}).check(77); err == nil {
		t.Error("no room, and no error")
	}
	if err := (room{limit: gcThresh2, most: 510}).check(3); err == nil || !strings.Contains(err.Error(), "no lab fits") {
		t.Errorf("a full table: %v", err)
	}
}

func TestRoomHere(t *testing.T) {
	if err := Room(t.Context(), 1_000_000); err == nil {
		t.Error("a lab of a million nodes fits")
	}
}

// The kernel's own count is what the formula is held against, with all probes just made.
func TestNeighboursOfLabs(t *testing.T) {
	for _, o := range []Options{{Nodes: 3}, {Nodes: 3, Pods: lab.DockerBridge}, {Nodes: 3, Pods: lab.Routed}, {Nodes: 10}} {
		o.Name = fmt.Sprintf("test-%d-neigh-%d%s", os.Getpid(), o.Nodes, o.Pods)
		l := upWith(t, o)
		healthy := neighboursOf(t, l)
		if most := neighboursNeeded(o.Nodes) - o.Nodes; healthy > most || healthy < 4*o.Nodes {
			t.Errorf("%d nodes, pods %s: %d entries; want up to %d", o.Nodes, o.Pods, healthy, most)
		}
		if err := l.nodes[1].Run(t.Context(), machine.Command{Argv: []string{"ip", "neigh", "flush", "dev", "eth0"}}); err != nil {
			t.Fatal(err)
		}
		if err := probe.Healthy(t.Context(), l); err != nil {
			t.Errorf("with neighbours flushed: %v", err)
		}
		flushed := neighboursOf(t, l)
		if flushed < healthy || flushed > neighboursNeeded(o.Nodes) {
			t.Errorf("%d nodes, pods %s: %d entries, %d before the flush; want up to %d",
				o.Nodes, o.Pods, flushed, healthy, neighboursNeeded(o.Nodes))
		}
		t.Logf("%d nodes, pods %s: %d counted entries, %d with those of n2's eth0", o.Nodes, o.Pods, healthy, flushed)
		if err := Remove(t.Context(), o.Name); err != nil {
			t.Fatal(err)
		}
	}
}

// largestVariable asks for the largest lab that Linux's defaults allow on this machine, for which two cores need minutes: make bench.
const largestVariable = "NETFAULT_LARGEST"

// Every pair of machines has talked in it; whether each probe made it within its second is a matter of the processors.
func TestNeighboursOfLargestLab(t *testing.T) {
	if os.Getenv(largestVariable) == "" {
		t.Skip("make bench runs this test")
	}
	before, err := rtnl.ARPTable()
	if err != nil {
		t.Fatal(err)
	}
	nodes := largestFor(gcThresh2 - before.Entries) // the machine has neighbours of its own
	ready := func(ctx context.Context, made lab.Lab) error {
		results, err := probe.Run(ctx, made)
		passed := 0
		for _, p := range results {
			if probe.Failure(made, p) == "" {
				passed++
			}
		}
		t.Logf("%d of %d probes pass", passed, len(results))
		return err
	}
	o := Options{Name: fmt.Sprintf("test-%d-largest", os.Getpid()), Nodes: nodes, Flannel: tools.FlannelVersion(), Ready: ready, Owned: true}
	t.Cleanup(func() {
		if err := Remove(context.Background(), o.Name); err != nil {
			t.Error(err)
		}
	})
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got, most := neighboursOf(t, l), neighboursNeeded(nodes)
	t.Logf("%d nodes: %d counted entries of the %d that are reckoned with, in a table of %d", nodes, got, most, before.Threshold2)
	if got > most || got < 4*nodes {
		t.Errorf("%d nodes: %d entries; want up to %d", nodes, got, most)
	}
	if err := Room(t.Context(), nodes); err == nil && before.Threshold2 == gcThresh2 {
		t.Error("a second lab of this size fits")
	}
}

// neighboursOf counts the entries of a lab's namespaces, of those that the table's limits count. There are none of IPv6.
func neighboursOf(t *testing.T, l *Lab) int {
	t.Helper()
	places := []*place{l.switch_, l.outside.Machine.(*place), l.nodes[0].pod(dnsPod)}
	for _, n := range l.nodes {
		places = append(places, n.place, n.pod(probePod), n.pod(clientPod))
	}
	total := 0
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		for _, p := range places {
			counted, _, err := neighboursIn(p.net + "/ns/net")
			if err == nil {
				var v6 [][]byte
				if v6, err = rtnl.Neighbours(unix.AF_INET6, 0); len(v6) > 0 {
					err = fmt.Errorf("%s has %d IPv6 neighbours", p.name, len(v6))
				}
			}
			if err != nil {
				done <- err
				return
			}
			total += counted
		}
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return total
}
