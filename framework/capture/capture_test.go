package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

// segments reads a capture as a detector does, and returns one line for each segment without its numbers.
func segments(t *testing.T, pcap []byte) []string {
	t.Helper()
	b := evidence.New(fstest.MapFS{evidence.CaptureFile("n1", "a.pcap"): {Data: pcap}})
	var all []string
	for s, err := range b.Segments("n1", "a.pcap") {
		if err != nil {
			t.Fatal(err)
		}
		flags := ""
		for _, f := range []struct {
			set  bool
			name string
		}{{s.SYN, "S"}, {s.FIN, "F"}, {s.RST, "R"}, {s.ACK, "."}} {
			if f.set {
				flags += f.name
			}
		}
		all = append(all, fmt.Sprintf("%s > %s %s ts=%t", s.Src.Addr(), s.Dst.Addr(), flags, s.Timestamps && s.TSVal != 0))
	}
	return all
}

// twoHosts are a client and a server with one wire.
func twoHosts(t *testing.T) (client, server *space) {
	client, server = newSpace(t), newSpace(t)
	wire(client, "eth0", "10.9.1.2/24", server, "eth0", "10.9.1.1/24")
	return client, server
}

func TestCaptureHoldsWhatCrossed(t *testing.T) {
	client, server := twoHosts(t)
	server.serve("10.9.1.1:8080")
	var openings, all bytes.Buffer
	o, a := server.capture("eth0", Openings, &openings), server.capture("eth0", TCP, &all)
	for range 50 {
		if !client.dial("10.9.1.1:8080", time.Second) {
			t.Fatal("no answer")
		}
	}
	if client.dial("10.9.1.1:8081", time.Second) {
		t.Fatal("an answer where nobody listens")
	}
	for _, c := range []*Capture{o, a} {
		stats, err := c.Stop()
		if err != nil || stats.Dropped != 0 {
			t.Errorf("%+v, %v", stats, err)
		}
	}

	count := map[string]int{}
	for _, line := range segments(t, openings.Bytes()) {
		count[line]++
	}
	for line, want := range map[string]int{
		"10.9.1.2 > 10.9.1.1 S ts=true": 51, "10.9.1.1 > 10.9.1.2 S. ts=true": 50,
		"10.9.1.1 > 10.9.1.2 F. ts=true": 50, "10.9.1.1 > 10.9.1.2 R. ts=false": 1,
	} {
		if count[line] != want {
			t.Errorf("%d times %q, want %d: %v", count[line], line, want, count)
		}
	}
	if count["10.9.1.2 > 10.9.1.1 . ts=true"] != 0 {
		t.Errorf("the filter passes plain acknowledgements: %v", count)
	}
	if n := len(segments(t, all.Bytes())); n < 50*6 {
		t.Errorf("only %d segments of 50 whole connections", n)
	}
}

// What netfilter drops must be seen: it is the point of such a capture.
func TestCaptureSeesWhatIsDropped(t *testing.T) {
	client, server := twoHosts(t)
	server.serve("10.9.1.1:8080")
	server.run("iptables -t raw -A PREROUTING -p tcp -j DROP")
	var pcap bytes.Buffer
	c := server.capture("eth0", Openings, &pcap)
	// Less than the second after which TCP sends its SYN again.
	if client.dial("10.9.1.1:8080", 900*time.Millisecond) {
		t.Fatal("an answer through a DROP rule")
	}
	stats, err := c.Stop()
	if got := segments(t, pcap.Bytes()); err != nil || stats.Packets != 1 || len(got) != 1 || got[0] != "10.9.1.2 > 10.9.1.1 S ts=true" {
		t.Errorf("%q, %+v, %v", got, stats, err)
	}
}

func TestCaptureOfSilenceIsAWholeFile(t *testing.T) {
	_, server := twoHosts(t)
	var pcap bytes.Buffer
	stats, err := server.capture("eth0", Openings, &pcap).Stop()
	if got := segments(t, pcap.Bytes()); err != nil || stats != (Stats{}) || got != nil {
		t.Errorf("%q, %+v, %v", got, stats, err)
	}
}

func TestCaptureOnlyWhereItWorks(t *testing.T) {
	_, server := twoHosts(t)
	server.run("ip link add down0 type bridge\nip tuntap add tun0 mode tun")
	for link, want := range map[string]string{
		"none0": "no such network interface", "down0": "network is down", "tun0": "not an Ethernet interface", "lo": "not an Ethernet interface",
	} {
		err := server.in(func() error {
			_, err := Start(t.Context(), link, Openings, &bytes.Buffer{})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), link) {
			t.Errorf("%s: %v, want %q", link, err, want)
		}
	}
}

// A capture that ended before its Stop must not be taken for silence.
func TestCaptureThatEndedEarlySaysSo(t *testing.T) {
	_, server := twoHosts(t)
	var pcap bytes.Buffer
	c := server.capture("eth0", Openings, &pcap)
	server.run("ip link del eth0")
	if _, err := c.Stop(); err == nil || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("link gone: %v", err)
	}

	_, server = twoHosts(t)
	c = server.capture("eth0", Openings, &pcap)
	server.run("ip link set eth0 down\nip link set eth0 up")
	if _, err := c.Stop(); err == nil {
		t.Error("link down and up again: no error")
	}

	_, server = twoHosts(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := server.in(func() (err error) {
		c, err = Start(ctx, "eth0", Openings, &pcap)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the caller has gone")
	cancel(gone)
	if _, err := c.Stop(); !errors.Is(err, gone) {
		t.Errorf("context ended: %v", err)
	}
}

// failing is a disk that is full after the file's header.
type failing struct{ wrote bool }

func (f *failing) Write(p []byte) (int, error) {
	if f.wrote {
		return 0, errors.New("disk full")
	}
	f.wrote = true
	return len(p), nil
}

func TestCaptureThatCannotBeWritten(t *testing.T) {
	client, server := twoHosts(t)
	server.serve("10.9.1.1:8080")
	var c *Capture
	if err := server.in(func() (err error) {
		c, err = Start(t.Context(), "eth0", Openings, &failing{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	client.dial("10.9.1.1:8080", time.Second)
	if _, err := c.Stop(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}

// stuck is a disk that takes the file's header, and then nothing until it is released.
type stuck struct {
	bytes.Buffer
	released chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.Len() > 0 {
		<-s.released
	}
	return s.Buffer.Write(p)
}

func TestCaptureCountsWhatTheKernelDropped(t *testing.T) {
	client, server := twoHosts(t)
	w := &stuck{released: make(chan struct{})}
	var c *Capture
	if err := server.in(func() (err error) {
		c, err = Start(t.Context(), "eth0", Openings, w)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const connections = 1000
	for range connections {
		client.dial("10.9.1.1:8080", time.Second)
	}
	close(w.released)
	stats, err := c.Stop()
	// Each is a SYN and a RST; the markers that were dropped, too, count among those.
	if err != nil || stats.Dropped == 0 || stats.Packets+stats.Dropped < 2*connections || stats.Packets != uint64(len(segments(t, w.Bytes()))) {
		t.Errorf("%+v, %v", stats, err)
	}
}
