package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/wait"
)

// probeLimit is what one probe may take, from the first packet to the last, where the machine is not busy (wait.Patience); one that
// must fail costs this much.
const probeLimit = 950 * time.Millisecond

// probeAttempts is how many connections share the limit. A single one would not do after a fault of routes: a new
// connection that happens to get the port of an old one, which NAT remembers from the wrong interface, loses its first
// packet (Linux 6.18, nf_nat_core.c, nf_nat_inet_fn: oif_changed), and TCP sends it again only after a second.
const probeAttempts = 2

// Target is one probe to make.
type Target struct {
	// Kind, From and To go into the result as they are. Kind evidence.ProbeDNS makes the probe a DNS query, and
	// evidence.ProbeLarge one whose packets are as large as they may be.
	Kind string `json:"kind"`
	From string `json:"from"`
	To   string `json:"to"`
	// Address is host:port.
	Address string `json:"address"`
	// Expect is the name of the server that must answer or, for DNS, the address that must be the answer.
	Expect string `json:"expect"`
	// Query is the name to ask for, for DNS only.
	Query string `json:"query,omitempty"`
}

// Plan is what one client has to probe.
type Plan struct {
	// Spacing is the time between the starts of two probes. They run side by side all the same; without it, a large lab
	// would be too busy starting probes to answer them in time.
	Spacing time.Duration `json:"spacing"`
	Targets []Target      `json:"targets"`
}

// run makes all probes side by side and returns their results in the order of the targets.
func (p Plan) run(ctx context.Context) []evidence.Probe {
	results := make([]evidence.Probe, len(p.Targets))
	pace := time.NewTicker(max(p.Spacing, time.Nanosecond))
	defer pace.Stop()
	var wg sync.WaitGroup
	for i, t := range p.Targets {
		wg.Go(func() { results[i] = probe(ctx, t) })
		<-pace.C
	}
	wg.Wait()
	return results
}

// ProbeStream reads a Plan as JSON and writes the results as a JSON array of evidence.Probe.
func ProbeStream(ctx context.Context, in io.Reader, out io.Writer) error {
	var plan Plan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return json.NewEncoder(out).Encode(plan.run(ctx))
}

func probe(ctx context.Context, t Target) evidence.Probe {
	p := evidence.Probe{Kind: t.Kind, From: t.From, To: t.To, Target: t.Address, Source: sourceTowards(t.Address)}
	start := time.Now()
	err := errors.New("not tried")
	for err != nil && p.Attempts < probeAttempts && ctx.Err() == nil {
		p.Attempts++
		err = attempt(ctx, t, &p)
	}
	p.Millis = float64(time.Since(start).Microseconds()) / 1000
	p.OK = err == nil
	if err != nil {
		p.Error = reason(err)
	}
	return p
}

func attempt(ctx context.Context, t Target, p *evidence.Probe) error {
	ctx, cancel := wait.Patience(ctx, probeLimit/probeAttempts)
	defer cancel()
	return endOf(ctx, ask(ctx, t, p))
}

// endOf returns what ended the context, if err is of that, else err.
func endOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func ask(ctx context.Context, t Target, p *evidence.Probe) error {
	switch t.Kind {
	case evidence.ProbeDNS:
		return askDNS(ctx, t, p)
	case evidence.ProbeLarge:
		return askLarge(ctx, t, p)
	}
	return askHTTP(ctx, t, p)
}

// dial connects for as long as ctx lasts: the connection ends with it, whatever waits for an answer.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		context.AfterFunc(ctx, func() { conn.Close() })
	}
	return conn, err
}

// sourceTowards is the address that the kernel picks for packets to target; empty if there is no route. Connecting a UDP
// socket sends nothing.
func sourceTowards(target string) string {
	conn, err := net.Dial("udp", target)
	if err != nil {
		return ""
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// askHTTP opens a connection of its own, so that no earlier one hides a fault of connection set-up. It is the client
// that closes it first: the connection then waits (TIME-WAIT, RFC 9293 section 3.6.1) where its port is chosen, and not
// at the server, which may ignore a new connection that NAT gives the same port.
func askHTTP(ctx context.Context, t Target, p *evidence.Probe) error {
	conn, err := dial(ctx, "tcp", t.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	req, err := http.NewRequest(http.MethodGet, "http://"+t.Address+"/", nil)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return answered(resp.Body, t, p)
}

// answered reads the answer and checks who gave it.
func answered(body io.Reader, t Target, p *evidence.Probe) error {
	var answer Answer
	if err := json.NewDecoder(io.LimitReader(body, 1<<16)).Decode(&answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	p.AnsweredBy, p.Seen = answer.Name, answer.Seen
	if answer.Name != t.Expect {
		return fmt.Errorf("%s answered, not %s", answer.Name, t.Expect)
	}
	return nil
}

func askDNS(ctx context.Context, t Target, p *evidence.Probe) error {
	conn, err := dial(ctx, "udp", t.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	query := new(dns.Msg).SetQuestion(dns.Fqdn(t.Query), dns.TypeA)
	client := dns.Client{Timeout: time.Hour} // it has none of its own: the connection ends with ctx
	answer, _, err := client.ExchangeWithConnContext(ctx, query, &dns.Conn{Conn: conn})
	if err != nil {
		return err
	}
	if answer.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("DNS answers %s", dns.RcodeToString[answer.Rcode])
	}
	for _, rr := range answer.Answer {
		if a, ok := rr.(*dns.A); ok {
			p.AnsweredBy = a.A.String()
		}
	}
	if p.AnsweredBy != t.Expect {
		return fmt.Errorf("DNS answers %q, not %s", p.AnsweredBy, t.Expect)
	}
	return nil
}

// reason says in a word why a probe failed, without the addresses, which stand beside it.
func reason(err error) string {
	var errno syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}
