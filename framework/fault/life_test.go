package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/undo"
)

// fake is a lab of two nodes in memory, with the world that a life has on it. n1's link can be broken: then its probes fail, and
// the detector reports n1.
type fake struct {
	lab.Lab
	dir    string
	held   *lock.Held
	broken bool
	// ran are the commands that were run, and refused is one that fails.
	ran     []string
	refused string
	// journal is the one on disk, if any.
	journal *undo.Journal
	undone  int
	undoErr error
	// changes is how many looks from now on each see another state.
	changes  int
	looks    int
	starting []string
	judged   int
	// says replaces what the detector finds at its nth judgement.
	says map[int]detectors.Finding
	// heals says that the remedy works, and wishes that what is tried first does, too.
	heals, wishes bool
	// onlyExercise says that no probe shows the fault.
	onlyExercise bool
	// lacks is why a part of the evidence cannot be had.
	lacks error
	// drops are what the kernel tells while the fault is in force; nil where it tells nothing.
	drops []dropped
}

type fakeMachine struct {
	f    *fake
	name string
}

func (m fakeMachine) Name() string { return m.name }

func (m fakeMachine) Run(ctx context.Context, c machine.Command) error {
	if c.Argv[0] == "hang" {
		<-ctx.Done()
		return ctx.Err()
	}
	text := m.name + "# " + strings.Join(c.Argv, " ")
	m.f.ran = append(m.f.ran, text)
	if text == m.f.refused {
		return errors.New("refused")
	}
	if c.Argv[0] == "mend" && m.f.heals || c.Argv[0] == "wish" && m.f.wishes {
		m.f.broken = false
	}
	return nil
}

func (f *fake) Name() string         { return "fake:lab" }
func (f *fake) StateDir() string     { return f.dir }
func (f *fake) API() machine.Machine { return nil }
func (f *fake) Outside() lab.Host    { return lab.Host{Machine: fakeMachine{f, "host"}} }
func (f *fake) DNS() lab.DNS         { return lab.DNS{} }
func (f *fake) Flannel() lab.Flannel { return fakeFlannel{f: f} }
func (f *fake) Pods() lab.Attachment { return lab.CNIBridge }
func (f *fake) Nodes() []lab.Node {
	var nodes []lab.Node
	for i, name := range []string{"n1", "n2"} {
		nodes = append(nodes, lab.Node{Machine: fakeMachine{f, name}, Address: netip.AddrFrom4([4]byte{192, 168, 7, byte(i + 1)})})
	}
	return nodes
}

type fakeFlannel struct {
	lab.Flannel
	f *fake
}

func (fakeFlannel) Version() string                              { return "v0.0.0" }
func (fakeFlannel) String() string                               { return "flannel v0.0.0" }
func (l fakeFlannel) Starting(context.Context) ([]string, error) { return l.f.starting, nil }

func (f *fake) probes() []evidence.Probe {
	var all []evidence.Probe
	for _, ends := range [][2]string{{"n1", "n2"}, {"n2", "n1"}, {"n2", "n2"}} {
		p := evidence.Probe{Kind: evidence.ProbePod, From: ends[0], To: ends[1], Source: "10.0.0.1", Seen: "10.0.0.1", OK: true}
		if f.broken && !f.onlyExercise && ends[0] != ends[1] {
			p.OK, p.Seen, p.Error = false, "", "timeout"
		}
		all = append(all, p)
	}
	return all
}

func (f *fake) world() *world {
	record := func(context.Context, lab.Lab) (undo.Recorded, error) {
		f.looks++
		var r undo.Recorded
		if f.changes > 0 {
			f.changes--
			r.Flannel = []string{time.Now().String()}
		}
		return r, nil
	}
	return &world{
		probe: func(ctx context.Context, _ lab.Lab) ([]evidence.Probe, error) { return f.probes(), ctx.Err() },
		snapshot: func(ctx context.Context, _ lab.Lab, _, dir string) ([]evidence.Probe, error) {
			if f.lacks != nil {
				return f.probes(), collect.Gather(ctx, dir, evidence.Info{}, nil, func(string) error { return f.lacks })
			}
			return f.probes(), os.MkdirAll(filepath.Join(dir, "nodes", "n1"), 0o755)
		},
		record: record, glance: record,
		none: func(lab.Lab) error {
			if f.journal != nil {
				return errors.New(f.journal.Scenario + " is in force")
			}
			return nil
		},
		journal: func(lab.Lab) (undo.Journal, error) {
			if f.journal == nil {
				return undo.Journal{}, fs.ErrNotExist
			}
			return *f.journal, nil
		},
		begin: func(_ context.Context, _ *lock.Held, scenario string) (undo.Journal, error) {
			f.journal = &undo.Journal{Scenario: scenario}
			return *f.journal, nil
		},
		restore: func(_ context.Context, _ *lock.Held, _, _ undo.Recorded) error { return f.undoErr },
		watch: func(context.Context, lab.Lab) (func() ([]dropped, error), error) {
			if f.drops == nil {
				return nil, fmt.Errorf("%w: the kernel is silent", drops.ErrUnmeasurable)
			}
			return func() ([]dropped, error) { return f.drops, nil }, nil
		},
		close: func(context.Context, *lock.Held) error {
			f.undone++
			f.journal = nil
			return nil
		},
	}
}

