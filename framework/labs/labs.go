// Package labs makes, opens and removes labs of either kind: the embedded one of network namespaces, and kind clusters.
package labs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/kind"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// Kind is a kind of lab.
type Kind string

const (
	// Netns is the embedded lab, of network namespaces.
	Netns Kind = "netns"
	// KIND is a kind cluster.
	KIND Kind = "kind"
	// Auto is KIND where a container engine answers and a node image is there or can be pulled, and Netns elsewhere.
	Auto Kind = "auto"
)

// Kinds are what people can ask for.
var Kinds = []Kind{Auto, Netns, KIND}

// Choose returns the kind of lab that Auto stands for on this machine and for FLANNEL_VERSION, and why; other kinds it returns
// as they are. It may pull a node image, which it tells by progress.
func Choose(ctx context.Context, k Kind, progress func(string)) (chosen Kind, why string, err error) {
	switch k {
	case Netns, KIND:
		return k, "it was asked for", nil
	case Auto:
	default:
		return "", "", fmt.Errorf("there is no lab of the kind %q; there are %v", k, Kinds)
	}
	e, err := engine.Find(ctx)
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	if err != nil {
		return Netns, err.Error(), nil
	}
	image, err := kind.FindImage(ctx, e, progress)
	if err == nil {
		err = kind.CheckFlannel(tools.FlannelVersion(), image)
	}
	if err != nil {
		return Netns, answers(e) + ", but " + err.Error(), nil
	}
	return KIND, fmt.Sprintf("%s, and has the node image %s", answers(e), image), nil
}

func answers(e engine.Engine) string {
	if e.Hangs != "" {
		return fmt.Sprintf("%s; %s answers", e.Hangs, e.Name)
	}
	return e.Name + " answers"
}

// Options say what lab to make; it needs a Name.
type Options struct {
	Kind Kind
	Name string
	// Nodes is how many, 3 if 0; as many as the site names if it names any.
	Nodes int
	// Site is what they are called, and where they live. Of that, a kind cluster takes the pods' and the Services' network, and which
	// of its nodes, sorted by name, plays which part.
	Site lab.Site
	// Flannel is the version of flannel, the default if empty.
	Flannel string
	// Pods is how pods hang on the nodes, lab.CNIBridge if empty; a kind cluster knows no other.
	Pods lab.Attachment
	// KubeProxy and FlannelRules are the rules that kube-proxy and flanneld write, lab.IPTables if empty; an embedded lab knows
	// no other.
	KubeProxy, FlannelRules lab.Rules
	// Sealed labs show whoever is root on their machines nothing of netfault; embedded ones nothing of this machine but /usr, either.
	Sealed bool
	// Owned labs end with this process: `netfault reset` takes an owned lab away once its owner is gone.
	Owned bool
	// KeepFailed keeps the containers of a kind cluster that could not be made, for a look.
	KeepFailed bool
	// Progress is called when a step begins; it may be nil.
	Progress func(step string)
}

// Up makes a lab and returns when every probe of it passes. When it fails, it leaves nothing behind but the error.
func Up(ctx context.Context, o Options) (lab.Lab, error) {
	if o.Kind == Netns {
		for _, rules := range []lab.Rules{o.KubeProxy, o.FlannelRules} {
			if rules != "" && rules != lab.IPTables {
				return nil, fmt.Errorf("an embedded lab has iptables rules, and no %s", rules)
			}
		}
		l, err := netns.Up(ctx, netns.Options{
			Name: o.Name, Ready: probe.Healthy, Nodes: o.Nodes, Site: o.Site, Sealed: o.Sealed, Flannel: o.Flannel, Pods: o.Pods, Owned: o.Owned, Progress: o.Progress,
		})
		return orNone(l, err)
	}
	if o.Pods != "" && o.Pods != lab.CNIBridge {
		return nil, fmt.Errorf("the pods of a kind cluster hang on %s, not on %s", lab.CNIBridge, o.Pods)
	}
	l, err := kind.Up(ctx, kind.Options{
		Name: o.Name, Ready: probe.Healthy, Nodes: max(o.Nodes, len(o.Site.Nodes)), Flannel: o.Flannel, KubeProxy: o.KubeProxy, FlannelRules: o.FlannelRules,
		Sealed: o.Sealed, Parts: partsOf(o.Site), PodNetwork: o.Site.PodNetwork, ServiceNetwork: o.Site.ServiceNetwork,
		Owned: o.Owned, KeepFailed: o.KeepFailed, Progress: o.Progress,
	})
	return orNone(l, err)
}

// partsOf are a site's nodes in the order of their parts, by their places among the sorted names.
func partsOf(s lab.Site) []int {
	sorted := slices.Sorted(slices.Values(s.Nodes))
	var parts []int
	for _, name := range s.Parts {
		parts = append(parts, slices.Index(sorted, name))
	}
	return parts
}

