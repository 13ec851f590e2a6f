package procsys

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/netfault/netfault/framework/internal/scratchns"
)

func find(t *testing.T, key string) (Entry, bool) {
	t.Helper()
	entries, err := Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Key == key })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// TestReadWrite uses a link with a dot in its name, as flannel's has.
func TestReadWrite(t *testing.T) {
	scratchns.Enter(t)
	scratchns.Run(t, "ip", "link", "add", "a.b", "type", "veth", "peer", "name", "c")
	const key = "net.ipv4.conf.a/b.rp_filter"
	for _, value := range []string{"1", "2", "0"} {
		if err := Write(key, value); err != nil {
			t.Fatal(err)
		}
		if e, ok := find(t, key); !ok || e.Value != value || !e.Writable {
			t.Errorf("%s is %+v, want %q", key, e, value)
		}
	}
	if e, ok := find(t, "net.netfilter.nf_conntrack_count"); ok && e.Writable {
		t.Error("nf_conntrack_count is said to be writable")
	}
	for _, key := range []string{"net.ipv4.tcp_fastopen_key", "net.ipv4.route.flush", "net.ipv6.conf.all.stable_secret"} {
		if e, ok := find(t, key); ok {
			t.Errorf("%+v is not left out", e)
		}
	}
	if err := Write("net.ipv4.conf.gone.rp_filter", "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want %v", err, fs.ErrNotExist)
	}
	if err := Write(key, "no number"); err == nil {
		t.Error("the kernel's refusal is lost")
	}
}

func TestPath(t *testing.T) {
	if got, err := Path("net.ipv4.conf.flannel/1.rp_filter"); err != nil || got != "/proc/sys/net/ipv4/conf/flannel.1/rp_filter" {
		t.Errorf("path is %q, %v", got, err)
	}
	for _, key := range []string{"", "net", "kernel.hostname", "net.ipv4.//.x", "net./.x", "net..x", "net.ipv4.conf.//.//.kernel.hostname"} {
		if got, err := Path(key); err == nil {
			t.Errorf("Path(%q) = %q, want an error", key, got)
		}
	}
}

func TestReadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
