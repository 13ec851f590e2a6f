package stalevtep

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/parallel"
)

// BenchmarkStaleVTEP judges healthy clusters whose files are generated as they are read, in the very format of iproute2
// 6.1. Beside the time it reports what part of it goes into generating the bytes, measured by reading them all and doing
// nothing with them, as often, side by side and in the same run.
func BenchmarkStaleVTEP(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			fsys := newBenchFS(n)
			var read, baseline, processor time.Duration
			var size int64
			var peak uint64
			for b.Loop() {
				start := time.Now()
				size = fsys.readAll(b)
				baseline += time.Since(start)
				stop := watchHeap()
				start, used := time.Now(), processorTime(b)
				found := Detector.Detect(context.Background(), evidence.New(fsys))
				read += time.Since(start)
				processor += processorTime(b) - used
				peak = max(peak, stop())
				if len(found) != 1 || found[0].Verdict != detectors.Clean {
					b.Fatalf("a healthy cluster is judged %+v", found[0])
				}
			}
			each := read.Seconds() / float64(b.N)
			pairs := float64(n) * float64(n-1)
			b.ReportMetric(0, "ns/op") // it would add both
			b.ReportMetric(each, "s/judged")
			b.ReportMetric(processor.Seconds()/float64(b.N), "cpu-s/judged")
			b.ReportMetric(pairs/each, "pairs/s")
			b.ReportMetric(each*1e9/pairs, "ns/pair")
			b.ReportMetric(float64(size)/each/1e6, "MB/s")
			b.ReportMetric(float64(peak)/1e6, "peak-heap-MB")
			b.ReportMetric(read.Seconds()/baseline.Seconds(), "x-generating")
		})
	}
}

// processorTime is what this process has used of all cores so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap samples the heap until stop is called, which returns the most bytes that objects took.
func watchHeap() (stop func() uint64) {
	runtime.GC()
	done, result := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		var peak uint64
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-tick.C:
			case <-done:
				result <- peak
				return
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-result
	}
}

// benchFS is the bundle of a healthy cluster in O(nodes) memory: a node's neighbour and FDB file is every node's row but
// its own, so they are all cut out of one text.
type benchFS struct {
	names      []string
	leases     []byte
	neigh, fdb rowText
	// routes are read up to the first by flannel's link.
	routes rowText
}

// rowText is the text of all rows, each with a comma before it.
type rowText struct {
	text  []byte
	start []int
}

func (r *rowText) add(row string) {
	r.start = append(r.start, len(r.text))
	r.text = append(append(r.text, ','), row...)
}

// without returns an array of the rows of own and of all but the i-th of r.
func (r *rowText) without(i int, own string) [][]byte {
	end := len(r.text)
	if i+1 < len(r.start) {
		end = r.start[i+1]
	}
	return [][]byte{[]byte("[" + own), r.text[:r.start[i]], r.text[end:], []byte("]\n")}
}

func newBenchFS(n int) *benchFS {
	f := &benchFS{}
	var leases []string
	for i := range n {
		name := fmt.Sprintf("node-%04d", i)
		f.names = append(f.names, name)
		leases = append(leases, fmt.Sprintf(`{"node":%q,"podCIDR":"10.%d.%d.0/24","publicIP":"172.18.%d.%d","backendType":"vxlan","vni":1,"vtepMAC":%q,"source":"etcd"}`,
			name, 64+i>>8, i&255, i>>8, i&255, benchMAC(i)))
		f.neigh.add(fmt.Sprintf(`{"dst":"10.%d.%d.0","dev":"flannel.1","lladdr":%q,"state":["PERMANENT"]}`, 64+i>>8, i&255, benchMAC(i)))
		f.routes.add(fmt.Sprintf(`{"dst":"10.%d.%d.0/24","gateway":"10.%d.%d.0","dev":"flannel.1","flags":["onlink"]}`, 64+i>>8, i&255, 64+i>>8, i&255))
		f.fdb.add(fmt.Sprintf(`{"mac":%q,"ifname":"flannel.1","dst":"172.18.%d.%d","flags":["self"],"state":"permanent"}`, benchMAC(i), i>>8, i&255))
	}
	f.leases = []byte("[" + strings.Join(leases, ",") + "]\n")
	return f
}

func benchMAC(i int) string { return fmt.Sprintf("ea:0b:5c:7e:%02x:%02x", i>>8, i&255) }

