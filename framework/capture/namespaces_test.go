package capture

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// space is a network namespace that lives as long as the test.
type space struct {
	t  *testing.T
	ns netns.NsHandle
}

// newSpace makes a namespace with lo up. Without root the test is skipped.
func newSpace(t *testing.T) *space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	s := &space{t: t}
	var err error
	thread(func() { s.ns, err = netns.New() })
	if err != nil {
		t.Skipf("cannot make a network namespace: %v", err)
	}
	t.Cleanup(func() { s.ns.Close() })
	s.run("ip link set lo up")
	return s
}

// thread calls do on a thread of its own, which ends with it.
func thread(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		do()
	}()
	<-done
}

// in calls do in the namespace; sockets that do opens stay there.
func (s *space) in(do func() error) error {
	var err error
	thread(func() {
		if err = netns.Set(s.ns); err == nil {
			err = do()
		}
	})
	return err
}

// run runs commands, one a line, in the namespace. They may have no quoting.
func (s *space) run(lines string) {
	s.t.Helper()
	for line := range strings.Lines(lines) {
		argv := strings.Fields(line)
		if len(argv) == 0 {
			continue
		}
		if _, err := exec.LookPath(argv[0]); err != nil {
			s.t.Skipf("needs %s on the PATH", argv[0])
		}
		err := s.in(func() error {
			out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%v: %w: %s", argv, err, bytes.TrimSpace(out))
			}
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// wire joins two namespaces by a pair of links with addresses, such as "10.9.1.2/24".
func wire(a *space, aName, aAddr string, b *space, bName, bAddr string) {
	a.t.Helper()
	err := a.in(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: aName}, PeerName: bName, PeerNamespace: netlink.NsFd(int(b.ns)),
		})
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.run(fmt.Sprintf("ip addr add %s dev %s\nip link set %s up", aAddr, aName, aName))
	b.run(fmt.Sprintf("ip addr add %s dev %s\nip link set %s up", bAddr, bName, bName))
}

// listen listens on addr in the namespace. From the call of accept on, every connection that comes is closed, by the
// server first.
func (s *space) listen(addr string) (accept func()) {
	s.t.Helper()
	var l net.Listener
	if err := s.in(func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return func() {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
}

// serve listens and accepts.
func (s *space) serve(addr string) {
	s.t.Helper()
	s.listen(addr)()
}

// dial opens a connection from the namespace and waits for the end that the server sends. It reports whether it was answered
// within limit.
func (s *space) dial(addr string, limit time.Duration) bool {
	s.t.Helper()
	var c net.Conn
	err := s.in(func() (err error) {
		c, err = (&net.Dialer{Timeout: limit}).DialContext(context.Background(), "tcp4", addr)
		return err
	})
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		s.t.Fatal(err)
	}
	// Nothing is sent; the read ends with the server's FIN, or with the deadline where the server keeps the connection.
	_, _ = c.Read(make([]byte, 1))
	return true
}

// capture starts a capture on one of the namespace's links.
func (s *space) capture(link string, filter Filter, w *bytes.Buffer) *Capture {
	s.t.Helper()
	var c *Capture
	if err := s.in(func() (err error) {
		c, err = Start(s.t.Context(), link, filter, w)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return c
}
