package netns

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
)

// etcdPrefix is flannel's default --etcd-prefix.
const etcdPrefix = "/coreos.com/network"

// etcd is flannel's store, on the first node. It is written and read through both of its APIs: flannel before v0.18
// knows only the older one. The JSON gateway of the newer one spares a client library.
type etcd struct{ lab *Lab }

func (e *etcd) node() *node { return e.lab.nodes[0] }

func (e *etcd) endpoint() string { return fmt.Sprintf("http://%s:2379", e.node().address()) }

func (e *etcd) start(ctx context.Context, program string) error {
	_, err := e.node().client().Put(ctx, agent.Service{Name: "etcd", Argv: []string{
		program, "--name=lab", "--data-dir=/run/etcd", "--unsafe-no-fsync", "--enable-v2", "--log-level=warn",
		"--listen-client-urls=" + e.endpoint(), "--advertise-client-urls=" + e.endpoint(),
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=lab=http://127.0.0.1:2380",
		// One member has nobody to wait for.
		"--heartbeat-interval=10", "--election-timeout=50",
	}})
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`{"Network":%q,"SubnetLen":24,"Backend":{"Type":"vxlan"}}`, e.lab.site.PodNetwork)
	return e.lab.whileAllRuns(ctx, startLimit, "etcd", func(ctx context.Context) error {
		return e.put(ctx, etcdPrefix+"/config", config)
	})
}

// put writes a key through both APIs.
func (e *etcd) put(ctx context.Context, key, value string) error {
	request, err := json.Marshal(map[string][]byte{"key": []byte(key), "value": []byte(value)})
	if err != nil {
		return err
	}
	if _, err := e.call(ctx, http.MethodPost, "/v3/kv/put", "application/json", bytes.NewReader(request)); err != nil {
		return err
	}
	form := url.Values{"value": {value}}.Encode()
	_, err = e.call(ctx, http.MethodPut, "/v2/keys"+key, "application/x-www-form-urlencoded", strings.NewReader(form))
	return err
}

// remove deletes a key through both APIs, of which one has it.
func (e *etcd) remove(ctx context.Context, key string) error {
	request, err := json.Marshal(map[string][]byte{"key": []byte(key)})
	if err != nil {
		return err
	}
	if _, err := e.call(ctx, http.MethodPost, "/v3/kv/deleterange", "application/json", bytes.NewReader(request)); err != nil {
		return err
	}
	_, err = e.call(ctx, http.MethodDelete, "/v2/keys"+key, "", nil)
	if errors.Is(err, errNoKey) {
		return nil
	}
	return err
}

// errNoKey is etcd's answer for a key that is not there.
var errNoKey = errors.New("no such key")

func (e *etcd) call(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, e.endpoint()+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: e.node().dial}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, errNoKey
	case resp.StatusCode/100 != 2:
		return nil, fmt.Errorf("etcd: %s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// dial connects from inside the machine.
func (p *place) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := p.do(func() error {
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// leaseValue is what flannel stores for a subnet (pkg/subnet/etcd/registry.go, pkg/lease/lease.go).
type leaseValue struct {
	PublicIP    netip.Addr
	BackendType string
	BackendData struct {
		VNI     int
		VtepMAC string
	}
}

// Leases reads flannel's leases from etcd, through the API that the lab's flannel uses.
func (l *Lab) Leases(ctx context.Context) ([]evidence.Lease, error) {
	values, err := l.etcd.subnets(ctx)
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	leases := make([]evidence.Lease, 0, len(values))
	for key, value := range values {
		var v leaseValue
		if err := json.Unmarshal(value, &v); err != nil {
			return nil, fmt.Errorf("lease %s: %w", key, err)
		}
		leases = append(leases, evidence.Lease{
			Node: l.nodeAt(v.PublicIP), PodCIDR: strings.Replace(path.Base(key), "-", "/", 1), PublicIP: v.PublicIP.String(),
			BackendType: v.BackendType, VNI: orOne(v.BackendData.VNI), VtepMAC: v.BackendData.VtepMAC, Source: evidence.FromEtcd,
		})
	}
	slices.SortFunc(leases, func(a, b evidence.Lease) int { return cmp.Compare(a.Node, b.Node) })
	return leases, nil
}

// orOne fills in flannel's default VNI: versions before v0.24 do not store it with the lease.
func orOne(vni int) int {
	return cmp.Or(vni, 1)
}

// nodeAt names the node that has the address: flannel's leases in etcd carry no node name.
func (l *Lab) nodeAt(a netip.Addr) string {
	for _, n := range l.nodes {
		if n.address() == a {
			return n.name
		}
	}
	return "unknown-" + a.String()
}

// subnets returns key → value of flannel's leases. Only one of the two stores holds any.
func (e *etcd) subnets(ctx context.Context) (map[string][]byte, error) {
	const prefix = etcdPrefix + "/subnets/"
	end := []byte(prefix)
	end[len(end)-1]++
	request, err := json.Marshal(map[string][]byte{"key": []byte(prefix), "range_end": end})
	if err != nil {
		return nil, err
	}
	answer, err := e.call(ctx, http.MethodPost, "/v3/kv/range", "application/json", bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	var v3 struct{ KVs []struct{ Key, Value []byte } }
	if err := json.Unmarshal(answer, &v3); err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for _, kv := range v3.KVs {
		found[string(kv.Key)] = kv.Value
	}
	answer, err = e.call(ctx, http.MethodGet, "/v2/keys"+prefix, "", nil)
	if errors.Is(err, errNoKey) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	var v2 struct {
		Node struct{ Nodes []struct{ Key, Value string } }
	}
	if err := json.Unmarshal(answer, &v2); err != nil {
		return nil, err
	}
	for _, n := range v2.Node.Nodes {
		found[n.Key] = []byte(n.Value)
	}
	return found, nil
}