const (
	benchLinks = `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"loopback","address":"00:00:00:00:00:00","broadcast":"00:00:00:00:00:00","promiscuity":0,"allmulti":0,"min_mtu":0,"max_mtu":0,"inet6_addr_gen_mode":"eui64","num_tx_queues":1,"num_rx_queues":1,"gso_max_size":65536,"gso_max_segs":65535,"stats64":{"rx":{"bytes":0,"packets":0,"errors":0,"dropped":0,"over_errors":0,"multicast":0,"length_errors":0,"crc_errors":0,"frame_errors":0,"fifo_errors":0,"missed_errors":0},"tx":{"bytes":0,"packets":0,"errors":0,"dropped":0,"carrier_errors":0,"collisions":0,"aborted_errors":0,"fifo_errors":0,"window_errors":0,"heartbeat_errors":0,"carrier_changes":0}}},` +
		`{"ifindex":4,"ifname":"flannel.1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","link_type":"ether","address":%q,"broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"allmulti":0,"min_mtu":68,"max_mtu":65535,"linkinfo":{"info_kind":"vxlan","info_data":{"id":1,"local":"172.18.0.2","link":"eth0","port_range":{"low":0,"high":0},"port":8472,"learning":false,"ttl":0,"df":"unset","ageing":300,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false}},"inet6_addr_gen_mode":"none","num_tx_queues":1,"num_rx_queues":1,"gso_max_size":65536,"gso_max_segs":65535,"stats64":{"rx":{"bytes":1080,"packets":12,"errors":0,"dropped":0,"over_errors":0,"multicast":0,"length_errors":0,"crc_errors":0,"frame_errors":0,"fifo_errors":0,"missed_errors":0},"tx":{"bytes":1080,"packets":12,"errors":0,"dropped":1,"carrier_errors":0,"collisions":0,"aborted_errors":0,"fifo_errors":0,"window_errors":0,"heartbeat_errors":0,"carrier_changes":0}}}]` + "\n"
	benchNeigh = `{"dst":"172.18.0.1","dev":"eth0","lladdr":"02:42:5d:11:09:a4","state":["REACHABLE"]},{"dst":"10.64.1.7","dev":"cni0","lladdr":"7e:3c:41:aa:00:19","state":["STALE"]},{"dst":"172.18.255.9","dev":"eth0","state":["FAILED"]}`
	benchRoute = `{"dst":"default","gateway":"172.18.0.1","dev":"eth0","flags":[]}`
	benchFDB   = `{"mac":"33:33:00:00:00:01","ifname":"eth0","flags":["self"],"state":"permanent"},{"mac":"7e:3c:41:aa:00:19","ifname":"veth31","flags":[],"master":"cni0","state":""},{"mac":"de:29:9d:67:08:2e","ifname":"veth31","vlan":1,"flags":[],"master":"cni0","state":"permanent"}`
)

// parts returns the text of a file in pieces.
func (f *benchFS) parts(name string) ([][]byte, error) {
	if name == evidence.LeasesFile {
		return [][]byte{f.leases}, nil
	}
	node, found := strings.CutPrefix(path.Dir(name), "nodes/node-")
	i, err := strconv.Atoi(node)
	if !found || err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	switch path.Base(name) {
	case evidence.LinkFile:
		return [][]byte{fmt.Appendf(nil, benchLinks, benchMAC(i))}, nil
	case evidence.NeighFile:
		return f.neigh.without(i, benchNeigh), nil
	case evidence.FDBFile:
		return f.fdb.without(i, benchFDB), nil
	case evidence.RouteFile:
		return f.routes.without(i, benchRoute), nil
	default:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

func (f *benchFS) Open(name string) (fs.File, error) {
	parts, err := f.parts(name)
	if err != nil {
		return nil, err
	}
	return &benchFile{parts: parts}, nil
}

func (f *benchFS) ReadDir(string) ([]fs.DirEntry, error) {
	entries := make([]fs.DirEntry, len(f.names))
	for i, name := range f.names {
		entries[i] = fs.FileInfoToDirEntry(benchInfo{name: name, mode: fs.ModeDir})
	}
	return entries, nil
}

// readAll reads every file as the detector does, several side by side, and returns how many bytes there were.
func (f *benchFS) readAll(b *testing.B) int64 {
	var total atomic.Int64
	parallel.Do(len(f.names), func(_, i int) {
		buf := make([]byte, 64<<10)
		for _, file := range []string{evidence.LinkFile, evidence.NeighFile, evidence.FDBFile} {
			r, err := f.Open(evidence.NodeFile(f.names[i], file))
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
			if err != nil {
				b.Error(err)
			}
			total.Add(n)
		}
	})
	return total.Load()
}

// benchFile reads parts one after the other.
type benchFile struct{ parts [][]byte }

func (f *benchFile) Read(p []byte) (n int, err error) {
	for n < len(p) && len(f.parts) > 0 {
		m := copy(p[n:], f.parts[0])
		n += m
		if f.parts[0] = f.parts[0][m:]; len(f.parts[0]) == 0 {
			f.parts = f.parts[1:]
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *benchFile) Stat() (fs.FileInfo, error) {
	return benchInfo{}, nil
}

func (f *benchFile) Close() error { return nil }

type benchInfo struct {
	name string
	mode fs.FileMode
}

func (i benchInfo) Name() string       { return i.name }
func (i benchInfo) Size() int64        { return 0 }
func (i benchInfo) Mode() fs.FileMode  { return i.mode }
func (i benchInfo) ModTime() time.Time { return time.Time{} }
func (i benchInfo) IsDir() bool        { return i.mode.IsDir() }
func (i benchInfo) Sys() any           { return nil }
