package scenarios_test

import (
	"context"
	"fmt"
	"regexp"
	"syscall"
	"time"

	"github.com/coder/websocket"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page/pagetest"
	"github.com/netfault/netfault/framework/wait"
	stalevtep "github.com/netfault/netfault/scenarios/stale-vtep"
)

// The page as a browser sees it, on a real exercise. What it looks like, and whom it keeps out, is tested in its own package.
var _ = Describe("the training page", thoroughly("train", "lisbon", "serve"), func() {
	It("leads from the alarm to the debrief", func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
		run := begin(l.program(ctx, "serve", "lisbon", "--seed=1", "--site="+l.lab), "http://")
		page := visitor{addressesIn(run.output())[0]}
		v := l.values()

		window := page.opens(ctx, "live", nil)
		Expect(window.asks(ctx, "brief")).To(And(ContainSubstring("Lisbon"), ContainSubstring(v["n2"]), Not(ContainSubstring("stale"))))
		window.hears(ctx, `"passes":false`)
		Expect(window.asks(ctx, "debrief")).To(ContainSubstring("not found healed"))
		Expect(window.asks(ctx, "hint")).To(ContainSubstring(`"points":90`))
		Expect(window.asks(ctx, "check")).To(ContainSubstring(`"verdict":"broken"`))

		shell := page.opens(ctx, "terminal", map[string]any{"machine": v["n2"], "size": map[string]int{"columns": 100, "rows": 30}})
		shell.hears(ctx, v["n2"]+"# ")
		shell.types(ctx, "stty size; tty\n")
		shell.hears(ctx, "30 100")
		for _, t := range v.Type(lisbon().Solution) {
			shell.types(ctx, t.Command+"; echo done $?\n")
			shell.hears(ctx, "done 0")
		}
		Expect(window.asks(ctx, "check")).To(ContainSubstring(`"verdict":"healed"`))
		shell.types(ctx, "exit\n")
		shell.hasEnded(ctx)
		Expect(window.asks(ctx, "debrief")).To(And(ContainSubstring("ip neigh replace"), ContainSubstring("-"+v["n2"]+".cast")))

		By("Ctrl-C ends the page, and not the exercise")
		run.signal(syscall.SIGINT)
		Expect(run.wait()).To(Equal(130), run.output())
		Expect(l.says(ctx, 0, "status")).To(ContainSubstring("90 points"))
		l.says(ctx, 0, "stop")
		Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
	})

	It("has a lab and an address for each of several learners, of which nothing is left when it is killed", func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		var labsOfAll []labs.Found
		for _, number := range []string{"-1", "-2"} {
			labsOfAll = append(labsOfAll, labs.Found{Kind: labs.Netns, Name: l.lab + number})
		}
		DeferCleanup(func(ctx context.Context) {
			for _, f := range labsOfAll {
				Expect(f.Remove(ctx)).To(Succeed())
			}
		})
		run := begin(l.program(ctx, "serve", "lisbon", "--learners=2", "--seed=1", "--site="+l.lab), "learner 1:")
		run.until("learner 2:")
		run.until("instructor:")
		addresses := addressesIn(run.output())
		Expect(addresses).To(HaveLen(3))
		class := visitor{addresses[2]}.opens(ctx, "class", nil)
		class.hears(ctx, `"name":"2","title":"Lisbon"`)
		one, two := visitor{addresses[0]}.opens(ctx, "live", nil), visitor{addresses[1]}.opens(ctx, "live", nil)
		Expect(one.asks(ctx, "brief")).NotTo(Equal(two.asks(ctx, "brief")))
		one.asks(ctx, "hint")
		class.hears(ctx, `"hints":1`)

		By("who gives up is told what it was, and pays for it")
		Expect(one.asks(ctx, "give up")).To(ContainSubstring("flannel.1"))
		Expect(one.asks(ctx, "hints")).To(And(ContainSubstring(`"points":40`), ContainSubstring(`"solutionCost":0`)))

		By("noise that who instructs adds is told at once, has its alarm, and is nobody's damage")
		class.sends(ctx, map[string]any{"id": 1, "do": "noise", "learner": 1})
		two.hears(ctx, `"notes":[{"kind":"noise"}]`)
		Expect(two.asks(ctx, "brief")).To(ContainSubstring("is DOWN"))
		second := &learner{dir: (training.Store{Dir: l.dir}).Of(2).Dir, lab: l.lab + "-2"}
		second.types(ctx, lisbon().Solution)
		Expect(two.asks(ctx, "check")).To(ContainSubstring(`"verdict":"healed"`))

		run.signal(syscall.SIGKILL)
		Expect(run.wait()).To(Equal(-1))
		for _, f := range labsOfAll {
			netfault(ctx, "reset", "--lab="+f.Name)
			Expect(labs.List(ctx)).NotTo(ContainElement(f))
		}
	})
})

func lisbon() *training.Exercise {
	GinkgoHelper()
	e, err := training.Of(stalevtep.Scenario)
	Expect(err).NotTo(HaveOccurred())
	return e
}

// visitor opens the page's sockets by its address, as its scripts do.
type visitor struct{ address string }

// addressesIn are those that serve has printed.
func addressesIn(said string) []string {
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+/\S*#\S+`).FindAllString(said, -1)
}

// addresses waits until a server has printed so many, and returns all that it has.
func (v *victim) addresses(ctx context.Context, n int) (all []string, err error) {
	err = wait.Until(ctx, 5*time.Minute, "the page", func(context.Context) error {
		if all = addressesIn(v.said.String()); len(all) < n {
			return fmt.Errorf("%d addresses of %d in: %s", len(all), n, v.said)
		}
		return nil
	})
	return all, err
}

// socket is one of the page's, which must do what it is asked for.
type socket struct{ *pagetest.Socket }

func (v visitor) opens(ctx context.Context, path string, first map[string]any) socket {
	GinkgoHelper()
	s, err := pagetest.Dial(ctx, v.address, path, first)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = s.CloseNow() }) // the server may have ended
	return socket{s}
}

func (s socket) sends(ctx context.Context, message any) {
	GinkgoHelper()
	Expect(s.Send(ctx, message)).To(Succeed())
}

func (s socket) hears(ctx context.Context, words string) {
	GinkgoHelper()
	Expect(s.Hear(ctx, words)).To(Succeed())
}

// asks returns the answer as JSON.
func (s socket) asks(ctx context.Context, what string) string {
	GinkgoHelper()
	answer, err := s.Ask(ctx, what)
	Expect(err).NotTo(HaveOccurred())
	return string(answer)
}

func (s socket) types(ctx context.Context, text string) {
	GinkgoHelper()
	Expect(s.Type(ctx, text)).To(Succeed())
}

func (s socket) hasEnded(ctx context.Context) {
	GinkgoHelper()
	for {
		if _, _, err := s.Read(ctx); err != nil {
			Expect(websocket.CloseStatus(err)).To(Equal(websocket.StatusNormalClosure))
			return
		}
	}
}
