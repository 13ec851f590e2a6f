package evidence

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
)

// Service is what is read of one item of `kubectl get services -o json`.
type Service struct {
	Namespace, Name string
	// Type is "ClusterIP", "NodePort", "LoadBalancer" or "ExternalName".
	Type string
	// ClusterIPs has none for a headless Service.
	ClusterIPs []netip.Addr
	Ports      []ServicePort
	// ExternalTrafficPolicy and InternalTrafficPolicy are "Local" where only endpoints on the node itself are used.
	ExternalTrafficPolicy, InternalTrafficPolicy string
}

// ServicePort is a port of a Service.
type ServicePort struct {
	// Name joins it with a port of the Service's EndpointSlices; it may be empty.
	Name string `json:"name"`
	// Protocol is "TCP", "UDP" or "SCTP".
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
	// NodePort is 0 where there is none.
	NodePort uint16 `json:"nodePort"`
}

// EndpointSlice is what is read of one item of `kubectl get endpointslices -o json`.
type EndpointSlice struct {
	Namespace, Name string
	// Service is the name of the Service in the same namespace; it may be empty.
	Service string
	// AddressType is "IPv4", "IPv6" or "FQDN".
	AddressType string
	Ports       []EndpointPort
	Endpoints   []Endpoint
}

// EndpointPort is a port of every endpoint of a slice.
type EndpointPort struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	// Port is 0 for all ports.
	Port uint16 `json:"port"`
}

// Endpoint is one of a slice's.
type Endpoint struct {
	// Addresses are empty in a slice of the type FQDN.
	Addresses []netip.Addr
	Node      string
	// Ready and Serving are true where the API says nothing else, Terminating is false (discovery/v1, EndpointConditions).
	Ready, Serving, Terminating bool
}

// Pod is what is read of one item of `kubectl get pods -o json`.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	// Node is empty for a pod that no node was found for.
	Node        string
	HostNetwork bool
	// Phase is "Pending", "Running", "Succeeded", "Failed" or "Unknown".
	Phase string
	// Ready says that the pod passes its own checks.
	Ready bool
	// IPs has none before the pod's network is set up.
	IPs []netip.Addr
}

// DaemonSet is what is read of one item of `kubectl get daemonsets -o json`.
type DaemonSet struct {
	Namespace, Name string
	Containers      []Container
	// Desired is on how many nodes it must run, Ready on how many it does.
	Desired, Ready int
}

// Container is one of a DaemonSet's.
type Container struct {
	Name    string   `json:"name"`
	Image   string   `json:"image"`
	Command []string `json:"command"`
	Args    []string `json:"args"`
}

// metadata is what is read of every object.
type metadata struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels"`
}

// check keeps names fit for a command line.
func (m metadata) check() error {
	for _, name := range []string{m.Namespace, m.Name} {
		if len(name) > 253 || !nodeName.MatchString(name) {
			return fmt.Errorf("namespace %.60q, name %.60q: want names of Kubernetes objects (RFC 1123)", m.Namespace, m.Name)
		}
	}
	return nil
}

// Services yields the cluster's Services, from ServicesFile. An error is yielded last.
func (b *Bundle) Services() iter.Seq2[Service, error] {
	type item struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			Type                  string        `json:"type"`
			ClusterIPs            []string      `json:"clusterIPs"`
			Ports                 []ServicePort `json:"ports"`
			ExternalTrafficPolicy string        `json:"externalTrafficPolicy"`
			InternalTrafficPolicy string        `json:"internalTrafficPolicy"`
		} `json:"spec"`
	}
	return kubeItems(b, ServicesFile, "kubectl get services -A -o json", func(i *item) (s Service, err error) {
		if err := i.Metadata.check(); err != nil {
			return s, err
		}
		s = Service{
			Namespace: i.Metadata.Namespace, Name: i.Metadata.Name, Type: i.Spec.Type, Ports: i.Spec.Ports,
			ExternalTrafficPolicy: i.Spec.ExternalTrafficPolicy, InternalTrafficPolicy: i.Spec.InternalTrafficPolicy,
		}
		if s.Type == "" {
			return s, fmt.Errorf("service %s/%s has no type", s.Namespace, s.Name)
		}
		for _, ip := range i.Spec.ClusterIPs {
			if ip == "None" {
				continue
			}
			if s.ClusterIPs, err = appendAddr(s.ClusterIPs, ip); err != nil {
				return s, fmt.Errorf("service %s/%s: %w", s.Namespace, s.Name, err)
			}
		}
		return s, nil
	})
}

