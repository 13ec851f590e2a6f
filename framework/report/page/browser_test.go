//go:build browser

package page

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// show starts Chromium, which shows the page, and returns its context. Whatever the page asks for but itself is an error.
func show(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs Chromium (apt-get install chromium)")
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(render(t, whole(t))), 0o644); err != nil {
		t.Fatal(err)
	}
	// Root's Chromium has no sandbox. What it shows is our own.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var asked []string
	err = chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && e.Request.URL != "file://"+file {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, e.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate("file://"+file))
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if len(asked) > 0 {
			t.Errorf("the page asks for %q", asked)
		}
	})
	return ctx
}

// limit is how long the browser may take for one thing.
const limit = time.Minute

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func ask[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// run evaluates a script of which nobody wants the result.
func run(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script)
}

// axe is axe-core, which npm installs.
func axe(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("needs npm (apt-get install npm), to install axe-core")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/axe")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	source, err := os.ReadFile(filepath.Join(dir, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// openAll opens what is folded, so that it is judged, too.
const openAll = `document.querySelectorAll("details").forEach(d => d.open = true)`

// look sets what the page is shown on: a medium, and light or dark.
func look(t *testing.T, ctx context.Context, media, scheme string) {
	t.Helper()
	params := emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, params); err != nil {
		t.Fatal(err)
	}
}

// No rule of axe-core's is broken, those of best practice among them, in light on a desk and in dark on a phone.
func TestBrowserFindsItAccessible(t *testing.T) {
	source, ctx := axe(t), show(t)
	do(t, ctx, run(source), run(openAll))
	for _, on := range []struct {
		scheme string
		width  int64
	}{{"light", 1100}, {"dark", 360}} {
		t.Run(fmt.Sprintf("%s, %d px", on.scheme, on.width), func(t *testing.T) {
			look(t, ctx, "screen", on.scheme)
			do(t, ctx, chromedp.EmulateViewport(on.width, 800))
			result := ask(t, ctx, chromedp.Evaluate[struct {
				Passed     int      `json:"passed"`
				Violations []string `json:"violations"`
			}](`axe.run({resultTypes: ["violations"]}).then(r => ({
				passed: r.passes.length,
				violations: r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html).join(" ")),
			}))`, chromedp.EvalAwaitPromise))
			for _, v := range result.Violations {
				t.Errorf("axe-core: %s", v)
			}
			if result.Passed < 20 {
				t.Errorf("axe-core has passed %d rules alone: it has looked at nothing", result.Passed)
			}
		})
	}
}

// On a phone nothing is to be scrolled sideways but the tables that say so themselves.
func TestBrowserOnAPhone(t *testing.T) {
	ctx := show(t)
	do(t, ctx, chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), run(openAll))
	if width := ask(t, ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); width > 360 {
		t.Errorf("the page is %d wide", width)
	}
	beyond := ask(t, ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("body *")]
		.filter(e => e.getBoundingClientRect().right > 361 && !e.closest(".wide") && !e.closest(".unseen"))
		.map(e => e.outerHTML.slice(0, 80))`))
	if len(beyond) > 0 {
		t.Errorf("%d things are beyond the edge, such as %q", len(beyond), beyond[0])
	}
}

// The keyboard reaches every link, every fold and every table that scrolls, and shows where it is.
func TestBrowserByKeyboard(t *testing.T) {
	ctx := show(t)
	do(t, ctx, run(`window.reached = new Set(); window.frameless = 0; document.addEventListener("focusin", e => {
		reached.add(e.target);
		if (getComputedStyle(e.target).outlineStyle === "none") frameless++;
	})`))
	// What is in folds that are closed is not reached, and need not be.
	want := ask(t, ctx, chromedp.Evaluate[int](`[...document.querySelectorAll("a, summary, [tabindex]")].filter(e => e.checkVisibility()).length`))
	for range want {
		do(t, ctx, chromedp.KeyEvent("\t"))
	}
	reached, frameless := ask(t, ctx, chromedp.Evaluate[int](`reached.size`)), ask(t, ctx, chromedp.Evaluate[int](`frameless`))
	if want < 10 || reached < want || frameless > 0 {
		t.Errorf("Tab reaches %d of %d, and %d without a frame", reached, want, frameless)
	}
}

// On paper, all is there, also what is folded on a screen.
func TestBrowserPrints(t *testing.T) {
	ctx := show(t)
	if pdf := ask(t, ctx, chromedp.PrintToPDF()); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Fatal("it is no PDF")
	}
	look(t, ctx, "print", "light")
	hidden := ask(t, ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("details > *:not(summary)")]
		.filter(e => !e.checkVisibility() || e.getBoundingClientRect().height === 0)
		.map(e => e.outerHTML.slice(0, 80))`))
	if len(hidden) > 0 {
		t.Errorf("%d things are folded away, such as %q", len(hidden), hidden[0])
	}
}

// Pictures of the page are written where NETFAULT_SHOTS says, for people.
func TestBrowserShots(t *testing.T) {
	dir := os.Getenv("NETFAULT_SHOTS")
	if dir == "" {
		t.Skip("NETFAULT_SHOTS names no folder")
	}
	ctx := show(t)
	for _, shot := range []struct {
		name, media, scheme string
		width               int64
	}{{"light", "screen", "light", 1100}, {"dark", "screen", "dark", 1100}, {"phone", "screen", "light", 360}, {"print", "print", "light", 794}} {
		look(t, ctx, shot.media, shot.scheme)
		do(t, ctx, chromedp.EmulateViewport(shot.width, 2400), run(`document.querySelector("article").scrollIntoView()`))
		if err := os.WriteFile(filepath.Join(dir, shot.name+".png"), ask(t, ctx, chromedp.CaptureScreenshot()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "print.pdf"), ask(t, ctx, chromedp.PrintToPDF()), 0o644); err != nil {
		t.Fatal(err)
	}
}
