//go:build browser

package page

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/coder/websocket"

	"github.com/netfault/netfault/framework/wait"
)

const limit = time.Minute

// browser starts Chromium, in which the name evil.example leads to this machine, as after DNS rebinding.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs Chromium (apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP evil.example 127.0.0.1"))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	// The browser ends with the context of the first action.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func act(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func value[T any](t *testing.T, ctx context.Context, script string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, options...))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// until waits for a script to say true.
func until(t *testing.T, ctx context.Context, what, script string) {
	t.Helper()
	err := wait.Until(t.Context(), limit, what, func(context.Context) error {
		if !value[bool](t, ctx, script) {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, value[string](t, ctx, "document.body.innerText"))
	}
}

// visit opens the page as its learner.
func visit(t *testing.T, ctx context.Context, s *Server) {
	t.Helper()
	act(t, ctx, chromedp.Navigate(s.Address(0)))
	until(t, ctx, "the page", `"ready" in document.body.dataset && document.querySelector("#picture text") !== null`)
}

// shot keeps a picture of the page where NETFAULT_SHOTS names a folder.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("NETFAULT_SHOTS")
	if dir == "" {
		return
	}
	result, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "training-"+name+".png"), result.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// installed is a file that npm installs by the package-lock.json of a folder.
func installed(t *testing.T, lock, file string) []byte {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("needs npm (apt-get install npm)")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(lock)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "node_modules", file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBrowserTerminalIsTheOneOfTheLock(t *testing.T) {
	for file, from := range map[string]string{
		"xterm.mjs": "@xterm/xterm/lib/xterm.mjs", "xterm.css": "@xterm/xterm/css/xterm.css", "LICENSE": "@xterm/xterm/LICENSE",
		"addon-fit.mjs": "@xterm/addon-fit/lib/addon-fit.mjs",
	} {
		kept, err := os.ReadFile("static/xterm/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(kept, installed(t, "testdata/xterm", from)) {
			t.Errorf("static/xterm/%s is not what npm installs as %s: copy it", file, from)
		}
	}
}

// The whole way from the alarm to the debrief by keyboard alone, and out of a terminal by the key that the page names.
func TestBrowserByKeyboard(t *testing.T) {
	l := &learner{open: echo}
	s, ctx := serve(t, l), browser(t)
	act(t, ctx, chromedp.EmulateViewport(1500, 900))
	visit(t, ctx, s)
	shot(t, ctx, "start")
	key := func(keys string) { t.Helper(); act(t, ctx, chromedp.KeyEvent(keys)) }
	focus := func(what string) {
		t.Helper()
		for range 60 {
			if value[bool](t, ctx, `document.activeElement.matches(`+"`"+what+"`"+`)`) {
				return
			}
			key(kb.Tab)
		}
		t.Fatalf("no way to %s by Tab; focus is on %s", what, value[string](t, ctx, "document.activeElement.outerHTML"))
	}
	pane := func(id string) {
		t.Helper()
		for range 8 {
			key(kb.F6)
			if value[bool](t, ctx, `document.activeElement.id === "`+id+`"`) {
				return
			}
		}
		t.Fatalf("no way to the part %s by F6", id)
	}
	if address := value[string](t, ctx, "location.href"); strings.Contains(address, s.seats[0].token) {
		t.Errorf("the token stands in %s", address)
	}
	focus("#machine")
	key("r") // rome
	focus("#open")
	key(kb.Enter)
	until(t, ctx, "the terminal", `document.activeElement.matches(".xterm-helper-textarea")`)
	key("ip neigh")
	until(t, ctx, "what was typed", `document.querySelector(".shell").innerText.includes("neigh")`)
	shot(t, ctx, "terminal")
	key(kb.F6)
	if !value[bool](t, ctx, `document.activeElement.id === "help"`) {
		t.Errorf("F6 leads to %s", value[string](t, ctx, "document.activeElement.outerHTML"))
	}
	focus("#check")
	key(kb.Enter)
	until(t, ctx, "the verdict", `document.querySelector("#verdict").innerText.includes("It is still broken")`)
	focus("#hint")
	key(kb.Enter)
	until(t, ctx, "the hint", `document.querySelector("#hints").innerText.includes("ip neigh")`)
	shot(t, ctx, "broken")
	l.mu.Lock()
	l.healed = true
	l.mu.Unlock()
	until(t, ctx, "the picture", `document.querySelector("#summary").innerText.startsWith("All 21 paths pass")`)
	pane("help") // Tab would lead into the terminal, and stay there
	focus("#check")
	key(kb.Enter)
	until(t, ctx, "the verdict", `document.querySelector("#verdict").innerText.includes("Healed")`)
	focus("#debrief")
	key(kb.Enter)
	until(t, ctx, "the debrief", `document.activeElement.id === "told" && document.querySelector("#parts").innerText.includes("Watch it")`)
	focus("#play")
	key(kb.Enter)
	until(t, ctx, "the session played again", `document.querySelector("#replay").innerText.includes("played again")`)
	shot(t, ctx, "debrief")
	key(kb.F6) // round to the first part
	if !value[bool](t, ctx, `document.activeElement.id === "pager"`) {
		t.Errorf("F6 leads to %s", value[string](t, ctx, "document.activeElement.outerHTML"))
	}
}

// The solution and giving up are asked for twice, by keyboard, and say what they cost; Escape costs nothing.
func TestBrowserAsksTwiceWhatCostsMuch(t *testing.T) {
	axe := string(installed(t, "../../report/page/testdata/axe", "axe-core/axe.min.js"))
	l := &learner{open: echo, hints: 1}
	s, ctx := serve(t, l), browser(t)
	visit(t, ctx, s)
	key := func(keys string) { t.Helper(); act(t, ctx, chromedp.KeyEvent(keys)) }
	spent := func() [2]int { l.mu.Lock(); defer l.mu.Unlock(); return [2]int{l.solved, l.gaveUp} }
	ask := func(button, says string) {
		t.Helper()
		act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("`+button+`").focus()`))
		key(kb.Enter)
		until(t, ctx, "the question", `document.querySelector("#sure").open && document.querySelector("#sure").innerText.includes("`+says+`")`)
		if !value[bool](t, ctx, `document.activeElement.id === "back"`) {
			t.Errorf("a second Enter would do it: focus is on %s", value[string](t, ctx, "document.activeElement.outerHTML"))
		}
	}
	ask("#solution", "costs 50 of your 90 points")
	shot(t, ctx, "sure")
	act(t, ctx, chromedp.Evaluate[chromedp.Void](axe))
	for _, v := range value[[]string](t, ctx, violations, chromedp.EvalAwaitPromise) {
		t.Error(v)
	}
	key(kb.Escape)
	until(t, ctx, "an end of the question", `!document.querySelector("#sure").open && document.activeElement.id === "solution"`)
	ask("#give-up", "costs 50 of your 90 points")
	key(kb.Enter) // back
	until(t, ctx, "an end of the question", `!document.querySelector("#sure").open && document.activeElement.id === "give-up"`)
	if got := spent(); got != [2]int{} {
		t.Errorf("what was not wanted was taken: %v", got)
	}
	ask("#solution", "The solution costs")
	key(kb.Tab)
	key(kb.Enter)
	until(t, ctx, "the solution", `document.querySelector("#solved pre")?.innerText === "rome# ip neigh del 10.244.1.0 dev flannel.1\nparis# ip -s link" && document.querySelector("#give-up").disabled`)
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#language").value = "zh"; document.querySelector("#language").dispatchEvent(new Event("change"))`))
	until(t, ctx, "Chinese", `document.querySelector("#solved h3").innerText === "看答案" && document.querySelector("#give-up").innerText === "放弃"`)
	// Once it was seen, it costs nothing.
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#solution").click()`))
	until(t, ctx, "the solution", `!document.querySelector("#sure").open`)
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#language").value = "en"; document.querySelector("#language").dispatchEvent(new Event("change"))`))

	l.mu.Lock()
	l.solved = 0
	l.mu.Unlock()
	act(t, ctx, chromedp.Navigate(s.base()+"/style.css")) // the same page with a fragment would not be loaded anew
	visit(t, ctx, s)
	ask("#give-up", "You may still heal the network")
	key(kb.Tab)
	key(kb.Enter)
	until(t, ctx, "the debrief", `document.activeElement.id === "told" && document.querySelector("#parts").innerText.includes("Watch it")`)
	if got := spent(); got != [2]int{0, 1} {
		t.Errorf("taken: %v", got)
	}
}

// violations are what axe-core, which must have been loaded, finds.
const violations = `axe.run({resultTypes: ["violations"]}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + ": " + n.failureSummary)))`

// No rule of axe-core's is broken, in either language, light and dark, on a desk and on a phone.
func TestBrowserFindsItAccessible(t *testing.T) {
	axe := string(installed(t, "../../report/page/testdata/axe", "axe-core/axe.min.js"))
	l := &learner{open: echo, healed: true, hints: 1}
	s, ctx := serve(t, l), browser(t)
	for _, on := range []struct {
		language, scheme string
		width            int64
	}{{"en", "light", 1500}, {"zh", "dark", 360}} {
		t.Run(on.language+" "+on.scheme, func(t *testing.T) {
			act(t, ctx, chromedp.EmulateViewport(on.width, 900))
			params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: on.scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, params); err != nil {
				t.Fatal(err)
			}
			act(t, ctx, chromedp.Navigate(s.base()+"/style.css"))
			visit(t, ctx, s)
			act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#language").value = "`+on.language+`"; document.querySelector("#language").dispatchEvent(new Event("change"))`))
			act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(d => d.open = true); document.querySelector("#machine").value = "rome"; document.querySelector("#open").click(); document.querySelector("#check").click(); document.querySelector("#debrief").click()`))
			until(t, ctx, "all of it", `document.querySelector(".xterm") !== null && !document.querySelector("#told").hidden && document.querySelector("#verdict h3") !== null && document.querySelector("#paths tbody tr") !== null && document.documentElement.lang === "`+on.language+`"`)
			act(t, ctx, chromedp.Evaluate[chromedp.Void](axe))
			result := value[struct {
				Passed     int      `json:"passed"`
				Violations []string `json:"violations"`
			}](t, ctx, `axe.run({resultTypes: ["violations"]}).then(r => ({passed: r.passes.length, violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + ": " + n.failureSummary))}))`, chromedp.EvalAwaitPromise)
			shot(t, ctx, "all-"+on.language)
			if result.Passed < 20 {
				t.Errorf("only %d rules were looked at", result.Passed)
			}
			for _, v := range result.Violations {
				t.Error(v)
			}
			if value[bool](t, ctx, "document.documentElement.scrollWidth > innerWidth") {
				t.Errorf("it is wider than %d px", on.width)
			}
		})
	}
}

// A page of somebody else in the same browser, on another port and under another name that leads here, gets nothing, and a name that
// leads to this machine does not show the page.
func TestBrowserKeepsHostilePagesOut(t *testing.T) {
	l := &learner{open: echo}
	s, ctx := serve(t, l), browser(t)
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><title>hostile</title>") }))
	defer hostile.Close()
	_, hostilePort, _ := net.SplitHostPort(hostile.Listener.Addr().String())
	const tries = `(async (target, token) => {
		const got = [];
		for (const path of ["live", "terminal"]) {
			got.push(...await new Promise(done => {
				const socket = new WebSocket("ws://" + target + "/" + path);
				socket.onopen = () => { socket.send(JSON.stringify({token, machine: "rome", size: {columns: 80, rows: 24}})); };
				socket.onmessage = () => done([path]);
				socket.onclose = () => done([]);
			}));
		}
		try { const r = await fetch("http://" + target + "/"); if (r.type !== "opaque") got.push("fetch " + (await r.text()).length); } catch {}
		try { await fetch("http://" + target + "/live", {method: "POST", mode: "no-cors", body: "{}"}); } catch {}
		return got.concat(await new Promise(done => {
			const frame = document.createElement("iframe");
			frame.onload = () => { try { done(frame.contentDocument.title === "Training" ? ["frame"] : []); } catch { done([]); } };
			frame.src = "http://" + target + "/";
			document.body.append(frame);
		}));
	})`
	for _, from := range []string{"127.0.0.1:" + hostilePort, "localhost:" + hostilePort, "evil.example:" + hostilePort} {
		act(t, ctx, chromedp.Navigate("http://"+from+"/"))
		for _, target := range []string{"127.0.0.1:" + port, "localhost:" + port, "evil.example:" + port} {
			// Even with the token, which such a page cannot have.
			script := fmt.Sprintf("%s(%q, %q)", tries, target, s.seats[0].token)
			if got := value[[]string](t, ctx, script, chromedp.EvalAwaitPromise); len(got) > 0 {
				t.Errorf("from %s, %s gives %q", from, target, got)
			}
		}
	}
	act(t, ctx, chromedp.Navigate("http://evil.example:"+port+"/"))
	if text := value[string](t, ctx, "document.documentElement.innerText"); !strings.Contains(text, "this page is called 127.0.0.1") {
		t.Errorf("under another name it says %q", text)
	}
	if len(l.shells) > 0 {
		t.Errorf("shells were opened: %v", l.shells)
	}
}

// What who instructs does shows on the learner's page at once, without loading it again.
func TestBrowserTellsWhatTheInstructorDoes(t *testing.T) {
	s, ctx := serve(t, &learner{open: echo}), browser(t)
	visit(t, ctx, s)
	class := socketWith(t, s, "/class", hello{Token: s.instructor})
	for _, step := range []struct {
		order order
		want  string // of the page
	}{
		{order{Do: "pause", On: true}, `document.querySelector("#said").innerText.includes("The clock stands") && !document.querySelector("#paused").hidden`},
		{order{Do: "pause"}, `document.querySelector("#said").innerText.includes("The clock goes on") && document.querySelector("#paused").hidden`},
		{order{Do: "noise"}, `document.querySelector("#said").innerText.includes("odd and harmless") && document.querySelector("#pager-text").innerText.includes("WARNING oslo")`},
		{order{Do: "hold", On: true}, `document.querySelector("#said").innerText.includes("The debrief waits")`},
		{order{Do: "say", Text: "look at rome"}, `document.querySelector("#said").lastChild.innerText === "look at rome" && document.querySelectorAll("#said p").length === 5`},
	} {
		says(t, class, step.order)
		until(t, ctx, fmt.Sprintf("%+v", step.order), step.want)
	}
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#language").value = "zh"; document.querySelector("#language").dispatchEvent(new Event("change"))`))
	until(t, ctx, "Chinese", `document.querySelector("#said").innerText.includes("计时已暂停") && document.querySelectorAll("#said p").length === 5`)
	until(t, ctx, "Chinese of the paths", `document.querySelector("#paths").textContent.includes("不通: 没有应答")`)
	shot(t, ctx, "notes")
}

