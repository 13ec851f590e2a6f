package netns

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/tools"
)

// The rules that stand in for a dockerd were recorded from one: whatever the options and however often it starts, the node
// must have the same rules as with the dockerd that is here.
func TestRecordedRulesAreThoseOfDockerd(t *testing.T) {
	if _, err := tools.FindDocker(); err != nil {
		t.Skip(err)
	}
	var nodes []lab.Node
	for _, without := range []bool{false, true} {
		l := upWith(t, Options{
			Name: fmt.Sprintf("test-%d-docker-%v", os.Getpid(), !without), Nodes: 2, Pods: lab.DockerBridge, withoutDocker: without,
		})
		if recorded := l.Docker() == lab.DockerRecorded; recorded != without {
			t.Fatalf("the lab says that it has %q", l.Docker())
		}
		nodes = append(nodes, l.Nodes()[0])
	}
	// What is set for this machine's own dockerd is not the lab's.
	if kind, err := machine.Output(t.Context(), nodes[0], "stat", "--file-system", "--format=%T", "/etc/docker"); err != nil || string(kind) != "tmpfs\n" {
		t.Errorf("a node's /etc/docker is on %q, %v; want a file system of its own", kind, err)
	}
	const masquerade = "-s 10.244.1.0/24 ! -o docker0 -j MASQUERADE"
	for _, step := range []struct {
		name, change string
		masquerades  bool
	}{
		{"--ip-masq=false", "", false},
		{"--ip-masq=true", "s/--ip-masq=false/--ip-masq=true/", true},
		{"--ip-masq=true again", "", true},
		{"--ip-masq=false after true", "s/--ip-masq=true/--ip-masq=false/", false},
	} {
		var rules []string
		for i, n := range nodes {
			commands := [][]string{{"systemctl", "restart", "docker"}, {"sh", "-c", "iptables-save | grep -v ^#"}}
			if step.change != "" {
				commands = append([][]string{{"sed", "-i", step.change, dockerOptions}}, commands...)
			}
			var out []byte
			for _, argv := range commands {
				var err error
				if out, err = machine.Output(t.Context(), n, argv...); err != nil {
					t.Fatal(err)
				}
			}
			rules = append(rules, withoutCounters(string(out)))
			if got := strings.Contains(rules[i], masquerade); got != step.masquerades {
				t.Errorf("%s: masquerade is %v:\n%s", step.name, got, rules[i])
			}
		}
		dockerd, recorded := strings.Split(rules[0], "\n"), strings.Split(rules[1], "\n")
		for i := range max(len(dockerd), len(recorded)) {
			d, r := at(dockerd, i), at(recorded, i)
			if d != r {
				t.Errorf("%s: line %d: dockerd has %q, the recorded rules %q", step.name, i, d, r)
			}
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

func withoutCounters(save string) string {
	var lines []string
	for line := range strings.Lines(save) {
		if strings.HasPrefix(line, ":") {
			line, _, _ = strings.Cut(line, " [")
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}