// orNone keeps a nil pointer from becoming a lab that is not nil.
func orNone[L lab.Lab](l L, err error) (lab.Lab, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Found is a lab that left a trace on this machine, whole or not.
type Found struct {
	Kind Kind
	Name string
}

// List returns all labs, embedded ones first, sorted by name.
func List(ctx context.Context) ([]Found, error) {
	all, _, err := Look(ctx)
	return all, err
}

// Look is List, and says why kind labs may be missing in it: which clients of container engines do not answer. It is empty if
// none may.
func Look(ctx context.Context) (all []Found, missing string, err error) {
	embedded, err := netns.List()
	if err != nil {
		return nil, "", err
	}
	clusters, hangs, err := kind.List(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, name := range embedded {
		all = append(all, Found{Netns, name})
	}
	for _, name := range clusters {
		all = append(all, Found{KIND, name})
	}
	if hangs != "" {
		missing = "kind labs may be missing here: " + hangs
	}
	return all, missing, nil
}

// Find returns the lab of that name. If there is one of each kind, it is the embedded one, for which no container engine
// has to be asked.
func Find(ctx context.Context, name string) (Found, error) {
	embedded, err := netns.List()
	if err != nil {
		return Found{}, err
	}
	if slices.Contains(embedded, name) {
		return Found{Netns, name}, nil
	}
	all, err := List(ctx)
	if err != nil {
		return Found{}, err
	}
	i := slices.IndexFunc(all, func(f Found) bool { return f.Name == name })
	if i >= 0 {
		return all[i], nil
	}
	return Found{}, &NotFoundError{Name: name, All: all}
}

// NotFoundError says that there is no lab of a name, and which there are.
type NotFoundError struct {
	Name string
	All  []Found
}

func (e *NotFoundError) Error() string {
	switch len(e.All) {
	case 0:
		return fmt.Sprintf("there is no lab %q; there is none at all: `%s` makes one", e.Name, lab.Command(e.Name, "lab up"))
	case 1:
		return fmt.Sprintf("there is no lab %q; the only one there is: --lab=%s", e.Name, e.All[0].Name)
	}
	text := fmt.Sprintf("there is no lab %q; name one with --lab, of", e.Name)
	for _, f := range e.All {
		text += " " + f.Name
	}
	return text
}

// Open returns the lab, which must be up.
func (f Found) Open(ctx context.Context) (lab.Lab, error) {
	if f.Kind == Netns {
		l, err := netns.Open(f.Name)
		return orNone(l, err)
	}
	l, err := kind.Open(ctx, f.Name)
	return orNone(l, err)
}

// StateDir is the lab's folder.
func (f Found) StateDir() string {
	if f.Kind == Netns {
		return netns.StateDir(f.Name)
	}
	return kind.StateDir(f.Name)
}

// Lock takes the lock of a lab that may be broken; nil if it has no folder, so that there is nothing in it to change. An error is
// a *lock.TakenError if another process holds it.
func (f Found) Lock(ctx context.Context) (*lock.Lock, error) {
	k, err := lock.Folder(ctx, f.StateDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return k, err
}

// Hold locks the lab, which must be up, and opens it: in this order, since it may be removed and made anew meanwhile.
func (f Found) Hold(ctx context.Context) (*lock.Held, error) {
	k, err := lock.Folder(ctx, f.StateDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lab %s has no folder any more (%w): `%s` clears what is left of it", f.Name, err, lab.Command(f.Name, "reset"))
	}
	if err != nil {
		return nil, err
	}
	l, err := f.Open(ctx)
	if err != nil {
		return nil, errors.Join(err, k.Release())
	}
	return k.Of(l), nil
}

// OpenPartly returns the lab though something in it may have ended: whoever asks that is told so.
func (f Found) OpenPartly(ctx context.Context) (lab.Lab, error) {
	if f.Kind == Netns {
		l, err := netns.OpenPartly(ctx, f.Name)
		return orNone(l, err)
	}
	l, err := kind.OpenPartly(ctx, f.Name)
	return orNone(l, err)
}

// Remove ends the lab and everything in it.
func (f Found) Remove(ctx context.Context) error {
	if f.Kind == Netns {
		return netns.Remove(ctx, f.Name)
	}
	return kind.Remove(ctx, f.Name)
}

// Owner is the process that the lab belongs to, and ends with; the zero value if it stands on its own.
func (f Found) Owner() (owner.Process, error) {
	var record struct{ Owner owner.Process }
	err := owner.ReadRecord(f.StateDir(), &record)
	return record.Owner, err
}

// Use says who needs the lab.
func (f Found) Use() (owner.Use, error) {
	// Who makes a lab makes its folder first, which nobody else can have made, and then says in it whose it is.
	_ = wait.Until(context.Background(), claimLimit, "the lab's owner to be written down", func(context.Context) error {
		if _, err := os.Stat(f.StateDir()); err != nil {
			return nil
		}
		return owner.HasRecord(f.StateDir())
	})
	if f.Kind == Netns {
		return netns.UseOf(f.Name)
	}
	return kind.UseOf(f.Name)
}

// claimLimit is how long a lab may have a folder in which nobody is named yet: a moment, unless who made it was killed in it.
const claimLimit = 200 * time.Millisecond
