package snapshot

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/machine"
)

// objects are the files of what Kubernetes says, each with what follows `kubectl` and comes before `-o json`. Secrets are never
// among them.
var objects = []struct {
	file string
	argv []string
}{
	{evidence.NodesFile, []string{"get", "nodes"}},
	{evidence.ServicesFile, []string{"get", "services", "-A"}},
	{evidence.EndpointSlicesFile, []string{"get", "endpointslices", "-A"}},
	{evidence.PodsFile, []string{"get", "pods", "-A"}},
	{evidence.DaemonSetsFile, []string{"get", "daemonsets", "-A"}},
	{evidence.KubeProxyFile, []string{"-n", "kube-system", "get", "configmap", "kube-proxy"}},
}

// kubernetes writes into the bundle in dir what kubectl prints on the machine api, side by side since kubectl mostly waits.
func kubernetes(ctx context.Context, api machine.Machine, dir string) error {
	errs := make([]error, len(objects))
	var wg sync.WaitGroup
	for i, o := range objects {
		wg.Go(func() {
			argv := append(append([]string{"kubectl"}, o.argv...), "-o", "json")
			errs[i] = collect.WriteCluster(dir, o.file, func(w io.Writer) error {
				return within(ctx, clusterLimit, func(ctx context.Context) error {
					return api.Run(ctx, machine.Command{Argv: argv, Stdout: w})
				})
			})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
