package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/training/page/pagetest"
	"github.com/netfault/netfault/framework/wait"
)

// runVariable names the image's file. `make test-trainer-image` sets it.
const runVariable = "NETFAULT_TRAINER_IMAGE"

// From the image alone: the page answers on the published port, an exercise is healed in its terminals, a container that was killed starts
// again, attempts are kept in a volume, and nothing of a container is left.
func TestExerciseIsHealedFromTheImage(t *testing.T) {
	file := os.Getenv(runVariable)
	if file == "" {
		t.Skipf("needs the image and a container engine, as root: make test-trainer-image (%s names the image's file)", runVariable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e, err := engine.Find(ctx)
	if err != nil {
		t.Fatal(err)
	}
	volume := fmt.Sprintf("netfault-trainer-test-%d", os.Getpid())
	step(t, "%s loads %s", e.Name, file)
	ask(t, ctx, e, "load", "--input", file)
	t.Cleanup(func() { removes(t, e, "rmi", trainerReference) })
	t.Cleanup(func() { removes(t, e, "volume", "rm", volume) })

	step(t, "a container shows lisbon")
	c := start(t, ctx, e, volume)
	hasPrograms(t, ctx, c)
	answersToItsName(t, ctx, c)
	page := c.opens(t, ctx, "live", nil)
	if verdict := checks(t, ctx, page); verdict != "broken" {
		t.Fatalf("before the solution it is %q", verdict)
	}
	step(t, "it is broken; its solution is typed into terminals of the page")
	solution := solutionLine.FindAllStringSubmatch(string(ask(t, ctx, e, "exec", c.name, "netfault", "train", "solution")), -1)
	if len(solution) == 0 {
		t.Fatal("`netfault train solution` names no command")
	}
	for _, line := range solution {
		terminal := c.opens(t, ctx, "terminal", map[string]any{"machine": line[1], "size": map[string]int{"columns": 200, "rows": 30}})
		if err := errors.Join(terminal.Type(ctx, line[2]+"; echo done $?\n"), terminal.Hear(ctx, "done 0")); err != nil {
			t.Fatal(err)
		}
	}
	if verdict := checks(t, ctx, page); verdict != "healed" {
		t.Fatalf("after the solution it is %q", verdict)
	}
	debrief := string(ask(t, ctx, e, "exec", c.name, "netfault", "train", "debrief"))
	if !strings.Contains(debrief, solution[0][2]) {
		t.Errorf("the debrief's time line does not have %q, so that programs are not seen here:\n%s", solution[0][2], debrief)
	}

	step(t, "it is healed; the container is killed, and started again")
	c.ends(t, ctx, "kill")
	ask(t, ctx, e, "start", c.name)
	c.shows(t, ctx)
	if verdict := checks(t, ctx, c.opens(t, ctx, "live", nil)); verdict != "broken" {
		t.Errorf("started again it is %q", verdict)
	}
	c.ends(t, ctx, "stop")
	scores := string(ask(t, ctx, e, "run", "--rm", "--volume", volume+":"+attempts, "--entrypoint", "netfault", trainerReference, "train", "scores"))
	if strings.Count(scores, "lisbon") != 2 || !strings.Contains(scores, "50 points") {
		t.Errorf("the volume has not both attempts, the first with 50 points:\n%s", scores)
	}
	step(t, "stopped; nothing of them is left")
}

// attempts is the folder with a learner's attempts, in the container.
const attempts = "/var/lib/netfault/training"

// solutionLine is "  MACHINE# COMMAND".
var solutionLine = regexp.MustCompile(`(?m)^  (\S+)# (.+)$`)

func step(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("%s  %s", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func ask(t *testing.T, ctx context.Context, e engine.Engine, args ...string) []byte {
	t.Helper()
	out, err := e.Output(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func removes(t *testing.T, e engine.Engine, args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := e.Output(ctx, args...); err != nil {
		t.Error(err)
	}
}

// container is one of the image. Host is what a browser calls it.
type container struct {
	engine      engine.Engine
	name, id    string
	host, token string
}

// start runs a container that shows lisbon, always the same, on a port that is free.
func start(t *testing.T, ctx context.Context, e engine.Engine, volume string) *container {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := &container{engine: e, host: fmt.Sprintf("127.0.0.1:%d", port), name: fmt.Sprintf("netfault-trainer-%d", port)}
	t.Cleanup(func() { removes(t, e, "rm", "--force", c.name) })
	c.id = strings.TrimSpace(string(ask(t, ctx, e, "run", "--detach", "--privileged", "--name", c.name,
		"--publish", c.host+":"+trainerPort, "--volume", volume+":"+attempts, trainerReference, fmt.Sprintf("--published=%d", port), "lisbon", "--seed=1")))
	c.shows(t, ctx)
	return c
}

// shows waits for the page's address, which the container prints at each start.
func (c *container) shows(t *testing.T, ctx context.Context) {
	t.Helper()
	address := regexp.MustCompile(`http://` + regexp.QuoteMeta(c.host) + `/#(\S+)`)
	before := c.token
	err := wait.Until(ctx, time.Minute, "the page of "+c.name, func(ctx context.Context) error {
		said, err := exec.CommandContext(ctx, c.engine.Name, "logs", c.name).CombinedOutput()
		if all := address.FindAllSubmatch(said, -1); len(all) > 0 {
			c.token = string(all[len(all)-1][1])
		}
		if c.token == before {
			return errors.Join(err, fmt.Errorf("it has not printed its address, but:\n%s", said))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hasPrograms holds the image to what `netfault train shell` says there is on a machine.
func hasPrograms(t *testing.T, ctx context.Context, c *container) {
	t.Helper()
	help := string(ask(t, ctx, c.engine, "exec", c.name, "netfault", "train", "shell", "--help"))
	list := regexp.MustCompile(`(?s)the tools that a node has: (.*?)\.`).FindStringSubmatch(help)
	if list == nil {
		t.Fatalf("which tools are there? %s", help)
	}
	for _, program := range regexp.MustCompile(`[a-z]+`).FindAllString(list[1], -1) {
		if _, err := c.engine.Output(ctx, "exec", c.name, "bash", "-c", `type -P "$1"`, "bash", program); err != nil {
			t.Errorf("%s is not in the image, which `netfault train shell` promises", program)
		}
	}
	if out := ask(t, ctx, c.engine, "exec", c.name, "find", "/", "-xdev", "-type", "f", "-perm", "/6000"); len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("these make who runs them another user:\n%s", out)
	}
}

// answersToItsName asks the published port by its own name, and by one that somebody else has pointed there.
func answersToItsName(t *testing.T, ctx context.Context, c *container) {
	t.Helper()
	_, port, _ := strings.Cut(c.host, ":")
	for host, want := range map[string]int{c.host: http.StatusOK, "evil.example:" + port: http.StatusMisdirectedRequest} {
		response, _, err := pagetest.Get(ctx, "http://"+c.host+"/", host)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want {
			t.Errorf("called %s: %s, want %d", host, response.Status, want)
		}
	}
}

// ends ends the container by one of the engine's commands. Its processes end with it, those of its lab, too.
func (c *container) ends(t *testing.T, ctx context.Context, command string) {
	t.Helper()
	if had, err := c.processes(); err != nil || len(had) < 10 {
		t.Fatalf("a lab has more processes than %v, %v", had, err)
	}
	ask(t, ctx, c.engine, command, c.name)
	ask(t, ctx, c.engine, "wait", c.name)
	err := wait.Until(ctx, 20*time.Second, "the processes of "+c.name+" to end", func(context.Context) error {
		left, err := c.processes()
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("these are left: %v", left)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// processes are those of the container as this machine sees them, by their cgroup.
func (c *container) processes() (pids []string, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, file := range files {
		groups, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(groups), c.id) { // else it has ended meanwhile
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids, err
}

// address is that of the page, with its token.
func (c *container) address() string { return "http://" + c.host + "/#" + c.token }

// opens opens a socket of the page until the test's end.
func (c *container) opens(t *testing.T, ctx context.Context, path string, first map[string]any) *pagetest.Socket {
	t.Helper()
	s, err := pagetest.Dial(ctx, c.address(), path, first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.CloseNow() }) // the container may have ended
	return s
}

// checks returns the verdict of a check.
func checks(t *testing.T, ctx context.Context, page *pagetest.Socket) string {
	t.Helper()
	answer, err := page.Ask(ctx, "check")
	if err != nil {
		t.Fatal(err)
	}
	verdict := verdictOf.FindSubmatch(answer)
	if verdict == nil {
		t.Fatalf("no verdict: %s", answer)
	}
	return string(verdict[1])
}

var verdictOf = regexp.MustCompile(`"verdict":"([^"]*)"`)
