package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect/procsys"
	"github.com/netfault/netfault/framework/twrecycle"
)

// recycleSemantics are those of the kernels on which the incident happened.
const recycleSemantics = twrecycle.EL7

// setRecycle switches tcp_tw_recycle in all pods of the node, the kernel's or the emulated one. Like the setting of those
// kernels it is in force in every network namespace; it is emulated where servers are, in the pods.
func setRecycle(ctx context.Context, on bool) error {
	return eachPod(ctx, func(_ string, eth0 int) error {
		if _, native, err := twrecycle.Native(); err != nil || native {
			return errors.Join(err, procsys.Write(recycleKey, recycleValue(on)))
		}
		setting, err := twrecycle.Open(eth0)
		if errors.Is(err, twrecycle.ErrNotAttached) {
			if !on {
				return nil
			}
			return twrecycle.Attach(eth0, twrecycle.Options{Semantics: recycleSemantics, On: true})
		}
		if err != nil {
			return err
		}
		defer setting.Close()
		return setting.Set(on)
	})
}

func recycleValue(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// recycleOn says whether it is on in any pod.
func recycleOn(ctx context.Context) (bool, error) {
	settings, err := RecycleSettings(ctx)
	for _, s := range settings {
		if s.Value != nil && *s.Value == 1 {
			return true, err
		}
	}
	return false, err
}

// RecycleSettings are the emulated settings of the node's pods, as they stand in a bundle; none where nobody has ever
// switched one on.
func RecycleSettings(ctx context.Context) ([]evidence.TWRecycle, error) {
	source, err := twrecycle.Describe()
	if err != nil {
		return nil, err
	}
	var all []evidence.TWRecycle
	err = eachPod(ctx, func(pod string, eth0 int) error {
		setting, err := twrecycle.Open(eth0)
		if errors.Is(err, twrecycle.ErrNotAttached) {
			return nil
		}
		if err != nil {
			return err
		}
		defer setting.Close()
		on, onErr := setting.On()
		semantics, semanticsErr := setting.Semantics()
		dropped, droppedErr := setting.Dropped()
		value := 0
		if on {
			value = 1
		}
		all = append(all, evidence.TWRecycle{
			Source: source, Semantics: semantics.String(), Value: &value, Scope: pod, Dropped: dropped.Count,
		})
		return errors.Join(onErr, semanticsErr, droppedErr)
	})
	slices.SortFunc(all, func(a, b evidence.TWRecycle) int { return cmp.Compare(a.Scope, b.Scope) })
	return all, err
}

// eachPod calls do in the network namespace of each of the node's pods that has an eth0, with the pod's name and the number of its eth0.
func eachPod(ctx context.Context, do func(pod string, eth0 int) error) error {
	namespaces, err := podNamespaces(ctx)
	if err != nil {
		return err
	}
	for pod, path := range namespaces {
		err := onOwnThread(func() error {
			namespace, err := netns.GetFromPath(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the pod has ended
			}
			if err != nil {
				return err
			}
			defer namespace.Close()
			if err := netns.Set(namespace); err != nil {
				return err
			}
			eth0, err := netlink.LinkByName("eth0")
			if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
				return nil // and with it what was attached; the node's other pods are to be told of all the same
			}
			if err != nil {
				return err
			}
			return do(pod, eth0.Attrs().Index)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", pod, err)
		}
	}
	return nil
}

// criNamespaces is where containerd keeps the network namespaces of a Kubernetes node's pods.
const criNamespaces = "/run/netns"

// podNamespaces maps the node's pods to the paths of their network namespaces: those of the lab's services or, on a
// Kubernetes node, those of containerd's sandboxes, which have no better names there than their namespaces'.
func podNamespaces(ctx context.Context) (map[string]string, error) {
	node, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	services, err := ownServices(ctx)
	if err != nil {
		return nil, err
	}
	namespaces := map[string]string{}
	for _, s := range services {
		if s.Pod != nil && s.Running {
			namespaces[s.Name+"-"+node] = fmt.Sprintf("/proc/%d/ns/net", s.PID)
		}
	}
	entries, err := os.ReadDir(criNamespaces)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		namespaces[e.Name()] = filepath.Join(criNamespaces, e.Name())
	}
	return namespaces, nil
}

// forgetRecycle takes the emulated setting from the pods that did not have it before.
func forgetRecycle(ctx context.Context, before []string) error {
	return eachPod(ctx, func(pod string, eth0 int) error {
		setting, err := twrecycle.Open(eth0)
		if errors.Is(err, twrecycle.ErrNotAttached) || slices.Contains(before, pod) {
			return nil
		}
		if err != nil {
			return err
		}
		setting.Close()
		return twrecycle.Detach(eth0)
	})
}
