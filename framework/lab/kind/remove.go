package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
)

// Remove removes the lab's containers, their volumes and its folder, whole or not. It is no error if there is nothing to remove. A
// cluster that is not netfault's own is never touched.
func Remove(ctx context.Context, name string) error {
	if err := lab.CheckName(name); err != nil {
		return err
	}
	e, err := engine.Find(ctx)
	if err != nil {
		if _, missing := os.Stat(StateDir(name)); errors.Is(missing, fs.ErrNotExist) {
			return nil // no engine, and no trace of a lab
		}
		return err
	}
	if err := waitForStragglers(ctx, name); err != nil {
		return err
	}
	p := provider(e, &logger{})
	all, err := p.List()
	if err != nil {
		return err
	}
	for _, c := range clusterNames(name) {
		if !slices.Contains(all, c) {
			continue
		}
		ours, err := isOurs(ctx, e, name)
		if err != nil {
			return err
		}
		if !ours {
			return fmt.Errorf("the kind cluster %s was not made by netfault; `kind delete cluster --name %s` removes it", c, c)
		}
		if err := removeCluster(ctx, e, p, name, c); err != nil {
			return fmt.Errorf("lab %s: %w", name, err)
		}
	}
	if err := removeVolumes(ctx, e, name); err != nil {
		return fmt.Errorf("lab %s: %w", name, err)
	}
	return owner.RemoveFolder(StateDir(name))
}

// removeCluster removes the containers itself, since Ctrl-C would end kind's command for that; what is left is for kind.
func removeCluster(ctx context.Context, e engine.Engine, p *cluster.Provider, name, clusterName string) error {
	if err := removeContainers(ctx, e, p, clusterName); err != nil {
		return err
	}
	return p.Delete(clusterName, kubeconfigPath(name))
}

// removeContainers kills the cluster's containers first: an orderly halt of their systemd takes many seconds, and is of no use.
func removeContainers(ctx context.Context, e engine.Engine, p *cluster.Provider, clusterName string) error {
	containers, err := p.ListNodes(clusterName)
	if err != nil {
		return err
	}
	if len(containers) == 0 {
		return nil
	}
	var names []string
	for _, c := range containers {
		names = append(names, c.String())
	}
	// One that does not run cannot be killed; it is removed all the same.
	_, _ = e.Output(ctx, append([]string{"kill"}, names...)...)
	_, err = e.Output(ctx, append([]string{"rm", "--force", "--volumes"}, names...)...)
	return err
}

// isOurs says whether a cluster with a lab's name is one: the lab's folder is there, which is made first and removed
// last, or, after a restart of this machine, the host outside with netfault's own label.
func isOurs(ctx context.Context, e engine.Engine, name string) (bool, error) {
	if _, err := readRecord(name); err == nil {
		return true, nil
	}
	out, err := e.Output(ctx, "ps", "--all", "--filter", "label="+labLabel+"="+name, "--format", "{{.Names}}")
	return len(strings.TrimSpace(string(out))) > 0, err
}

// List returns the names of all kind labs that left a trace here, whole or not, sorted. Without an engine that answers,
// only their folders are such a trace. Hangs says which clients of engines do not answer: there may be labs behind them.
func List(ctx context.Context) (names []string, hangs string, err error) {
	entries, err := os.ReadDir(stateRoot())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	for _, e := range entries {
		if e.IsDir() && lab.CheckName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	e, err := engine.Find(ctx)
	if err != nil {
		if none, ok := errors.AsType[*engine.NoEngineError](err); ok {
			hangs = none.Hangs
		}
		return names, hangs, ctx.Err()
	}
	clusters, err := provider(e, &logger{}).List()
	if err != nil {
		return nil, "", err
	}
	for _, c := range clusters {
		name := labOf(c)
		if name == "" || slices.Contains(names, name) {
			continue
		}
		ours, err := isOurs(ctx, e, name)
		if err != nil {
			return nil, "", err
		}
		if ours {
			names = append(names, name)
		}
	}
	loose, err := looseVolumes(ctx, e)
	if err != nil {
		return nil, "", err
	}
	for name := range loose {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, e.Hangs, nil
}

// UseOf says who needs the lab.
func UseOf(name string) (owner.Use, error) {
	r, err := readRecord(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return owner.Abandoned, nil
	case err != nil:
		return owner.Abandoned, err
	}
	return owner.Of(r.Owner), nil
}
