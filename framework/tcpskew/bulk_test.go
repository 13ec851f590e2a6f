package tcpskew_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/internal/scratchns"
	"github.com/netfault/netfault/framework/internal/tcbpf/testwire"
	"github.com/netfault/netfault/framework/tcpskew"
)

// bulk is how much is sent each way: enough for TSO, window scaling and losses to show.
const bulk = 20 << 20

// tcpErrors are TCP's counters, by their names in /proc/net/snmp and netstat, of what a wrong checksum or echo would cause.
var tcpErrors = []string{"InErrs", "InCsumErrors", "PAWSActive", "TSEcrRejected"}

// A skewed clock must not disturb TCP. Segments that are sent again, and old ones that are refused for their timestamps
// (PAWSEstab), are no sign of that by themselves: a busy machine has them without any skew. Measured on 6.18 in 20 MB each
// way, without these programs: 0 to 1,072 sent again and up to 62 refused; with them: 0 to 337, and up to 61.
func TestBulk(t *testing.T) {
	for _, offload := range []string{"on", "off"} {
		w := testwire.New(t, 1)
		w.InClient(func() {
			testwire.Check(t, tcpskew.Attach(w.ClientIndex, 621677338))
			scratchns.Run(t, "ethtool", "-K", "eth0", "tx", offload)
		})
		// Without its offload, the server computes checksums before the client's program changes what they are of.
		w.InServer(func() { scratchns.Run(t, "ethtool", "-K", "eth0", "tx", offload) })
		started := time.Now()
		transfer(t, w, bulk)
		for _, name := range tcpErrors {
			if n := count(t, w, name); n != 0 {
				t.Errorf("tx offload %s: %s counts %d", offload, name, n)
			}
		}
		t.Logf("tx offload %s: %d MB each way in %v, %d segments were sent again", offload, bulk>>20,
			time.Since(started).Round(time.Millisecond), count(t, w, "RetransSegs"))
	}
}

// transfer sends bytes from the server to the client, and back on the same connection, and compares them.
func transfer(t *testing.T, w *testwire.Wire, size int) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	listener := w.Listen("tcp4", 80)
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			defer conn.Close()
			_, err = conn.Write(data)
		}
		if err == nil {
			err = expect(conn, data)
		}
		served <- err
	}()
	conn, err := w.Dial(testwire.Client(0), 80)
	testwire.Check(t, err)
	defer conn.Close()
	testwire.Check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	testwire.Check(t, expect(conn, data))
	_, err = conn.Write(data)
	testwire.Check(t, err)
	testwire.Check(t, <-served)
}

func expect(from io.Reader, want []byte) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes arrived changed", len(got))
	}
	return nil
}

// count adds up one of TCP's counters over both namespaces.
func count(t *testing.T, w *testwire.Wire, name string) int {
	t.Helper()
	total, found := 0, false
	for _, in := range []func(func()){w.InClient, w.InServer} {
		in(func() {
			for _, file := range []string{"snmp", "netstat"} {
				text, err := os.ReadFile("/proc/thread-self/net/" + file)
				testwire.Check(t, err)
				lines := strings.Split(string(text), "\n")
				for i := 0; i+1 < len(lines); i += 2 {
					names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
					at := slices.Index(names, name)
					if at < 0 || !strings.HasPrefix(names[0], "Tcp") {
						continue
					}
					n, err := strconv.Atoi(values[at])
					testwire.Check(t, err)
					total, found = total+n, true
				}
			}
		})
	}
	if !found && name != "TSEcrRejected" { // since 6.15
		t.Fatalf("the kernel has no counter %s", name)
	}
	return total
}
