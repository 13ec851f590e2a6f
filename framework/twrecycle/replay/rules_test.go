package replay_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/netfault/netfault/framework/twrecycle/replay"
)

// The sequences here were not measured. They are what the kernels' sources say of cases that the measurements do not have;
// each names the rule.

const (
	newer = 621677338 // TSvals of the incident's two clients
	older = 613760701
	last  = newer + 40 // what a session that begins with newer ends with
)

// none stands for no timestamp, and for no record.
const none = -1

// step is a step in the form of the vectors.
type step map[string]any

var all = []string{"3.10", "el7", "4.x"}

func number(n int) any {
	if n == none {
		return nil
	}
	return n
}

func from(at float64, op string) step {
	return step{"at_s": at, "op": op, "client": "198.51.100.7", "local": "10.9.0.1", "port": 80}
}

func (s step) with(field string, value any) step {
	s[field] = value
	return s
}

func session(at float64, tsval int, closer string, record int) step {
	s := from(at, "session").with("syn_tsval", number(tsval)).with("closer", closer).with("syn", "answered")
	end := none
	if tsval != none {
		end = tsval + 40
	}
	return s.with("last_tsval", number(end)).with("record_after", number(record))
}

func syn(at float64, tsval int, outcome string, record int) step {
	return from(at, "syn").with("syn_tsval", number(tsval)).with("syn", outcome).with("record_after", number(record))
}

func open(at float64, tsval, count int) step {
	return from(at, "open").with("syn_tsval", number(tsval)).with("syn", "answered").with("count", count).with("name", "o")
}

func closes(at float64, index int, closer string, tsval, record int) step {
	return from(at, "close").with("name", "o").with("index", index).with("closer", closer).
		with("last_tsval", number(tsval)).with("record_after", number(record))
}

func clientFIN(at float64, tsval, record int) step {
	return from(at, "client-fin").with("last_tsval", number(tsval)).with("record_after", number(record))
}

func sysctl(at float64, name string, value int) step {
	return step{"at_s": at, "op": "sysctl", "name": "net.ipv4." + name, "value": value}
}

