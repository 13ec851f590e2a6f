package stalearp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
)

const (
	// settings are those of flannel.1's neighbours, in milliseconds but for the names that say otherwise.
	settings = "/proc/sys/net/ipv4/neigh/flannel.1/"
	// young is how long entries are to be REACHABLE. The kernel draws that time between half of base_reachable_time and one and a
	// half of it, 15 to 45 s, and draws anew whenever base_reachable_time is written.
	young = 30 * time.Second
	// draws is how often it may have to: each has an even chance.
	draws = 64
)

// talk lets all pods talk to each other, so that every node has entries of the others' pods, as young as they can be: the fault
// lasts as long as they do.
func talk(ctx context.Context, l lab.Lab, say func(string)) error {
	for _, n := range observers(l) {
		for range draws {
			reachable, err := reachableTime(ctx, n)
			if err != nil {
				return err
			}
			if reachable >= young {
				say(fmt.Sprintf("%s takes an entry for right for %v, which its kernel has drawn", n.Name(), reachable.Round(time.Second)))
				break
			}
			base, err := machine.Output(ctx, n, "cat", settings+"base_reachable_time_ms")
			if err != nil {
				return err
			}
			if _, err := machine.Output(ctx, n, "sysctl", "-q", "-w", "net.ipv4.neigh.flannel/1.base_reachable_time_ms="+strings.TrimSpace(string(base))); err != nil {
				return err
			}
		}
		say(n.Name() + "# ip neigh flush dev flannel.1   (they talk again, and the entries are young)")
		if _, err := machine.Output(ctx, n, "ip", "neigh", "flush", "dev", "flannel.1"); err != nil {
			return err
		}
	}
	seen, err := exercise(ctx, l)
	if err == nil && len(seen.Broken) > 0 {
		err = errors.New(strings.Join(seen.Broken, "; "))
	}
	return errors.Join(err, probe.Healthy(ctx, l))
}

// reachableTime is how long a node takes an entry on flannel.1 for right.
func reachableTime(ctx context.Context, n lab.Node) (time.Duration, error) {
	out, err := machine.Output(ctx, n, "ip", "-j", "ntable", "show", "dev", "flannel.1")
	if err != nil {
		return 0, err
	}
	var tables []struct {
		Family    string
		Reachable int // ms
	}
	if err := json.Unmarshal(out, &tables); err != nil {
		return 0, fmt.Errorf("%s: ip -j ntable: %w", n.Name(), err)
	}
	for _, t := range tables {
		if t.Family == "inet" {
			return time.Duration(t.Reachable) * time.Millisecond, nil
		}
	}
	return 0, fmt.Errorf("%s: ip -j ntable shows no table of flannel.1 for IPv4: %s", n.Name(), out)
}

// lasts says how long the wrong entries stay at least. The kernel gives one up that is REACHABLE or STALE only when it has been
// used, then waited for a confirmation, and then asked for it in vain.
func lasts(ctx context.Context, l lab.Lab) (time.Duration, error) {
	leases, err := l.Leases(ctx)
	if err != nil {
		return 0, err
	}
	announced := ""
	for _, lease := range leases {
		if lease.Node == client(l).Name() {
			announced = lease.VtepMAC
		}
	}
	least := time.Duration(-1)
	for _, n := range observers(l) {
		if err := standing(ctx, n, client(l).PodCIDR, announced); err != nil {
			return 0, err
		}
		patience, err := kernelPatience(ctx, n)
		if err != nil {
			return 0, err
		}
		if least < 0 || patience < least {
			least = patience
		}
	}
	return least, nil
}

// standing returns an error unless a node has wrong entries for addresses of subnet, none of which the kernel has begun to doubt.
func standing(ctx context.Context, n lab.Node, subnet netip.Prefix, announced string) error {
	out, err := machine.Output(ctx, n, "ip", "-j", "neigh", "show", "dev", "flannel.1")
	if err != nil {
		return err
	}
	var entries []evidence.Neighbour
	if err := json.Unmarshal(out, &entries); err != nil {
		return fmt.Errorf("%s: ip -j neigh: %w", n.Name(), err)
	}
	wrong := 0
	for _, e := range entries {
		addr, err := netip.ParseAddr(e.Dst)
		if err != nil {
			return fmt.Errorf("%s: ip -j neigh: %w", n.Name(), err)
		}
		if !subnet.Contains(addr) || e.LLAddr == "" || e.LLAddr == announced {
			continue
		}
		wrong++
		switch state := strings.Join(e.State, ","); state {
		case "REACHABLE", "STALE":
		default:
			return fmt.Errorf("%s's kernel has begun to doubt the entry of %s (%s)", n.Name(), addr, state)
		}
	}
	if wrong == 0 {
		return fmt.Errorf("%s has no wrong entry any more", n.Name())
	}
	return nil
}

// kernelPatience is how long a node's kernel goes on with an entry once it has used one that is not sure any more.
func kernelPatience(ctx context.Context, n lab.Node) (time.Duration, error) {
	out, err := machine.Output(ctx, n, "cat", settings+"delay_first_probe_time", settings+"ucast_solicit", settings+"retrans_time_ms")
	if err != nil {
		return 0, err
	}
	var values [3]int
	words := strings.Fields(string(out))
	if len(words) != len(values) {
		return 0, fmt.Errorf("%s: %s: %q", n.Name(), settings, out)
	}
	for i, word := range words {
		if values[i], err = strconv.Atoi(word); err != nil {
			return 0, fmt.Errorf("%s: %s: %w", n.Name(), settings, err)
		}
	}
	delay, asks, pause := time.Duration(values[0])*time.Second, time.Duration(values[1]), time.Duration(values[2])*time.Millisecond
	return delay + asks*pause, nil
}
