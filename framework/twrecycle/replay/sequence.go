// Package replay repeats what was measured on kernels that had net.ipv4.tcp_tw_recycle, against the emulation of package
// twrecycle: crafted packets from a client that is no kernel, to a real listening socket in a network namespace whose
// interface has the emulation, at the same distances of time. Needs root.
package replay

import (
	"net/netip"
	"time"

	"github.com/netfault/netfault/framework/twrecycle"
)

// Sequence is a sequence of steps against a server that begins without records and with net.ipv4.tcp_tw_recycle=1,
// tcp_timestamps=1 and tcp_syncookies=1.
type Sequence struct {
	Name        string
	Kernel      string // on which it was measured
	Semantics   twrecycle.Semantics
	Slow        bool    // takes more than 5 s
	PAWSPassive *uint64 // nil: not measured
	Steps       []Step
	// Unused are fields that this package does not know: "step 3: sport".
	Unused []string
}

// Step is one step, and what the kernel did.
type Step struct {
	At     time.Duration // since the sequence began, which is when a second of the wall clock begins
	Op     string
	Client netip.Addr
	Local  netip.Addr // the server's address
	Port   uint16     // the server's port
	What   string     // in words

	SYNTSval  *uint32 // of the SYN; nil: without the option
	LastTSval *uint32 // of the last segment that the server accepts; nil: none
	Closer    string
	SYN       Outcome // "": not measured
	Record    Record  // after the step
	// Timestamps says whether the connection has them; nil: not measured. The server has a say in that.
	Timestamps *bool

	Name   string        // of open connections, or of a setting
	Value  string        // of a setting
	Count  int           // how many connections are opened
	Index  int           // which of them is closed
	Repeat int           // how many SYNs are sent,
	Over   time.Duration // and over what time
}

// Outcome is how a SYN was answered.
type Outcome string

const (
	Answered     Outcome = "answered"      // by a SYN-ACK
	Dropped      Outcome = "dropped"       // not at all
	ChallengeACK Outcome = "challenge_ack" // by an ACK that does not acknowledge it
	refused      Outcome = "refused"       // by a reset; no vector expects it
)

// Record is the timestamp that a client's record shall have.
type Record struct {
	Known bool    // whether the vector says anything
	TSVal *uint32 // nil: no record
}

// Operations.
const (
	opSession   = "session"
	opSYN       = "syn"
	opOpen      = "open"
	opClose     = "close"
	opClientFIN = "client-fin"
	opSysctl    = "sysctl"
)
