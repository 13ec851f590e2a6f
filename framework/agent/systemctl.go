package agent

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Systemctl is the lab's own systemctl: a node of the embedded lab runs no systemd, but flanneld is kept there as a
// service on a host would be, and a remedy that restarts it is the same command in both places.
func Systemctl(ctx context.Context, out io.Writer, args []string) error {
	const usage = "this is the lab's systemctl; it knows: systemctl start|stop|restart|status SERVICE"
	if len(args) != 2 {
		return fmt.Errorf("%s", usage)
	}
	verb, name := args[0], strings.TrimSuffix(args[1], ".service")
	client := NewClient(SocketPath)
	if verb == "status" {
		services, err := client.Services(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(services, func(s Status) bool { return s.Name == name })
		if i < 0 {
			return fmt.Errorf("this machine has no service %q", name)
		}
		state := "inactive"
		if services[i].Running {
			state = fmt.Sprintf("active (running), PID %d", services[i].PID)
		}
		if services[i].Starting {
			state = fmt.Sprintf("activating (start), PID %d", services[i].PID)
		}
		_, err = fmt.Fprintf(out, "%s.service: %s\n  %s\n", name, state, strings.Join(services[i].Argv, " "))
		return err
	}
	if !slices.Contains([]string{"start", "stop", "restart"}, verb) {
		return fmt.Errorf("%s", usage)
	}
	_, err := client.Act(ctx, name, verb)
	return err
}
