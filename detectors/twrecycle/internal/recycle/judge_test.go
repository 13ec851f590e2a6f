package recycle

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

func TestJudge(t *testing.T) {
	// The timestamps of the incident: a newer clock and an older one.
	const newer, older = 621_677_338, 613_760_700
	pass := func(s *script, times int) {
		for range times {
			s.wait(3 * time.Second).ask(newer + uint32(s.port)*10).answer()
		}
	}
	hang := func(s *script, times int) {
		for range times {
			s.wait(3 * time.Second).ask(older + uint32(s.port)*10).again(time.Second)
		}
	}
	for _, test := range []struct {
		name string
		play func(*script)
		want Strength
		lack string
	}{
		{"the incident", func(s *script) { pass(s, 1); hang(s, 3); pass(s, 1); hang(s, 3) }, StrongSign, ""},
		{"the incident, as it was played to old kernels, each SYN once", func(s *script) {
			s.ask(621_677_338).answer()
			s.wait(time.Second).ask(613_760_701)
			s.wait(time.Second).ask(613_760_702)
			s.wait(18 * time.Second).ask(621_697_338).answer()
			s.wait(time.Second).ask(613_760_721)
		}, StrongSign, ""},
		{"too few", func(s *script) { pass(s, 1); hang(s, 2); pass(s, 1) }, WeakSign, "want 3"},
		{"nothing newer afterwards", func(s *script) { pass(s, 3); hang(s, 9) }, WeakSign, "was answered after one of them"},
		{"nothing newer within 60 s", func(s *script) {
			pass(s, 1)
			hang(s, 3)
			s.wait(time.Minute)
			pass(s, 1)
		}, WeakSign, "was answered after one of them"},
		{"not repeated", func(s *script) {
			pass(s, 1)
			for range 3 {
				s.wait(time.Second).ask(older)
			}
			pass(s, 1)
		}, WeakSign, "none was repeated"},
		{"not repeated, but the others went on", func(s *script) {
			pass(s, 1)
			for range 3 {
				s.wait(time.Second).ask(older)
			}
			s.wait(time.Second).ask(newer + 1e6).answer().send(evidence.Segment{})
		}, StrongSign, ""},
		{"nothing older", func(s *script) { pass(s, 20) }, NoSign, ""},
		{"older ones answered alike", func(s *script) {
			for range 10 {
				pass(s, 1)
				s.wait(time.Second).ask(older).answer()
			}
			hang(s, 1)
			pass(s, 1)
		}, NoSign, ""},
		{"newer ones unanswered alike", func(s *script) {
			pass(s, 1)
			for range 3 {
				hang(s, 1)
				s.wait(time.Second).ask(newer + 1e6)
			}
			pass(s, 1)
		}, NoSign, ""},
		{"few newer ones, and one of them unanswered", func(s *script) {
			pass(s, 1)
			hang(s, 3)
			pass(s, 2)
			s.wait(time.Second).ask(newer + 1e6)
			hang(s, 3)
		}, WeakSign, "1 of 3 with a newer timestamp"},
		{"many newer ones, and one of them unanswered", func(s *script) {
			pass(s, 1)
			hang(s, 3)
			pass(s, 25)
			s.wait(time.Second).ask(newer + 1e6)
			hang(s, 3)
		}, StrongSign, ""},
		{"the client closes first, at times", func(s *script) {
			for range 20 {
				pass(s, 2)
				hang(s, 1)
			}
			s.wait(time.Second).ask(older).answer()
			s.wait(time.Second).ask(older).answer()
		}, StrongSign, ""},
		{"the client closes first, at times, in a short capture", func(s *script) {
			for range 6 {
				pass(s, 2)
				hang(s, 1)
			}
			s.wait(time.Second).ask(older).answer()
		}, WeakSign, "1 of 7 with an older timestamp"},
	} {
		s := newScript(t)
		test.play(s)
		got, lack := s.end()
		if got != test.want || !strings.Contains(lack, test.lack) || (lack == "") != (test.lack == "") {
			t.Errorf("%s: got %d, %q, want %d, %q: %+v", test.name, got, lack, test.want, test.lack, s.trace.Listeners[oneListener].Sum())
		}
	}
}

// loss plays requests of clients whose timestamps have nothing to do with each other's, and loses some.
func loss(t *testing.T, rng *rand.Rand, lost func(i int) bool) Strength {
	s := newScript(t)
	for i := range 5 + rng.IntN(60) {
		s.wait(time.Duration(rng.IntN(3000)) * time.Millisecond)
		c := s.ask(rng.Uint32() >> 2)
		if !lost(i) {
			c.answer().send(evidence.Segment{})
		}
	}
	got, _ := s.end()
	return got
}

// Loss that has nothing to do with timestamps is taken for the fault in one capture of 500 at most, though the captures are
// short and the loss is heavy.
func TestLossIsNotTheFault(t *testing.T) {
	const captures = 1_000
	for name, lost := range map[string]func(*rand.Rand) func(int) bool{
		"at random, 1 % to 90 %": func(rng *rand.Rand) func(int) bool {
			p := 0.01 + 0.89*rng.Float64()
			return func(int) bool { return rng.Float64() < p }
		},
		"at random, 30 %": func(rng *rand.Rand) func(int) bool {
			return func(int) bool { return rng.Float64() < 0.3 }
		},
		"for a while, as when a queue is full": func(rng *rand.Rand) func(int) bool {
			from, to := rng.IntN(30), 1+rng.IntN(30)
			return func(i int) bool { return i >= from && i < from+to }
		},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		counts := map[Strength]int{}
		for range captures {
			counts[loss(t, rng, lost(rng))]++
		}
		t.Logf("%s: of %d captures %d show nothing, %d too little, %d are taken for the fault", name, captures, counts[NoSign], counts[WeakSign], counts[StrongSign])
		if counts[StrongSign] > captures/500 {
			t.Errorf("%s: %d of %d captures are taken for the fault", name, counts[StrongSign], captures)
		}
	}
}

