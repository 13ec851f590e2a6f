package tcpskew_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/tcbpf/testwire"
	"github.com/netfault/netfault/framework/tcpskew"
)

// First SYNs that leave at one moment on several processors have one clock, and so has all that follows.
func TestFirstSYNsAtOnce(t *testing.T) {
	w := testwire.New(t, 1)
	w.Listen("tcp4", 80)
	arrived := capture(t, w)
	address := [4]byte(net.ParseIP(testwire.Server).To4())
	for range 200 {
		w.InClient(func() { testwire.Check(t, tcpskew.Attach(w.ClientIndex, first)) })
		var sockets []int
		w.InClient(func() {
			for range 4 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				testwire.Check(t, err)
				sockets = append(sockets, fd)
			}
		})
		began := time.Now()
		var ready, done sync.WaitGroup
		ready.Add(len(sockets))
		for _, fd := range sockets {
			done.Go(func() {
				ready.Done()
				ready.Wait()
				_ = unix.Connect(fd, &unix.SockaddrInet4{Port: 80, Addr: address}) // which goes on by itself
			})
		}
		done.Wait()
		for syns := 0; syns < len(sockets); {
			s := <-arrived
			if s.tcp.RST {
				continue // it has no timestamp
			}
			got, _ := timestamps(t, s.tcp)
			if moved := time.Duration(int32(got-first)) * time.Millisecond; moved < -tick || moved > time.Since(began)+tick {
				t.Fatalf("a segment (SYN %v) has %d, %v from the first SYN's", s.tcp.SYN, got, moved)
			}
			if s.tcp.SYN {
				syns++
			}
		}
		for _, fd := range sockets {
			unix.Close(fd)
		}
		w.InClient(func() { testwire.Check(t, tcpskew.Detach(w.ClientIndex)) })
	drain:
		for {
			select {
			case <-arrived:
			case <-time.After(5 * time.Millisecond):
				break drain
			}
		}
	}
}
