package flanneld_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/flanneld"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"github.com/netfault/netfault/framework/wait"
)

// A process begun in the test's namespace stays in it, whatever its goroutines do.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "flanneld" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := flanneld.Run(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// linkName is flannel's interface.
const linkName = "flannel.1"

// limit is how long anything may take to be seen.
const limit = 10 * time.Second

// step is one of measured.json: what was done to the real flanneld, and what was there afterwards.
type step struct {
	What, By string
	Do       []string
	Then     map[string][]string
}

// The stand-in does what the real flanneld was measured to do, step by step.
func TestMeasured(t *testing.T) {
	text, err := os.ReadFile("testdata/measured.json")
	if err != nil {
		t.Fatal(err)
	}
	var measured struct{ Steps []step }
	if err := json.Unmarshal(text, &measured); err != nil {
		t.Fatal(err)
	}
	n := newNode(t)
	for _, s := range measured.Steps {
		n.frames.forget()
		for _, do := range s.Do {
			n.do(do)
		}
		for what, want := range s.Then {
			err := wait.Until(t.Context(), limit, what, func(context.Context) error {
				if got := n.see(what); !slices.Equal(got, want) {
					return fmt.Errorf("%q, measured was %q", got, want)
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", s.What, err)
			}
		}
	}
}

// node is a namespace with an eth0, an etcd, and at times a flanneld.
type node struct {
	t          *testing.T
	etcd       *etcdServer
	flanneld   *exec.Cmd
	subnetFile string
	frames     *frames
	// macs are the addresses that flannel.1 has had.
	macs []string
}

func newNode(t *testing.T) *node {
	scratchns.Enter(t)
	scratchns.Script(t, `
		ip link set lo up
		ip link add eth0 type veth peer name wire
		ip link set wire up
		ip address add 192.168.100.11/24 dev eth0
		ip link set eth0 up
		ip neigh add 192.168.100.12 lladdr 02:00:00:00:00:12 dev eth0 nud permanent
		ip neigh add 192.168.100.13 lladdr 02:00:00:00:00:13 dev eth0 nud permanent
		ip neigh add 192.168.100.14 lladdr 02:00:00:00:00:14 dev eth0 nud permanent`)
	n := &node{t: t, etcd: startEtcd(t), subnetFile: filepath.Join(t.TempDir(), "subnet.env"), frames: watchFrames(t, "eth0")}
	t.Cleanup(n.end)
	return n
}

// do does one thing of a step.
func (n *node) do(text string) {
	verb, rest, _ := strings.Cut(text, " ")
	args := strings.Fields(rest)
	switch verb {
	case "start":
		n.start()
	case "end":
		n.end()
	case "reserve":
		n.etcd.put(args[0], fmt.Sprintf(`{"PublicIP":%q}`, args[1]))
	case "lease":
		n.etcd.put(args[0], fmt.Sprintf(`{"PublicIP":%q,"BackendType":"vxlan","BackendData":{"VtepMAC":%q}}`, args[1], args[2]))
	case "gone":
		n.etcd.remove(args[0])
	case "packet":
		send(n.t, args[0])
	case "set":
		n.set(args[0], args[1])
	case "stale":
		scratchns.Run(n.t, "ip", "neigh", "change", args[0], "dev", linkName, "nud", "stale")
	case "vain":
		n.asksInVain(args[0])
	case "forget":
		scratchns.Run(n.t, "ip", "neigh", "del", args[0], "dev", linkName)
	case "lose":
		scratchns.Run(n.t, "ip", "link", "del", linkName)
	default:
		n.t.Fatalf("%q: there is no such verb", text)
	}
}

func (n *node) start() {
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	ready := listenReady(n.t)
	cmd := exec.Command(self, "flanneld", "--etcd-endpoints="+n.etcd.url, "--iface=eth0", "--subnet-file="+n.subnetFile, "--ip-masq")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+ready.LocalAddr().String())
	cmd.Stdout, cmd.Stderr = n.t.Output(), n.t.Output()
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.flanneld = cmd
	if _, err := ready.Read(make([]byte, 64)); err != nil {
		n.t.Fatalf("flanneld does not say that it is ready: %v", err)
	}
	if mac := flannelLink(n.t).Attrs().HardwareAddr.String(); !slices.Contains(n.macs, mac) {
		n.macs = append(n.macs, mac)
	}
}

func (n *node) end() {
	if n.flanneld == nil {
		return
	}
	if err := n.flanneld.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Error(err)
	}
	if err := n.flanneld.Wait(); err != nil {
		n.t.Errorf("flanneld: %v", err)
	}
	n.flanneld = nil
}

// see returns what is there now, in lines.
func (n *node) see(what string) []string {
	what, arg, _ := strings.Cut(what, " ")
	switch what {
	case "addresses":
		return addresses(n.t)
	case "routes":
		return routes(n.t)
	case "rows":
		return neighbours(n.t, unix.AF_BRIDGE)
	case "neighbours":
		return neighbours(n.t, unix.AF_INET)
	case "solicit":
		return solicit(n.t)
	case "frames":
		return n.frames.seen()
	case "lease":
		text := n.etcd.get(arg)
		for i, mac := range n.macs {
			text = strings.ReplaceAll(text, mac, fmt.Sprintf("{%d}", i+1))
		}
		return []string{text}
	case "rules":
		return postrouting(n.t)
	case "subnet":
		text, err := os.ReadFile(n.subnetFile)
		if err != nil {
			n.t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	n.t.Fatalf("%q cannot be looked at", what)
	return nil
}

// asksInVain waits until the kernel has given up asking for an address.
func (n *node) asksInVain(addr string) {
	err := wait.Until(n.t.Context(), limit, "the end of the kernel's questions", func(context.Context) error {
		if got := neighbours(n.t, unix.AF_INET); slices.Contains(got, addr+" INCOMPLETE") {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// set writes one of flannel.1's settings for neighbours.
func (n *node) set(key, value string) {
	if err := os.WriteFile("/proc/sys/net/ipv4/neigh/"+linkName+"/"+key, []byte(value), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

func flannelLink(t *testing.T) netlink.Link {
	link, err := netlink.LinkByName(linkName)
	if err != nil {
		t.Fatal(err)
	}
	return link
}