// The fault is seen in all captures with enough in them, through loss of one packet in 100, and never taken for nothing.
func TestFaultIsSeenThroughLoss(t *testing.T) {
	const captures = 1_000
	rng := rand.New(rand.NewPCG(3, 4))
	counts := map[Strength]int{}
	for range captures {
		s := newScript(t)
		record, seen := uint32(0), false
		for range 40 {
			s.wait(time.Duration(rng.IntN(1000)) * time.Millisecond)
			c := s.ask(rng.Uint32() >> 2)
			if drop := seen && int32(record-c.ts) > 1; !drop && rng.Float64() > 0.01 {
				c.answer().send(evidence.Segment{})
				record, seen = c.ts, true
			}
		}
		got, _ := s.end()
		counts[got]++
	}
	t.Logf("of %d captures %d show nothing, %d too little, %d the fault", captures, counts[NoSign], counts[WeakSign], counts[StrongSign])
	if counts[NoSign] > 0 {
		t.Errorf("the fault is taken for nothing in %d of %d captures", counts[NoSign], captures)
	}
}

func TestChance(t *testing.T) {
	// Fisher's tea: 3 of 4 cups right is 17 of 70.
	if got := chanceOf(Count{1, 3}, Count{3, 1}); math.Abs(got-17.0/70) > 1e-12 {
		t.Errorf("got %g", got)
	}
	if got := chanceOf(Count{0, 3}, Count{2, 0}); math.Abs(got-0.1) > 1e-12 {
		t.Errorf("got %g", got)
	}
	if got := chanceOf(Count{}, Count{5, 5}); math.Abs(got-1) > 1e-12 {
		t.Errorf("got %g", got)
	}
}

func TestTable(t *testing.T) {
	s := newScript(t)
	s.ask(900).answer()
	s.ask(1000).answer()
	for range 5 {
		s.wait(time.Second).ask(500)
	}
	s.ask(600).again(time.Second).again(2 * time.Second)
	s.wait(time.Second).ask(2000).answer()
	s.ask(700).again(70 * time.Second).answer()
	s.end()
	want := []string{
		"12:00:00.001 port 40002 to 10.244.1.2:8080, TSval 1000: answered",
		"12:00:01.001 port 40003 to 10.244.1.2:8080, TSval 500 (older by 500): unanswered",
		"12:00:02.001 port 40004 to 10.244.1.2:8080, TSval 500 (older by 500): unanswered",
		"12:00:03.001 port 40005 to 10.244.1.2:8080, TSval 500 (older by 500): unanswered",
		"and 3 more like it",
		"12:00:09.001 port 40009 to 10.244.1.2:8080, TSval 2000: answered",
		"12:00:09.001 port 40010 to 10.244.1.2:8080, TSval 700 (older by 1300): unanswered, tried 2 times in 70 s, until the newer timestamp was forgotten",
	}
	src := s.trace.Listeners[oneListener].Sources[oneClient]
	if got := src.Table(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := src.Table(); !slices.Equal(got, want) {
		t.Errorf("asked again, got\n%s", strings.Join(got, "\n"))
	}

	s = newScript(t)
	for i := range uint32(40) {
		s.wait(time.Second).ask(1e6 + i).answer()
		s.wait(time.Second).ask(500)
	}
	s.end()
	if got := s.trace.Listeners[oneListener].Sources[oneClient].Table(); len(got) != maxTable {
		t.Errorf("%d lines", len(got))
	}
}

// FuzzTrace checks that no order of segments makes a trace panic or count a request twice.
func FuzzTrace(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08"))
	f.Add([]byte("\x01\x00\x00\x10\x00\x12\x01\x01\x10\x00\x01\x00\x00\x05\x00\x01\x00\x00\x05\x40"))
	f.Fuzz(func(t *testing.T, script []byte) {
		s := newScript(t)
		for ; len(script) >= 5; script = script[5:] {
			s.now = s.now.Add(time.Duration(int8(script[4])) * time.Second)
			seg := evidence.Segment{
				Src: oneListener, Dst: oneListener, Seq: uint32(script[1] & 3), AckSeq: uint32(script[1]>>2) & 3,
				Timestamps: script[1]&16 != 0, TSVal: uint32(script[2]) << 24, TSEcr: uint32(script[3]) << 24, OptionsCut: script[1]&32 != 0,
				SYN: script[0]&1 != 0, ACK: script[0]&2 != 0, FIN: script[0]&4 != 0, RST: script[0]&8 != 0,
			}
			if script[0]&16 != 0 {
				seg.Dst = s.listener
			}
			s.see(seg)
		}
		s.trace.End()
		sum := 0
		for _, l := range s.trace.Listeners {
			for _, k := range Kinds {
				l.Judge(k)
			}
			all := l.Sum()
			sum += all.First.Total() + all.Forward.Total() + all.Backward.Total() + all.Bare.Total() + all.NoTS.Total()
			for _, src := range l.Sources {
				src.Table()
			}
		}
		if sum > s.trace.Requests || len(s.trace.queue) > 0 {
			t.Fatalf("%d requests, %d counted, %d left", s.trace.Requests, sum, len(s.trace.queue))
		}
	})
}
