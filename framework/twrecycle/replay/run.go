package replay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/netfault/netfault/framework/twrecycle"
	"github.com/netfault/netfault/framework/wait"
)

// Result is how a sequence went.
type Result struct {
	Sequence    Sequence
	Differences []string // what the emulation did otherwise, with the step
	Err         error    // why the sequence could not be replayed to its end
}

// Same says that nothing differed.
func (r Result) Same() bool { return r.Err == nil && len(r.Differences) == 0 }

// attempts is how often a sequence is replayed when the machine was too slow for its times.
const attempts = 3

const (
	// atOnce is how many sequences are replayed side by side.
	atOnce = 128
	// perSecond is how many of them begin in the same second: they act at the same moments.
	perSecond = 16
)

// All replays sequences side by side, each in namespaces of its own, and tells each result as soon as it is there.
func All(sequences []Sequence, done func(Result)) {
	for wave := range slices.Chunk(sequences, atOnce) {
		for attempt := 1; len(wave) > 0; attempt++ {
			var late []Sequence
			for r := range replayWave(wave) {
				if errors.Is(r.Err, errLate) && attempt < attempts {
					late = append(late, r.Sequence)
					continue
				}
				done(r)
			}
			wave = late
		}
	}
}

// replayWave makes the worlds of all sequences, which is the heavy part, before the first one begins.
func replayWave(wave []Sequence) <-chan Result {
	var prepared sync.WaitGroup
	prepared.Add(len(wave))
	var begin time.Time
	beginKnown := make(chan struct{})
	results := make(chan Result)
	var running sync.WaitGroup
	for i, s := range wave {
		running.Go(func() {
			runtime.LockOSThread() // for ever: the thread's namespaces end with it
			world, err := newWorld(s)
			prepared.Done()
			if err != nil {
				results <- Result{Sequence: s, Err: err}
				return
			}
			defer world.close()
			<-beginKnown
			results <- run(s, world, begin.Add(time.Duration(i/perSecond)*time.Second))
		})
	}
	go func() {
		prepared.Wait()
		begin = time.Now().Truncate(time.Second).Add(time.Second)
		close(beginKnown)
		running.Wait()
		close(results)
	}()
	return results
}

// errLate says that the machine was too slow.
var errLate = errors.New("the machine was too slow")

// run replays a sequence in its world, from the second begin on.
func run(s Sequence, world *world, begin time.Time) Result {
	r := &replay{Result: Result{Sequence: s}, world: world, begin: begin, opened: make(map[string][]*conn)}
	defer r.close()
	for i, step := range s.Steps {
		r.step = i + 1
		if err := r.do(step); err != nil {
			r.Err = fmt.Errorf("step %d (%s): %w", r.step, step.What, err)
			return r.Result
		}
	}
	r.step = 0
	drops, err := r.world.setting.Dropped()
	if err != nil {
		r.Err = err
		return r.Result
	}
	if s.PAWSPassive != nil {
		r.compare("paws_passive", *s.PAWSPassive, drops.Count)
	}
	return r.Result
}

// replay is a sequence while it is replayed.
type replay struct {
	Result
	world  *world
	begin  time.Time
	step   int // from 1; 0 after the last one
	opened map[string][]*conn
	last   *conn   // of the last step that opened or closed one
	conns  []*conn // that were established, oldest first
}

// close ends what the replay has opened.
func (r *replay) close() {
	for _, c := range r.conns {
		if c.socket != nil {
			c.socket.Close()
		}
	}
}

// do waits for a step's time, does it, and compares.
func (r *replay) do(step Step) error {
	if err := r.waitFor(step.At); err != nil {
		return err
	}
	var err error
	switch step.Op {
	case opSession:
		err = r.session(step)
	case opSYN:
		err = r.syns(step)
	case opOpen:
		err = r.open(step)
	case opClose:
		err = r.end(r.opened[step.Name][step.Index], step)
	case opClientFIN:
		if r.last == nil {
			return errors.New("the connection before it was not opened")
		}
		last := r.last.tsval
		if step.LastTSval != nil {
			last = *step.LastTSval
		}
		err = r.last.clientFIN(last)
	case opSysctl:
		err = r.set(step.Name, step.Value)
	}
	if err != nil {
		return err
	}
	return r.record(step)
}

// tolerance is how late a step may begin. The second of the wall clock must be the right one in any case.
const tolerance = 250 * time.Millisecond

// waitFor waits for a time since the sequence's begin.
func (r *replay) waitFor(at time.Duration) error {
	due := r.begin.Add(at)
	<-time.After(time.Until(due))
	now := time.Now()
	if late := now.Sub(due); late > tolerance || now.Unix() != due.Unix() {
		return fmt.Errorf("%w: %v late", errLate, late)
	}
	return nil
}

// record compares what is remembered of a step's client.
func (r *replay) record(step Step) error {
	client, local := step.Client, step.Local
	if r.last != nil && !client.IsValid() {
		client, local = r.last.client.Addr(), r.last.server.Addr()
	}
	if !step.Record.Known || !client.IsValid() {
		return nil
	}
	var got string
	want := show(step.Record.TSVal)
	err := wait.Until(context.Background(), tolerance, "the record", func(context.Context) error {
		records, err := r.world.setting.Records()
		if err != nil {
			return err
		}
		got = show(find(records, client, local))
		if got != want {
			return errors.New(got)
		}
		return nil
	})
	if err != nil && got == "" {
		return err
	}
	r.compare("record_after", want, got)
	return nil
}

// find returns the timestamp that is remembered of a client and a local address, or nil. Where there is none for the local
// address, it is the client's for another one: the measurements looked for the client (4.4.155, sequence 10, step 3).
func find(records []twrecycle.Record, client, local netip.Addr) *uint32 {
	var found *uint32
	for _, r := range records {
		if r.Peer != client {
			continue
		}
		if !r.Local.IsValid() || r.Local == local {
			return &r.TSVal
		}
		found = &r.TSVal
	}
	return found
}

// compare notes a difference.
func (r *replay) compare(what string, want, got any) {
	if want == got {
		return
	}
	text := fmt.Sprintf("%s: measured %v, here %v", what, want, got)
	if r.step > 0 {
		step := r.Sequence.Steps[r.step-1]
		text = fmt.Sprintf("step %d at %v (%s): %s", r.step, step.At, step.What, text)
	}
	r.Differences = append(r.Differences, text)
}

func (s Step) server() netip.AddrPort { return netip.AddrPortFrom(s.Local, s.Port) }

func show(tsval *uint32) string {
	if tsval == nil {
		return "none"
	}
	return fmt.Sprint(*tsval)
}
