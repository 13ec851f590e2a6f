package twrecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// requests is how many connections the client with the older clock opens at once, in each of two rounds.
const requests = 3

// closedPort is a port of the node on which nothing listens.
const closedPort = 30999

func target(address netip.Addr, port int) netip.AddrPort {
	return netip.AddrPortFrom(address, uint16(port))
}

// Exercise replays the incident's requests against a server that closes connections first: one from the client with the
// newer clock, some from the other, and both again. It captures at the host-side interface of the server's pod.
func Exercise(ctx context.Context, l lab.Lab, to netip.AddrPort) (fault.Seen, error) {
	s := server(l)
	iface, err := podInterface(ctx, s)
	if err != nil {
		return fault.Seen{}, err
	}
	var broken []string
	pcap, err := fault.Captured(ctx, l, s, iface, func() error {
		broken, err = call(ctx, l, to)
		return err
	})
	if err != nil {
		return fault.Seen{}, err
	}
	seen := fault.Seen{Broken: broken, Captures: []fault.Capture{{Node: s.Name(), Name: iface, PCAP: pcap}}}
	seen.Lines = append(seen.Lines, fmt.Sprintf("%s# ip route get %s → %s, where these requests came by:", s.Name(), s.Client.Address, iface))
	table, err := requestTable(s.Name(), iface, pcap)
	if err != nil {
		return fault.Seen{}, err
	}
	seen.Lines = append(seen.Lines, table...)
	if len(broken) > 0 {
		seen.Lost = []fault.Lost{{
			From: older(l).Name(), Behind: s.Name(), To: s.Name(), What: older(l).Client.Name() + " → " + to.String(), Ports: []uint16{lab.ClosingPort, to.Port()},
		}}
		line, err := unanswered(ctx, older(l), to)
		if err != nil {
			return fault.Seen{}, err
		}
		seen.Lines = append(seen.Lines, fmt.Sprintf("%s# conntrack -L → %s", older(l).Name(), line))
	}
	refused, err := refusedAtOnce(ctx, l)
	seen.Lines = append(seen.Lines, refused)
	return seen, err
}

// call makes the requests in the incident's order and returns a line for each that was not answered.
func call(ctx context.Context, l lab.Lab, to netip.AddrPort) ([]string, error) {
	var broken []string
	for range 2 {
		for _, c := range []struct {
			client lab.Pod
			count  int
			newest bool
		}{{newer(l).Client, 1, true}, {older(l).Client, requests, false}} {
			results, err := callFrom(ctx, l, c.client, to, c.count)
			if err != nil {
				return nil, err
			}
			for _, r := range results {
				switch {
				case r.Error == "":
				case c.newest:
					return nil, fmt.Errorf("%s, whose clock is ahead, was not answered: %s", c.client.Name(), r.Error)
				default:
					broken = append(broken, fmt.Sprintf("%s → %s: %s", c.client.Name(), to, r.Error))
				}
			}
		}
	}
	return broken, nil
}

func callFrom(ctx context.Context, l lab.Lab, client machine.Machine, to netip.AddrPort, count int) ([]agent.CallResult, error) {
	out, err := machine.Output(ctx, client, l.Agent(), "call", "--address="+to.String(), fmt.Sprintf("--count=%d", count))
	if err != nil {
		return nil, err
	}
	var results []agent.CallResult
	if err := json.Unmarshal(out, &results); err != nil {
		return nil, fmt.Errorf("%s: results of calls: %w", client.Name(), err)
	}
	return results, nil
}

// refusedAtOnce shows that the way to the server's node is all right: a port on which nothing listens is refused.
func refusedAtOnce(ctx context.Context, l lab.Lab) (string, error) {
	s := server(l)
	results, err := callFrom(ctx, l, older(l).Client, target(s.Address, closedPort), 1)
	if err != nil {
		return "", err
	}
	if r := results[0]; !strings.Contains(r.Error, "refused") {
		return "", fmt.Errorf("port %d of %s, on which nothing listens, is not refused: %q", closedPort, s.Name(), r.Error)
	}
	return fmt.Sprintf("port %d of %s, on which nothing listens, is refused at once (%.1f ms)", closedPort, s.Name(), results[0].Millis), nil
}

// podInterface is the server pod's host-side interface, found as in the incident. Where the route names a bridge, it is
// the bridge's port that leads to the pod: on the bridge itself, answers have NAT's addresses already.
func podInterface(ctx context.Context, n lab.Node) (string, error) {
	var routes []struct{ Dev string }
	if err := fromJSON(ctx, n, &routes, "ip", "-j", "route", "get", n.Client.Address.String()); err != nil {
		return "", err
	}
	if len(routes) != 1 || routes[0].Dev == "" {
		return "", fmt.Errorf("%s: ip route get %s names %d routes", n.Name(), n.Client.Address, len(routes))
	}
	type link struct {
		IfIndex   int
		IfName    string
		LinkIndex int `json:"link_index"`
	}
	var ports, inPod []link
	if err := fromJSON(ctx, n, &ports, "ip", "-j", "link", "show", "master", routes[0].Dev); err != nil {
		return "", err
	}
	if err := fromJSON(ctx, n.Client, &inPod, "ip", "-j", "link", "show", "dev", "eth0"); err != nil {
		return "", err
	}
	for _, p := range ports {
		if len(inPod) == 1 && p.IfIndex == inPod[0].LinkIndex {
			return p.IfName, nil
		}
	}
	return routes[0].Dev, nil
}

// fromJSON runs a command of iproute2. One that has nothing to list prints [{}] or nothing, depending on its version.
func fromJSON(ctx context.Context, m machine.Machine, into any, argv ...string) error {
	out, err := machine.Output(ctx, m, argv...)
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("%s: %s: %w", m.Name(), strings.Join(argv, " "), err)
	}
	return nil
}

// unanswered is what connection tracking on the client's node says of a request that nobody answered.
func unanswered(ctx context.Context, n lab.Node, to netip.AddrPort) (string, error) {
	out, err := machine.Output(ctx, n, "conntrack", "-L", "-p", "tcp", "--state", "SYN_SENT", "--dport", fmt.Sprint(to.Port()))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "[UNREPLIED]") {
			return strings.Join(strings.Fields(line), " "), nil
		}
	}
	return "", fmt.Errorf("connection tracking on %s has no unanswered connection to port %d", n.Name(), to.Port())
}
