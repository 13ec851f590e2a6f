package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/detectors/evidence"
)

// largePath is what a client asks for that wants a large answer.
const largePath = "/large"

// askLarge makes a probe whose request and answer are one packet each, as large as the path is thought to carry. One, since
// virtual links carry several as one large one, without a look at their MTU (Linux 6.18, netdevice.h, __is_skb_forwardable:
// "if TSO is enabled, we don't care about the length"), where a real network would lose each.
func askLarge(ctx context.Context, t Target, p *evidence.Probe) error {
	conn, err := dial(ctx, "tcp", t.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	size, err := segment(conn)
	if err != nil {
		return err
	}
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nPadding: ", largePath, t.Address)
	const tail = "\r\n\r\n"
	if _, err := conn.Write(pad(head, size, tail)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return answered(resp.Body, t, p)
}

// answerLarge answers in one packet, as large as the path to the caller is thought to carry.
func answerLarge(w http.ResponseWriter, a Answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	size, err := segment(conn)
	if err != nil {
		return err
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nPadding: ", len(body))
	if _, err := conn.Write(pad(head, size, "\r\n\r\n"+string(body))); err != nil {
		return err
	}
	// The client closes first, as it does with every other probe; what it sends until then is nothing.
	_, err = conn.Read(make([]byte, 1))
	return err
}

// pad puts so much between head and tail that all is size bytes; less than head and tail it cannot be.
func pad(head string, size int, tail string) []byte {
	return []byte(head + string(bytes.Repeat([]byte("x"), max(0, size-len(head)-len(tail)))) + tail)
}

// segment is the size in bytes of the largest segment that a connection sends now (tcp(7), TCP_MAXSEG; Linux 6.18, tcp.c,
// do_tcp_getsockopt: mss_cache, from which the options are taken off already).
func segment(conn net.Conn) (int, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, errors.New("not a TCP connection")
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var size int
	var failed error
	if err := raw.Control(func(fd uintptr) { size, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); err != nil {
		return 0, err
	}
	return size, failed
}
