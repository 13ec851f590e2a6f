package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// SocketPath is where the first process of a machine listens, seen from inside the machine.
const SocketPath = "/run/netfault/init.sock"

// BinDir comes first on the PATH of every command in a machine of the embedded lab: it holds the lab's own systemctl.
const BinDir = "/run/netfault/bin"

// Machine asks the first process of a lab for a new machine.
type Machine struct {
	// Name becomes the machine's host name.
	Name string `json:"name"`
	// LogDir is the folder, seen from the parent, that receives the logs of the machine's services.
	LogDir string `json:"logDir"`
}

// Service is a process that the first process of a machine keeps.
type Service struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"`
	// Files are written before the start: path to content.
	Files map[string]string `json:"files,omitempty"`
	// Pod puts the service in a network namespace of its own, behind the machine's pod bridge.
	Pod *PodNet `json:"pod,omitempty"`
}

// PodNet is how a pod hangs on its node, as the bridge CNI plugin would do it.
type PodNet struct {
	Bridge string `json:"bridge"`
	// Gateway is the bridge's own address with its prefix, such as "10.244.1.1/24".
	Gateway string `json:"gateway"`
	// Address is the pod's, with the same prefix.
	Address string `json:"address"`
	// HostLink is the name of the pod's interface on the node; inside the pod it is eth0.
	HostLink string `json:"hostLink"`
	MTU      int    `json:"mtu"`
}

// Status is the state of one service.
type Status struct {
	Service
	Running bool `json:"running"`
	// PID is the process ID inside the machine; 0 when it does not run.
	PID int `json:"pid"`
	// Exit says how the last run ended, if it did.
	Exit string `json:"exit,omitempty"`
}

// Client talks to the first process of a machine.
type Client struct{ http http.Client }

// NewClient returns a client for the socket at path.
func NewClient(path string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Name returns the name of the machine that answers.
func (c *Client) Name(ctx context.Context) (string, error) {
	var name string
	return name, c.call(ctx, http.MethodGet, "/name", nil, &name)
}

// Services returns all services that were ever put, running or not, sorted by name.
func (c *Client) Services(ctx context.Context) ([]Status, error) {
	var all []Status
	return all, c.call(ctx, http.MethodGet, "/services", nil, &all)
}

// Put defines a service and starts it; one of the same name that runs is stopped first.
func (c *Client) Put(ctx context.Context, s Service) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodPut, "/services/"+url.PathEscape(s.Name), s, &st)
}

// Act does "start", "stop" or "restart" to a service that was put before. It is no error to start what runs or to
// stop what does not.
func (c *Client) Act(ctx context.Context, name, verb string) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodPost, "/services/"+url.PathEscape(name)+"/"+url.PathEscape(verb), nil, &st)
}

// Spawn starts a machine below this one and returns the process ID of its first process, as this machine sees it.
func (c *Client) Spawn(ctx context.Context, m Machine) (int, error) {
	var pid int
	return pid, c.call(ctx, http.MethodPost, "/machines", m, &pid)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://machine"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", bytes.TrimSpace(answer))
	}
	return json.Unmarshal(answer, out)
}