// EndpointSlices yields the cluster's EndpointSlices, from EndpointSlicesFile. An error is yielded last.
func (b *Bundle) EndpointSlices() iter.Seq2[EndpointSlice, error] {
	type item struct {
		Metadata    metadata       `json:"metadata"`
		AddressType string         `json:"addressType"`
		Ports       []EndpointPort `json:"ports"`
		Endpoints   []struct {
			Addresses  []string `json:"addresses"`
			NodeName   string   `json:"nodeName"`
			Conditions struct {
				Ready       *bool `json:"ready"`
				Serving     *bool `json:"serving"`
				Terminating *bool `json:"terminating"`
			} `json:"conditions"`
		} `json:"endpoints"`
	}
	return kubeItems(b, EndpointSlicesFile, "kubectl get endpointslices -A -o json", func(i *item) (s EndpointSlice, err error) {
		if err := i.Metadata.check(); err != nil {
			return s, err
		}
		s = EndpointSlice{
			Namespace: i.Metadata.Namespace, Name: i.Metadata.Name, Service: i.Metadata.Labels["kubernetes.io/service-name"],
			AddressType: i.AddressType, Ports: i.Ports,
		}
		if s.AddressType == "" {
			return s, fmt.Errorf("endpoint slice %s/%s has no addressType", s.Namespace, s.Name)
		}
		for _, from := range i.Endpoints {
			c := from.Conditions
			e := Endpoint{Node: from.NodeName, Ready: c.Ready == nil || *c.Ready, Terminating: c.Terminating != nil && *c.Terminating}
			e.Serving = c.Serving != nil && *c.Serving || c.Serving == nil && e.Ready
			if e.Node != "" {
				if err := CheckNodeName(e.Node); err != nil {
					return s, fmt.Errorf("endpoint slice %s/%s: %w", s.Namespace, s.Name, err)
				}
			}
			for _, ip := range from.Addresses {
				if s.AddressType == "FQDN" {
					continue
				}
				if e.Addresses, err = appendAddr(e.Addresses, ip); err != nil {
					return s, fmt.Errorf("endpoint slice %s/%s: %w", s.Namespace, s.Name, err)
				}
			}
			s.Endpoints = append(s.Endpoints, e)
		}
		return s, nil
	})
}

// Pods yields the cluster's pods, from PodsFile. An error is yielded last.
func (b *Bundle) Pods() iter.Seq2[Pod, error] {
	type item struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			NodeName    string `json:"nodeName"`
			HostNetwork bool   `json:"hostNetwork"`
		} `json:"spec"`
		Status struct {
			Phase  string `json:"phase"`
			PodIPs []struct {
				IP string `json:"ip"`
			} `json:"podIPs"`
			Conditions []struct {
				Type   string `json:"type"`
				Status string `json:"status"`
			} `json:"conditions"`
		} `json:"status"`
	}
	return kubeItems(b, PodsFile, "kubectl get pods -A -o json", func(i *item) (p Pod, err error) {
		if err := i.Metadata.check(); err != nil {
			return p, err
		}
		p = Pod{
			Namespace: i.Metadata.Namespace, Name: i.Metadata.Name, Labels: i.Metadata.Labels,
			Node: i.Spec.NodeName, HostNetwork: i.Spec.HostNetwork, Phase: i.Status.Phase,
		}
		if p.Phase == "" {
			return p, fmt.Errorf("pod %s/%s has no phase", p.Namespace, p.Name)
		}
		if p.Node != "" {
			if err := CheckNodeName(p.Node); err != nil {
				return p, fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err)
			}
		}
		for _, c := range i.Status.Conditions {
			p.Ready = p.Ready || c.Type == "Ready" && c.Status == "True"
		}
		for _, ip := range i.Status.PodIPs {
			if p.IPs, err = appendAddr(p.IPs, ip.IP); err != nil {
				return p, fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err)
			}
		}
		return p, nil
	})
}

// DaemonSets yields the cluster's DaemonSets, from DaemonSetsFile. An error is yielded last.
func (b *Bundle) DaemonSets() iter.Seq2[DaemonSet, error] {
	type item struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			Template struct {
				Spec struct {
					Containers []Container `json:"containers"`
				} `json:"spec"`
			} `json:"template"`
		} `json:"spec"`
		Status struct {
			Desired int `json:"desiredNumberScheduled"`
			Ready   int `json:"numberReady"`
		} `json:"status"`
	}
	return kubeItems(b, DaemonSetsFile, "kubectl get daemonsets -A -o json", func(i *item) (DaemonSet, error) {
		d := DaemonSet{
			Namespace: i.Metadata.Namespace, Name: i.Metadata.Name, Containers: i.Spec.Template.Spec.Containers,
			Desired: i.Status.Desired, Ready: i.Status.Ready,
		}
		if err := i.Metadata.check(); err != nil {
			return d, err
		}
		if len(d.Containers) == 0 {
			return d, fmt.Errorf("daemon set %s/%s has no containers", d.Namespace, d.Name)
		}
		return d, nil
	})
}

// kubeItems yields the items of a list that a kubectl command printed into file, each read as an I and made a T.
func kubeItems[I, T any](b *Bundle, file, command string, made func(*I) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := b.decode(file, func(d *decoder) error {
			return d.arrayIn("items", command, func() error {
				var item I
				if err := d.value(&item); err != nil {
					return err
				}
				v, err := made(&item)
				if err != nil {
					return err
				}
				if !yield(v, nil) {
					return errStop
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStop) {
			var none T
			yield(none, err)
		}
	}
}

func appendAddr(list []netip.Addr, text string) ([]netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("%.60q is not an IP address", text)
	}
	return append(list, addr), nil
}
