// Package flanneld stands in for flanneld v0.7.1, that of the incidents' time, whose module is not to be had from Go's proxy.
// It does what the real one was measured to do (testdata/measured.json) and what its source says of that
// (backend/vxlan and network at that tag), and nothing more: the vxlan backend with leases in etcd's v2 API.
//
// What it lacks: it takes the subnet that is reserved for its public IP (flannel's Documentation/reservations.md) and picks
// none; a reservation never expires, so it renews nothing; it keeps a flannel.1 that it finds, whatever its options; and it ends
// where the real one tries its start again.
//
// flannel up to v0.8 knows nothing of neighbours beforehand. One route leads to the whole network, and when the kernel looks
// for the link address of a pod, it asks user space: flanneld answers with that of the node whose subnet the pod is in.
package flanneld

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/netfault/netfault/framework/internal/standin"
)

// Version is that of the flanneld that this package stands in for.
const Version = "v0.7.1"

// retryPause is the time between two attempts to watch the leases.
const retryPause = time.Second

type options struct {
	endpoint, iface, subnetFile string
	ipMasq                      bool
}

// Run does what flanneld does to the network of this process's namespace when it is started with these arguments, says that it
// is ready (sd_notify(3)), and answers the kernel until ctx ends. Like flanneld it leaves its interface, routes and rows behind,
// and takes its iptables rules away.
func Run(ctx context.Context, args []string) error {
	log.SetPrefix("stand-in for flanneld " + Version + ": ")
	flags := flag.NewFlagSet("flanneld", flag.ContinueOnError)
	var o options
	flags.StringVar(&o.endpoint, "etcd-endpoints", "http://127.0.0.1:2379", "URL of etcd, which must have the v2 API")
	flags.StringVar(&o.iface, "iface", "", "interface whose address is the public IP")
	flags.StringVar(&o.subnetFile, "subnet-file", "/run/flannel/subnet.env", "where to write the subnet for Docker's options")
	flags.BoolVar(&o.ipMasq, "ip-masq", false, "masquerade what leaves the network")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return o.run(ctx)
}

func (o options) run(ctx context.Context) error {
	public, err := address(o.iface)
	if err != nil {
		return err
	}
	etcd := store{o.endpoint}
	config, err := etcd.config(ctx)
	if err != nil {
		return err
	}
	link, err := ensureLink(o.iface, public)
	if err != nil {
		return err
	}
	mac := link.Attrs().HardwareAddr
	own, err := etcd.acquire(ctx, public, mac)
	if err != nil {
		return err
	}
	if err := configure(link, own, config.Network); err != nil {
		return err
	}
	if o.ipMasq {
		if err := masquerade(ctx, config.Network); err != nil {
			return err
		}
		defer unmasquerade(context.WithoutCancel(ctx), config.Network)
	}
	if err := o.writeSubnetFile(config.Network, own, link.Attrs().MTU); err != nil {
		return err
	}
	log.Printf("%s, link address %s, public IP %s", own, mac, public)

	misses, err := watchMisses(ctx, link.Attrs().Index)
	if err != nil {
		return err
	}
	t := table{link: link.Attrs().Index, own: own, leases: map[netip.Prefix]lease{}}
	index, err := t.load(ctx, etcd)
	if err != nil {
		return err
	}
	if err := standin.Ready(); err != nil {
		return err
	}
	changes := make(chan change)
	go etcd.watch(ctx, index, changes)
	for {
		select {
		case <-ctx.Done():
			return nil
		case addr := <-misses:
			t.answer(addr)
		case c := <-changes:
			t.apply(c)
		}
	}
}

// writeSubnetFile writes what mk-docker-opts.sh reads.
func (o options) writeSubnetFile(network, own netip.Prefix, mtu int) error {
	if err := os.MkdirAll(filepath.Dir(o.subnetFile), 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=%s\nFLANNEL_MTU=%d\nFLANNEL_IPMASQ=%v\n",
		network, netip.PrefixFrom(own.Addr().Next(), own.Bits()), mtu, o.ipMasq)
	return os.WriteFile(o.subnetFile, []byte(text), 0o644)
}

// lease is what flannel of that time stores for a subnet: there is no VNI in it.
type lease struct {
	PublicIP    netip.Addr
	BackendType string      `json:",omitempty"`
	BackendData backendData `json:",omitzero"`
}

type backendData struct{ VtepMAC string }

func (l lease) String() string {
	text, _ := json.Marshal(l) // holds nothing that cannot be marshalled
	return string(text)
}