// Who instructs sees who is where, watches a terminal, and says something that the learner's page shows.
func TestBrowserInstructs(t *testing.T) {
	axe := string(installed(t, "../../report/page/testdata/axe", "axe-core/axe.min.js"))
	l := &learner{open: echo}
	s, ctx := serve(t, l), browser(t)
	window := socketWith(t, s, "/live", hello{Token: s.seats[0].token})
	shell := socketWith(t, s, "/terminal", hello{Token: s.seats[0].token, Machine: "rome", Size: Size{80, 24}})
	if err := shell.Write(t.Context(), websocket.MessageBinary, []byte("ip neigh")); err != nil {
		t.Fatal(err)
	}
	act(t, ctx, chromedp.Navigate(s.InstructorAddress()))
	until(t, ctx, "the terminal's button", `document.querySelector("#watching button") !== null`)
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#watching button").click(); document.querySelector("#text").value = "look at rome"; document.querySelector("#words button").click()`))
	until(t, ctx, "the terminal in sight", `document.querySelector(".shell").getBoundingClientRect().bottom <= innerHeight + 1`)
	until(t, ctx, "what was typed", `document.querySelector(".shell").innerText.includes("neigh") && document.querySelector("#done").innerText !== ""`)
	next(t, window, has("look at rome"))
	// How loaded the machine is: in words, again each second, in both languages.
	until(t, ctx, "the machine", `/Memory\s+[\d.]+ of [\d.]+ GiB in use, [\d.]+ GiB available\s+[✓⚠]/.test(document.querySelector("#host").innerText) && /Load\s+[\d.]+ on \d+ cores/.test(document.querySelector("#host").innerText)`)
	until(t, ctx, "what is open", `/Labs\s+1 of at most 16/.test(document.querySelector("#host").innerText) && /Terminals\s+1 of at most 16\s+✓/.test(document.querySelector("#host").innerText)`)
	for range MaxTerminals - 1 {
		socketWith(t, s, "/terminal", hello{Token: s.seats[0].token, Machine: "rome", Size: Size{80, 24}})
	}
	until(t, ctx, "a limit", `/Terminals\s+16 of at most 16\s+⚠ there can be no more/.test(document.querySelector("#host").innerText)`)
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#language").value = "zh"; document.querySelector("#language").dispatchEvent(new Event("change"))`))
	until(t, ctx, "Chinese", `document.querySelector("#host").innerText.includes("已达上限")`)
	shot(t, ctx, "instructor-zh")
	act(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("#language").value = "en"; document.querySelector("#language").dispatchEvent(new Event("change"))`))
	act(t, ctx, chromedp.Evaluate[chromedp.Void](axe))
	for _, v := range value[[]string](t, ctx, violations, chromedp.EvalAwaitPromise) {
		t.Error(v)
	}
	shot(t, ctx, "instructor")
}