// rules are sequences by the rule that they show, with the semantics that follow it.
var rules = []struct {
	rule      string
	semantics []string
	drops     int
	steps     []step
}{
	{"no record when the client closes first", all, 0, []step{
		session(0.01, newer, "client", none), syn(0.2, older, "answered", none)}},
	{"a record when both close at once", all, 1, []step{
		session(0.01, newer, "both", last), syn(0.2, older, "dropped", last)}},
	{"a record when the FIN is answered with FIN and ACK", all, 1, []step{
		session(0.01, newer, "server-fin-ack", last), syn(0.2, older, "dropped", last)}},
	{"a record when the FIN of a closed socket is acknowledged, without the client's", all, 1, []step{
		session(0.01, newer, "server-fin-wait-2", last), syn(0.2, older, "dropped", last)}},
	{"the FIN that comes later takes the record along", all, 2, []step{
		session(0.01, newer, "server-fin-wait-2", last), clientFIN(0.2, last+500, last+500),
		syn(0.4, last+498, "dropped", last+500), syn(0.9, older, "dropped", last+500)}},
	{"no record of a socket that is only shut down, before the client's FIN", all, 0, []step{
		session(0.01, newer, "server-half-close", none), syn(0.2, older, "answered", none)}},
	{"a record of a socket that is only shut down, with the client's FIN", all, 1, []step{
		session(0.01, newer, "server-half-close", none), clientFIN(0.2, last+500, last+500),
		syn(0.4, last+498, "dropped", last+500)}},
	{"no record after a reset by the server", all, 0, []step{
		session(0.01, newer, "server-rst", none), syn(0.2, older, "answered", none)}},
	{"no record after a reset by the client", all, 0, []step{
		session(0.01, newer, "client-rst", none), syn(0.2, older, "answered", none)}},
	{"no record when the server's FIN is answered with a reset", all, 0, []step{
		session(0.01, newer, "server-then-client-rst", none), syn(0.2, older, "answered", none)}},
	{"no record when the server's FIN is not acknowledged", all, 0, []step{
		session(0.01, newer, "server-unacked", none), syn(3.3, older, "answered", none)}},
	{"no record of half-open connections", all, 0, []step{
		syn(0.01, newer, "answered", none), syn(0.2, older, "answered", none)}},
	{"no record of connections that stay open", all, 0, []step{
		open(0.01, newer, 2), syn(0.4, older, "answered", none)}},
	{"one of several open connections makes the record, and others raise it", all, 1, []step{
		open(0.01, newer, 3), closes(0.3, 1, "server", last, last), closes(0.5, 0, "server", last-10, last),
		closes(0.7, 2, "both", last+10, last+10), syn(0.9, last+8, "dropped", last+10)}},
	{"no record of connections without timestamps, nor of their end", all, 0, []step{
		session(0.01, none, "server", none), syn(0.2, older, "answered", none)}},
	{"a server without timestamps neither drops nor records", all, 0, []step{
		sysctl(0, "tcp_timestamps", 0), session(0.01, newer, "server", none), syn(0.2, older, "answered", none),
		session(0.4, newer, "server-fin-wait-2", none), session(0.6, newer, "both", none)}},
	{"timestamps switched off while a record is fresh: 3.10 answers all", all[:1], 0, []step{
		session(0.01, newer, "server", last), sysctl(0.2, "tcp_timestamps", 0),
		syn(0.2, older, "answered", last), syn(0.4, last+10, "answered", last)}},
	{"timestamps switched off while a record is fresh: newer ones drop every SYN", all[1:], 2, []step{
		session(0.01, newer, "server", last), sysctl(0.2, "tcp_timestamps", 0),
		syn(0.2, older, "dropped", last), syn(0.9, last+10, "dropped", last),
		sysctl(1.5, "tcp_timestamps", 1), syn(1.5, last+10, "answered", last)}},
	{"a connection that has timestamps keeps them when they are switched off", all, 0, []step{
		open(0.01, newer, 1), sysctl(0.2, "tcp_timestamps", 0), closes(0.2, 0, "server-fin-ack", last, last)}},
	{"a FIN for what is left of an orphan is read without its timestamp when they are off", all, 0, []step{
		session(0.01, newer, "server-fin-wait-2", last), sysctl(0.2, "tcp_timestamps", 0), clientFIN(0.2, last+500, last)}},
	{"SYN cookies that are sent always make no difference to 3.10", all[:1], 1, []step{
		session(0.01, newer, "server", last), sysctl(0.2, "tcp_syncookies", 2), syn(0.2, older, "dropped", last),
		session(0.9, last, "server", last+40)}},
	{"SYN cookies that are sent always let every SYN through in newer ones", all[1:], 1, []step{
		session(0.01, newer, "server", last), sysctl(0.2, "tcp_syncookies", 2), syn(0.2, older, "answered", last),
		session(0.4, older, "server", last), sysctl(0.6, "tcp_syncookies", 1), syn(0.6, older, "dropped", last)}},
	{"a SYN without timestamp is answered by 3.10", all[:1], 0, []step{
		session(0.01, newer, "server", last), session(0.2, none, "server", last), syn(0.4, none, "answered", last)}},
	{"a SYN without timestamp is dropped by newer ones", all[1:], 1, []step{
		session(0.01, newer, "server", last), syn(0.2, none, "dropped", last)}},
	{"3.10 has one record for all local addresses", all[:1], 1, []step{
		session(0.01, newer, "server", last), syn(0.2, older, "dropped", last).with("local", "10.9.0.2"),
		session(0.9, last, "server", last+40).with("local", "10.9.0.2"), syn(1.2, last+39, "answered", last+40)}},
	{"newer ones have one record for each local address", all[1:], 2, []step{
		session(0.01, newer, "server", last), session(0.2, older, "server", older+40).with("local", "10.9.0.2"),
		syn(0.4, older+40, "dropped", last), syn(0.9, older+40, "answered", older+40).with("local", "10.9.0.2"),
		syn(1.1, older+38, "dropped", older+40).with("local", "10.9.0.2")}},
	{"ports do not matter, other clients do", all, 1, []step{
		session(0.01, newer, "server", last), syn(0.2, older, "dropped", last).with("port", 8443),
		syn(0.9, older, "answered", none).with("client", "198.51.100.8")}},
	{"a live TIME_WAIT of its own 4-tuple answers an older SYN with a challenge ACK", all, 0, []step{
		session(0.01, newer, "server", last), syn(0.2, older, "challenge_ack", last)}},
	{"a TIME_WAIT of its own 4-tuple is over after 3.5 retransmission timeouts", all, 1, []step{
		session(0.01, newer, "server", last), syn(0.1, older, "challenge_ack", last),
		syn(1.2, older, "dropped", last)}},
	{"turned off and on again, records stay and none are made meanwhile", all, 1, []step{
		session(0.01, newer, "server", last), sysctl(0.2, "tcp_tw_recycle", 0), session(0.2, older, "server", last),
		session(0.3, last+100, "server", last), session(0.4, last+100, "both", last), session(0.5, last+100, "server-fin-wait-2", last),
		sysctl(0.6, "tcp_tw_recycle", 1), syn(0.6, older, "dropped", last)}},
	{"turned off when the FIN was acknowledged and on when the client's comes: recorded", all, 0, []step{
		sysctl(0, "tcp_tw_recycle", 0), session(0.01, newer, "server-fin-wait-2", none), sysctl(0.2, "tcp_tw_recycle", 1),
		clientFIN(0.2, last+500, last+500)}},
	{"the value of the last segment wraps around with the clock", all, 2, []step{
		session(0.01, 1<<32-20, "server", 20).with("last_tsval", 20), syn(0.2, 1<<32-1, "dropped", 20),
		syn(0.9, 18, "dropped", 20), syn(1.4, 19, "answered", 20), syn(1.6, 500, "answered", 20)}},
	{"a drop changes no record, so it does not begin anew", all, 2, []step{
		session(0.01, newer, "server", last), syn(30.1, older, "dropped", last), syn(59.1, older, "dropped", last),
		syn(60.1, older, "answered", last)}},
	{"an equal value refreshes the stamp", all, 2, []step{
		session(0.01, newer, "server", last), session(30.1, last-1, "server", last).with("last_tsval", last),
		syn(61.1, older, "dropped", last), syn(89.1, older, "dropped", last), syn(90.1, older, "answered", last)}},
	{"at exactly 60 s a SYN is answered and the record not overwritten, at 61 s it is", all, 1, []step{
		session(0.01, newer, "server", last), session(60.1, older, "server", last), session(61.1, older, "server", older+40),
		syn(61.4, older+30, "dropped", older+40)}},
	{"one client's retransmissions are dropped until the record is old", all, 6, []step{
		session(0.01, newer, "server", last), syn(1.1, older, "dropped", last), syn(2.1, older, "dropped", last),
		syn(4.1, older, "dropped", last), syn(8.1, older, "dropped", last), syn(16.1, older, "dropped", last),
		syn(32.1, older, "dropped", last), syn(64.1, older, "answered", last)}},
	{"each of many drops counts", all, 20, []step{
		session(0.01, newer, "server", last), syn(0.2, older, "dropped", last).with("repeat", 20).with("over_s", 1)}},
}

func TestRules(t *testing.T) {
	needRoot(t)
	var sequences []map[string]any
	for _, r := range rules {
		for _, s := range r.semantics {
			end := r.steps[len(r.steps)-1]["at_s"].(float64)
			sequences = append(sequences, map[string]any{"sequence": r.rule, "kernel": s, "semantics": s,
				"paws_passive": r.drops, "slow": end > 5, "steps": r.steps})
		}
	}
	data, err := json.Marshal(map[string]any{"sequences": sequences})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := replay.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range parsed {
		if len(s.Unused) > 0 {
			t.Fatal(fmt.Sprint(s.Name, s.Unused))
		}
	}
	report(t, parsed)
}