// detector is of a cause, and reports n1 while it is broken.
func (f *fake) detector() detectors.Detector {
	return detectors.Detector{
		Name: "broken-link", Kind: detectors.Cause, Cases: []detectors.Case{{Name: "broken"}, {Name: "other"}},
		Detect: func(context.Context, *evidence.Bundle) []detectors.Finding {
			f.judged++
			if said, ok := f.says[f.judged]; ok {
				return []detectors.Finding{said}
			}
			if !f.broken {
				return []detectors.Finding{{Verdict: detectors.Clean, Judged: map[string]int{"nodes": 2}}}
			}
			return []detectors.Finding{reported}
		},
	}
}

var reported = detectors.Finding{
	Verdict: detectors.Problem, Case: "broken", Node: "n1", Summary: "n1 is broken",
	Remedy: []detectors.Command{{Node: "n1", Argv: []string{"mend", "link"}}},
}

// busybody is of another cause, and speaks up from its nth judgement on.
func (*fake) busybody(from int) detectors.Detector {
	judged := 0
	return detectors.Detector{
		Name: "busybody", Kind: detectors.Cause, Cases: []detectors.Case{{Name: "me-too"}},
		Detect: func(context.Context, *evidence.Bundle) []detectors.Finding {
			if judged++; judged < from {
				return []detectors.Finding{{Verdict: detectors.Clean, Judged: map[string]int{"nodes": 2}}}
			}
			return []detectors.Finding{{Verdict: detectors.Problem, Case: "me-too", Node: "n2", Summary: "me too"}}
		},
	}
}

// exercise is traffic that breaks where n1 is broken.
func (f *fake) exercise(context.Context, lab.Lab) (Seen, error) {
	if f.broken {
		return Seen{Broken: []string{"a call"}}, nil
	}
	return Seen{}, nil
}

// aWish is what people try first.
func aWish(lab.Lab) []Attempt {
	return []Attempt{{Name: "a wish", Commands: []detectors.Command{{Node: "n1", Argv: []string{"wish"}}}}}
}

// symptomOf is a detector of a symptom that reports what it is told.
func symptomOf(found ...detectors.Finding) detectors.Detector {
	return detectors.Detector{
		Name: "symptom", Kind: detectors.Symptom, Cases: []detectors.Case{{Name: "lost"}},
		Detect: func(context.Context, *evidence.Bundle) []detectors.Finding { return found },
	}
}

func newFake() *fake { return &fake{heals: true} }

func (f *fake) life(t *testing.T) *Life {
	d := f.detector()
	if f.held == nil {
		f.dir = t.TempDir()
		var err error
		if f.held, err = lock.Take(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	return &Life{
		Lab: f.held, Detectors: []detectors.Detector{d}, Bundles: t.TempDir(), Reporter: quiet{}, Patience: 5 * time.Second, world: f.world(),
		Scenario: Scenario{
			Name: "link", Summary: "n1's link is broken", Detector: d, MustFail: Crossing(Nth(0)),
			Inject: func(context.Context, lab.Lab, func(string)) error {
				f.broken = true
				return nil
			},
			Want: func(lab.Lab) []Subject { return []Subject{{Case: "broken", Node: "n1"}} },
		},
	}
}

type quiet struct{}

func (quiet) Begin(string, Step)       {}
func (quiet) Detail(string)            {}
func (quiet) End(string, Step, Result) {}

// In this time, a wait of seconds takes none.
func inBubble(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

func TestWholeLife(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		l := f.life(t)
		done, err := l.Run(t.Context(), l.Plan()...)
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		for i, r := range done {
			steps = append(steps, r.Step)
			if p := l.Plan()[i]; p.Name != r.Step || p.Number != i+1 || p.Of != len(done) {
				t.Errorf("step %d of the plan is %+v, and %s was run", i, p, r.Step)
			}
		}
		if want := "healthy recorded injected symptom detected remedied recovered clean undone compared"; strings.Join(steps, " ") != want {
			t.Errorf("steps are %q, want %q", steps, want)
		}
		if f.journal != nil || f.undone != 1 {
			t.Errorf("the journal is %v, undone %d times", f.journal, f.undone)
		}
		if !slices.Equal(f.ran, []string{"n1# mend link"}) {
			t.Errorf("commands are %q", f.ran)
		}
		if f.judged != 4 { // healthy, detected, remedied (the same evidence), clean
			t.Errorf("the detectors judged %d times", f.judged)
		}
	})
}

func TestLivesThatFail(t *testing.T) {
	second := detectors.Finding{Verdict: detectors.Problem, Case: "other", Node: "n2", Peer: "n1", Summary: "x"}
	for _, test := range []struct {
		name   string
		change func(f *fake, l *Life)
		// step is the last, and want in its error.
		step, want string
	}{
		{"a journal is there already", func(f *fake, _ *Life) { f.journal = &undo.Journal{Scenario: "another"} }, "healthy", "another is in force"},
		{"not healthy", func(f *fake, _ *Life) { f.broken = true }, "healthy", "2 of 3 probes failed"},
		{"evidence that lacks something", func(f *fake, _ *Life) { f.lacks = errors.New("no leases today") }, "healthy", "no leases today"},
		{"a false alarm before", func(f *fake, _ *Life) { f.says = map[int]detectors.Finding{1: reported} }, "healthy", "broken-link is not clean: problem: n1 is broken"},
		{"nothing is injected", func(_ *fake, l *Life) {
			l.Scenario.Inject = func(context.Context, lab.Lab, func(string)) error { return nil }
		},
			"symptom", "passes but must fail"},
		{"an injection that fails", func(_ *fake, l *Life) {
			l.Scenario.Inject = func(context.Context, lab.Lab, func(string)) error { return errors.New("no such link") }
		}, "injected", "no such link"},
		{"wrong for a moment", func(f *fake, _ *Life) { f.says = map[int]detectors.Finding{2: second} }, "detected",
			"broken-link reports other on n2 for n1, want broken on n1"},
		{"clean for a moment", func(f *fake, _ *Life) {
			f.says = map[int]detectors.Finding{2: {Verdict: detectors.Clean, Judged: map[string]int{"nodes": 1}}}
		}, "detected", "broken-link reports no problem, want broken on n1"},
		{"unknown", func(f *fake, _ *Life) {
			f.says = map[int]detectors.Finding{2: {Verdict: detectors.Unknown, Summary: "too dark"}}
		}, "detected",
			"broken-link does not know: too dark"},
		{"a symptom that nothing explains", func(_ *fake, l *Life) {
			calls := 0
			d := symptomOf()
			d.Detect = func(context.Context, *evidence.Bundle) []detectors.Finding {
				if calls++; calls == 1 {
					return []detectors.Finding{{Verdict: detectors.NotApplicable}}
				}
				return []detectors.Finding{{Verdict: detectors.Problem, Case: "lost", Node: "n2", Peer: "n1"}}
			}
			l.Detectors = append(l.Detectors, d)
		}, "detected", "1 symptoms are left unexplained: symptom/lost/n2/n1"},
		{"a false alarm beside it", func(f *fake, l *Life) { l.Detectors = append(l.Detectors, f.busybody(2)) }, "detected",
			"busybody is not silent: problem: me too"},
		{"a false alarm after what was tried", func(f *fake, l *Life) {
			l.Scenario.Attempts = aWish
			l.Detectors = append(l.Detectors, f.busybody(3))
		}, "remedied", "busybody is not silent: problem: me too"},
		{"unknown after what was tried", func(f *fake, l *Life) {
			l.Scenario.Attempts = aWish
			f.says = map[int]detectors.Finding{3: {Verdict: detectors.Unknown, Summary: "too dark"}}
		}, "remedied", "broken-link does not know: too dark"},
		{"traffic of its own that an attempt heals", func(f *fake, l *Life) {
			l.Scenario.MustFail, l.Scenario.Attempts, l.Scenario.Exercise = nil, aWish, f.exercise
			f.onlyExercise, f.wishes = true, true
		}, "tried", "a wish: with flannel v0.0.0: everything works, and must not"},
		{"nothing that could stay broken", func(f *fake, l *Life) {
			l.Scenario.MustFail, l.Scenario.Attempts = nil, aWish
			f.onlyExercise = true
		}, "tried", "the scenario has neither probes that must fail nor traffic of its own"},
		{"no remedy", func(f *fake, _ *Life) {
			bare := reported
			bare.Remedy = nil
			f.says = map[int]detectors.Finding{2: bare, 3: bare}
		}, "remedied", "broken-link names no remedy for what it reports"},
		{"no problem any more", func(f *fake, _ *Life) {
			f.says = map[int]detectors.Finding{3: {Verdict: detectors.Clean, Judged: map[string]int{"nodes": 1}}}
		}, "remedied", "broken-link reports no problem any more"},
		{"a remedy that cannot be run", func(f *fake, _ *Life) { f.refused = "n1# mend link" }, "remedied", "refused"},
		{"a remedy that does not heal", func(f *fake, _ *Life) { f.heals = false }, "recovered", "2 of 3 probes failed"},
		{"an alarm that stays", func(f *fake, _ *Life) { f.says = map[int]detectors.Finding{4: reported} }, "clean", "is not clean"},
		{"an undo that fails", func(f *fake, _ *Life) { f.undoErr = errors.New("the link is busy") }, "undone", "the link is busy"},
		{"a lab that does not settle", func(f *fake, _ *Life) { f.changes = 1000 }, "healthy", "waiting for the lab to settle: not within 5s: 2 changes"},
		{"flanneld that does not become ready", func(f *fake, _ *Life) { f.starting = []string{"n2"} }, "healthy", "flanneld is not ready yet on n2"},
		{"a remedy that the finding has not", func(_ *fake, l *Life) { l.Remedy = "magic" }, "remedied", `no other remedy "magic"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFake()
				l := f.life(t)
				test.change(f, l)
				done, err := l.Run(t.Context(), l.Plan()...)
				last := done[len(done)-1]
				if err == nil || last.Step != test.step || !strings.Contains(last.Error, test.want) {
					t.Errorf("%s: %q, want %s: %q", last.Step, last.Error, test.step, test.want)
				}
				if strings.Contains(last.Error, "{") {
					t.Errorf("a Go struct in an error: %s", last.Error)
				}
				if before := f.undone; last.Step != "compared" && before != 0 {
					t.Error("undone although the life had not come to that")
				}
			})
		})
	}
}

// A lab that is still changing is waited for, and what is judged then is judged once.
func TestSettles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.changes = 5
		l := f.life(t)
		if _, err := l.Run(t.Context(), l.Inject()...); err != nil {
			t.Fatal(err)
		}
		if f.looks < 7 || f.judged != 2 {
			t.Errorf("%d looks, judged %d times", f.looks, f.judged)
		}
	})
}

func TestCancelledLifeStopsAndKeepsTheJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		l := f.life(t)
		ctx, cancel := context.WithCancel(t.Context())
		inject := l.Scenario.Inject
		l.Scenario.Inject = func(ctx context.Context, lb lab.Lab, say func(string)) error {
			cancel()
			return inject(ctx, lb, say)
		}
		done, err := l.Run(ctx, l.Plan()...)
		if !errors.Is(err, context.Canceled) || done[len(done)-1].Step != "symptom" {
			t.Errorf("ended in %s with %v", done[len(done)-1].Step, err)
		}
		if f.journal == nil {
			t.Error("the journal is gone, with the fault in force")
		}
	})
}

// Heal begins where Inject has ended, in another process.
func TestHealIsASecondLife(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		first, second := f.life(t), f.life(t)
		if _, err := first.Run(t.Context(), first.Inject()...); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Heal(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.journal != nil {
			t.Error("the journal is left")
		}
	})
}

func TestTriedStandsInThePlanOnce(t *testing.T) {
	f := newFake()
	l := f.life(t)
	l.Scenario.Attempts = aWish
	has := func() bool { return slices.ContainsFunc(l.Plan(), func(s Step) bool { return s.Name == "tried" }) }
	if !has() {
		t.Error("the plan leaves out what is tried")
	}
	l.Remedy = "another"
	if has() {
		t.Error("what does not help is shown before every remedy")
	}
	l.Remedy = ""
	inBubble(t, func(t *testing.T) {
		if _, err := l.Run(t.Context(), l.Plan()...); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.ran, []string{"n1# wish", "n1# mend link"}) {
			t.Errorf("commands are %q", f.ran)
		}
	})
}

// A fault that no probe shows goes through what is tried by its own traffic.
func TestTriedWithTrafficOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.onlyExercise = true
		l := f.life(t)
		l.Scenario.MustFail, l.Scenario.Attempts, l.Scenario.Exercise = nil, aWish, f.exercise
		if _, err := l.Run(t.Context(), l.Plan()...); err != nil {
			t.Fatal(err)
		}
	})
}

// Evidence is taken of every attempt, of a lab on which it has not healed, and after the undo where that is wanted.
func TestEvidenceOfEveryPhase(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		l := f.life(t)
		l.Scenario.Attempts = func(lb lab.Lab) []Attempt { return append(aWish(lb), aWish(lb)...) }
		if _, err := l.Run(t.Context(), append(l.Plan(), l.AfterUndo())...); err != nil {
			t.Fatal(err)
		}
		for _, bundle := range []string{HealthyBundle, FaultyBundle, "tried-1", "tried-2", HealedBundle, UndoneBundle} {
			if _, err := os.Stat(filepath.Join(l.Bundles, "link", bundle)); err != nil {
				t.Error(err)
			}
		}
		if f.judged != 4 { // the remedy is that of the last attempt's evidence
			t.Errorf("the detectors judged %d times", f.judged)
		}
	})
}

// A detector that is wrong where the network is right is told from a network that is wrong.
func TestMisjudged(t *testing.T) {
	for _, test := range []struct {
		name      string
		change    func(f *fake)
		step      string
		misjudged bool
	}{
		{"a false alarm before", func(f *fake) { f.says = map[int]detectors.Finding{1: reported} }, "healthy", true},
		{"a network that is broken before", func(f *fake) { f.broken = true }, "healthy", false},
		{"a detector that misses it", func(f *fake) {
			f.says = map[int]detectors.Finding{2: {Verdict: detectors.Clean, Judged: map[string]int{"nodes": 1}}}
		}, "detected", true},
		{"no remedy, since it is missed", func(f *fake) {
			f.says = map[int]detectors.Finding{3: {Verdict: detectors.Clean, Judged: map[string]int{"nodes": 1}}}
		}, "remedied", false},
		{"a false alarm after", func(f *fake) { f.says = map[int]detectors.Finding{4: reported} }, "clean", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFake()
				l := f.life(t)
				test.change(f)
				done, err := l.Run(t.Context(), l.Plan()...)
				_, misjudged := errors.AsType[*MisjudgedError](err)
				if last := done[len(done)-1].Step; err == nil || last != test.step || misjudged != test.misjudged {
					t.Errorf("%s, misjudged %t: %v", last, misjudged, err)
				}
			})
		})
	}
}

// Somebody's remedy is judged by what it does to the network.
func TestHeals(t *testing.T) {
	command := func(argv ...string) []detectors.Command { return []detectors.Command{{Node: "n1", Argv: argv}} }
	for _, test := range []struct {
		name   string
		remedy []detectors.Command
		change func(f *fake, l *Life)
		why    string
	}{
		{"it heals", command("mend", "link"), func(*fake, *Life) {}, ""},
		{"it does nothing", command("true"), func(*fake, *Life) {}, "2 of 3 probes failed"},
		{"it fails", command("mend", "link"), func(f *fake, _ *Life) { f.refused = "n1# mend link" }, "refused"},
		{"it names no node of the lab", []detectors.Command{{Node: "n9", Argv: []string{"true"}}}, func(*fake, *Life) {}, `no node "n9"`},
		{"traffic of its own stays broken", command("mend", "link"), func(_ *fake, l *Life) {
			l.Scenario.Exercise = func(context.Context, lab.Lab) (Seen, error) { return Seen{Broken: []string{"a call"}}, nil }
		}, "1 do not work: a call"},
		{"it takes too long", command("hang"), func(*fake, *Life) {}, "its commands do not end within 1m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFake()
				l := f.life(t)
				if _, err := l.Run(t.Context(), l.Inject()...); err != nil {
					t.Fatal(err)
				}
				test.change(f, l)
				why, err := l.Heals(t.Context(), test.remedy)
				if err != nil || (why == "") != (test.why == "") || !strings.Contains(why, test.why) {
					t.Errorf("%q, %v, want %q", why, err, test.why)
				}
			})
		})
	}
}

// The second of two faults is injected into a lab that has settled after the first.
func TestThenWaitsForTheLabToSettle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		l := f.life(t)
		before := 0
		l.Scenario.Inject = func(context.Context, lab.Lab, func(string)) error {
			f.changes, before = 4, f.looks
			return nil
		}
		l.Scenario.Then = func(context.Context, lab.Lab, func(string)) error {
			if looks := f.looks - before; looks < 6 {
				t.Errorf("after %d looks", looks)
			}
			f.broken = true
			return nil
		}
		if _, err := l.Run(t.Context(), l.Inject()...); err != nil {
			t.Fatal(err)
		}
	})
}
