package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/netfault/netfault/framework/twrecycle"
)

// Parse reads a file of sequences. It is an error if something is missing, contradicts itself, or is an operation, closer
// or outcome that this package does not know: the error names the sequence and the step. Fields that it does not know are
// listed in Sequence.Unused.
func Parse(data []byte) ([]Sequence, error) {
	var file struct {
		Sequences []map[string]json.RawMessage `json:"sequences"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if len(file.Sequences) == 0 {
		return nil, errors.New("no sequences")
	}
	sequences := make([]Sequence, len(file.Sequences))
	for i, fields := range file.Sequences {
		s, err := parseSequence(fields)
		if err != nil {
			return nil, fmt.Errorf("sequence %q (number %d of the file): %w", s.Name, i+1, err)
		}
		sequences[i] = s
	}
	return sequences, nil
}

func parseSequence(fields map[string]json.RawMessage) (s Sequence, err error) {
	o := object{fields: fields}
	var semantics string
	var steps []map[string]json.RawMessage
	o.need("sequence", &s.Name)
	o.need("kernel", &s.Kernel)
	o.need("semantics", &semantics)
	o.need("paws_passive", &s.PAWSPassive)
	o.need("steps", &steps)
	o.may("slow", &s.Slow)
	s.Unused = o.unused("")
	if o.err != nil {
		return s, o.err
	}
	if s.Semantics, err = twrecycle.ParseSemantics(semantics); err != nil {
		return s, err
	}
	for i, fields := range steps {
		o := object{fields: fields}
		step, err := parseStep(&o)
		if err == nil {
			err = s.fits(step)
		}
		if err != nil {
			return s, fmt.Errorf("step %d: %w", i+1, err)
		}
		s.Steps = append(s.Steps, step)
		s.Unused = append(s.Unused, o.unused(fmt.Sprintf("step %d: ", i+1))...)
	}
	if len(s.Steps) == 0 {
		return s, errors.New("no steps")
	}
	return s, nil
}

func parseStep(o *object) (s Step, err error) {
	var at, over float64
	o.need("op", &s.Op)
	o.need("at_s", &at)
	o.may("what", &s.What)
	s.Record.Known = o.may("record_after", &s.Record.TSVal)
	switch s.Op {
	case opSession:
		s.peer(o)
		o.need("closer", &s.Closer)
		o.may("last_tsval", &s.LastTSval)
	case opSYN:
		s.peer(o)
		s.Repeat = 1
		if o.may("repeat", &s.Repeat) {
			o.need("over_s", &over)
		}
	case opOpen:
		s.peer(o)
		o.need("count", &s.Count)
		o.need("name", &s.Name)
	case opClose:
		o.need("name", &s.Name)
		o.may("index", &s.Index)
		o.need("closer", &s.Closer)
		o.may("last_tsval", &s.LastTSval)
		s.mayPeer(o)
	case opClientFIN:
		o.may("last_tsval", &s.LastTSval)
		s.mayPeer(o)
	case opSysctl:
		var value json.RawMessage
		o.need("name", &s.Name)
		o.need("value", &value)
		if s.Value, err = settingValue(value); err != nil && o.err == nil {
			o.err = err
		}
	default:
		if o.err == nil {
			o.err = fmt.Errorf("op %q is not known", s.Op)
		}
	}
	if o.err != nil {
		return s, o.err
	}
	if !(at >= 0 && at < 1e6) || !(over >= 0 && over < 1e6) {
		return s, fmt.Errorf("at_s %v and over_s %v must be seconds", at, over)
	}
	s.At, s.Over = seconds(at), seconds(over)
	return s, s.check()
}

// peer reads what steps with a SYN have.
func (s *Step) peer(o *object) {
	o.need("client", &s.Client)
	o.need("local", &s.Local)
	o.need("port", &s.Port)
	o.need("syn_tsval", &s.SYNTSval)
	o.need("syn", &s.SYN)
	o.may("timestamps", &s.Timestamps)
}

// mayPeer reads what steps on a connection that is there may repeat of it.
func (s *Step) mayPeer(o *object) {
	o.may("client", &s.Client)
	o.may("local", &s.Local)
	o.may("port", &s.Port)
}

func (s *Step) check() error {
	if s.Closer != "" && closers[s.Closer] == nil {
		return fmt.Errorf("closer %q is not known", s.Closer)
	}
	if s.SYN != "" && !slices.Contains([]Outcome{Answered, Dropped, ChallengeACK}, s.SYN) {
		return fmt.Errorf("syn %q is not known", s.SYN)
	}
	for _, a := range []netip.Addr{s.Client, s.Local} {
		if a.IsValid() && !a.Is4() {
			return fmt.Errorf("%v is no IPv4 address", a)
		}
	}
	if (s.Op == opSession || s.Op == opSYN || s.Op == opOpen) && s.Port == 0 {
		return errors.New("port 0 cannot be listened on")
	}
	if s.Op == opSYN && s.Repeat < 1 || s.Op == opOpen && s.Count < 1 {
		return errors.New("repeat and count must be 1 or more")
	}
	return nil
}

// fits says whether a step can follow those that the sequence has.
func (s *Sequence) fits(next Step) error {
	if n := len(s.Steps); n > 0 && next.At < s.Steps[n-1].At {
		return fmt.Errorf("at_s %v is before the step above it", next.At.Seconds())
	}
	switch {
	case next.Op == opClose:
		open := slices.IndexFunc(s.Steps, func(e Step) bool { return e.Op == opOpen && e.Name == next.Name })
		if open < 0 || next.Index < 0 || next.Index >= s.Steps[open].Count {
			return fmt.Errorf("closes number %d of %q, which no step has opened", next.Index, next.Name)
		}
	case next.Op == opClientFIN:
		if !slices.ContainsFunc(s.Steps, func(e Step) bool { return e.Op == opSession || e.Op == opOpen }) {
			return errors.New("no connection before it")
		}
	case next.SYN == ChallengeACK:
		// A challenge ACK only comes from a connection's own 4-tuple.
		if !slices.ContainsFunc(s.Steps, func(e Step) bool {
			return e.Op == opSession && e.Client == next.Client && e.Local == next.Local && e.Port == next.Port
		}) {
			return errors.New("a challenge ACK needs a session of that client before it")
		}
	}
	return nil
}

// settingValue returns a number or a string as sysctl takes it.
func settingValue(value json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, nil
	}
	var number json.Number
	if err := json.Unmarshal(value, &number); err != nil {
		return "", fmt.Errorf("value %s is neither a number nor a string", value)
	}
	return number.String(), nil
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }
