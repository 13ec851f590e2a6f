package netns

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// reserveSubnets gives every node its subnet, by the reservations that flannel of the incidents' time has for that
// (Documentation/reservations.md): a flanneld that finds no lease with its public IP would pick a subnet at random. That
// flannel knows etcd's v2 API alone.
func (l *Lab) reserveSubnets(ctx context.Context) error {
	for _, n := range l.nodes {
		form := url.Values{"value": {fmt.Sprintf(`{"PublicIP":%q}`, n.address())}}.Encode()
		_, err := l.etcd.call(ctx, http.MethodPut, "/v2/keys"+leaseKey(n), "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil {
			return fmt.Errorf("%s: reserve its subnet: %w", n.name, err)
		}
	}
	return nil
}

// leaseKey is where flannel has a node's lease.
func leaseKey(n *node) string {
	return etcdPrefix + "/subnets/" + strings.Replace(n.subnet().String(), "/", "-", 1)
}
