package flanneld

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// prefix is flanneld's default -etcd-prefix.
const prefix = "/coreos.com/network"

// store is etcd through its v2 API, at a URL such as http://192.168.100.11:2379.
type store struct{ endpoint string }

// config is what is read of flannel's configuration.
type config struct{ Network netip.Prefix }

func (s store) config(ctx context.Context) (c config, err error) {
	answer, _, err := s.call(ctx, http.MethodGet, prefix+"/config", nil, nil)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(answer.Node.Value), &c); err != nil {
		return c, fmt.Errorf("%s/config: %w", prefix, err)
	}
	return c, nil
}

// acquire writes the lease of the subnet that is reserved for the public IP, and returns the subnet.
func (s store) acquire(ctx context.Context, public netip.Addr, mac net.HardwareAddr) (netip.Prefix, error) {
	leases, _, err := s.list(ctx)
	if err != nil {
		return netip.Prefix{}, err
	}
	for subnet, l := range leases {
		if l.PublicIP != public {
			continue
		}
		l.BackendType, l.BackendData.VtepMAC = "vxlan", mac.String()
		_, _, err := s.call(ctx, http.MethodPut, key(subnet), nil, url.Values{"value": {l.String()}})
		return subnet, err
	}
	return netip.Prefix{}, fmt.Errorf("no subnet under %s/subnets is reserved for %s: this stand-in picks none", prefix, public)
}

// list returns the leases and reservations, and the index from which on to watch.
func (s store) list(ctx context.Context) (map[netip.Prefix]lease, uint64, error) {
	answer, index, err := s.call(ctx, http.MethodGet, prefix+"/subnets", url.Values{"recursive": {"true"}, "quorum": {"true"}}, nil)
	if err != nil {
		return nil, 0, err
	}
	leases := map[netip.Prefix]lease{}
	for _, n := range answer.Node.Nodes {
		subnet, l, err := n.lease()
		if err != nil {
			log.Printf("passed over: %v", err)
			continue
		}
		leases[subnet] = l
	}
	return leases, index, nil
}

// change is a lease that was written, or one that is gone.
type change struct {
	subnet netip.Prefix
	lease  lease
	gone   bool
}

// watch sends the changes after an index, until ctx ends.
func (s store) watch(ctx context.Context, index uint64, changes chan<- change) {
	for ctx.Err() == nil {
		query := url.Values{"wait": {"true"}, "recursive": {"true"}, "waitIndex": {strconv.FormatUint(index+1, 10)}}
		answer, _, err := s.call(ctx, http.MethodGet, prefix+"/subnets", query, nil)
		if err != nil {
			if ctx.Err() == nil {
				log.Printf("watch the leases: %v", err)
			}
			sleep(ctx, retryPause)
			continue
		}
		index = answer.Node.ModifiedIndex
		c := change{gone: answer.Action == "delete" || answer.Action == "expire"}
		if c.gone {
			c.subnet, err = subnetOf(answer.Node.Key)
		} else {
			c.subnet, c.lease, err = answer.Node.lease()
		}
		if err != nil {
			log.Printf("passed over: %v", err)
			continue
		}
		select {
		case changes <- c:
		case <-ctx.Done():
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// answer is what the v2 API answers.
type answer struct {
	Action string
	Node   treeNode
}

type treeNode struct {
	Key           string
	Value         string
	ModifiedIndex uint64
	Nodes         []treeNode
}

func (n treeNode) lease() (subnet netip.Prefix, l lease, err error) {
	if subnet, err = subnetOf(n.Key); err != nil {
		return subnet, l, err
	}
	if err := json.Unmarshal([]byte(n.Value), &l); err != nil {
		return subnet, l, fmt.Errorf("%s: %w", n.Key, err)
	}
	return subnet, l, nil
}

// key and subnetOf write and read the name of a subnet's key, such as 10.244.1.0-24.
func key(subnet netip.Prefix) string {
	return prefix + "/subnets/" + strings.Replace(subnet.String(), "/", "-", 1)
}

func subnetOf(key string) (netip.Prefix, error) {
	return netip.ParsePrefix(strings.Replace(path.Base(key), "-", "/", 1))
}

// call makes one request, and returns etcd's answer and index.
func (s store) call(ctx context.Context, method, key string, query, form url.Values) (a answer, index uint64, err error) {
	address := s.endpoint + "/v2/keys" + key
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return a, 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, 0, err
	}
	if resp.StatusCode/100 != 2 {
		return a, 0, fmt.Errorf("etcd: %s %s: %s: %s", method, key, resp.Status, body)
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, 0, fmt.Errorf("etcd: %s %s: %w", method, key, err)
	}
	index, err = strconv.ParseUint(cmp.Or(resp.Header.Get("X-Etcd-Index"), "0"), 10, 64)
	return a, index, err
}
