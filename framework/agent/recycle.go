package agent

import (
	"context"
	"errors"
	"fmt"
	"os"

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
	return all, err
}

// eachPod calls do in the network namespace of each of the node's pods, with the pod's name and the number of its eth0.
func eachPod(ctx context.Context, do func(pod string, eth0 int) error) error {
	services, err := ownServices(ctx)
	if err != nil {
		return err
	}
	node, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, s := range services {
		if s.Pod == nil || !s.Running {
			continue
		}
		err := onOwnThread(func() error {
			pod, err := netns.GetFromPid(s.PID)
			if err != nil {
				return err
			}
			defer pod.Close()
			if err := netns.Set(pod); err != nil {
				return err
			}
			eth0, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			return do(s.Name+"-"+node, eth0.Attrs().Index)
		})
		if err != nil {
			return fmt.Errorf("%s-%s: %w", s.Name, node, err)
		}
	}
	return nil
}
