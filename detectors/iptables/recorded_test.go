package iptables

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write into each recording what is said of its packets")

// recording is a rule set, packets, and what a kernel did with them: a file in testdata/kernel. Those of TestKernel are there that kill
// mutants of the evaluator (hack/mutants), so that it is held to a kernel where there is none to ask. NETFAULT_RECORD=DIR make evaluator
// makes more.
type recording struct {
	// state is nil where Evaluate was asked, and that of the packets where it was Filter.
	state *State
	// legacy and nft are what iptables-legacy-save and iptables-nft-save printed, and native, which may be empty, what nft -j printed of
	// the tables of nft's own.
	legacy, nft, native string
	local               []LocalRoute
	packets             []Packet
	saw                 []seen
	// says are the outcomes.
	says string
}

// stateNames are those of the states in files.
var stateNames = map[State]string{New: "new", Established: "established", Stray: "stray"}

// The evaluator says of each recording what it said when a kernel was asked, and still agrees with that kernel.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "kernel", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in testdata/kernel (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := readRecording(t, archive)
			r.hold(t)
			says := r.ask(t)
			if *update {
				r.says = says
				if err := os.WriteFile(file, r.format(string(archive.Comment)), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if says != r.says {
				t.Errorf("got\n%s\nwant\n%s", says, r.says)
			}
		})
	}
}

func (r *recording) worlds(t testing.TB) []*Rules {
	k := &kernelNet{t: t}
	worlds := []*Rules{k.parse(Legacy, r.legacy), k.parse(NFT, r.nft)}
	if r.native != "" {
		worlds = append(worlds, k.parseNFT(r.native, worlds[1]))
	}
	if t.Failed() {
		t.FailNow()
	}
	return worlds
}

// query asks for what r's packets are some of; made are those that the node makes.
func (r *recording) query(made bool) Query {
	k := &kernelNet{localAddresses: r.local}
	if r.state == nil {
		return k.query()
	}
	return k.filterQuery(made, *r.state)
}

func (r *recording) evaluate(q Query, order hookOrder, worlds []*Rules) []Outcome {
	if r.state == nil {
		return evaluate(q, order, worlds)
	}
	return filter(q, order, worlds)
}

// ask writes what is said of all packets.
func (r *recording) ask(t testing.TB) string {
	var out strings.Builder
	worlds := r.worlds(t)
	for _, made := range []bool{false, true} {
		if made && r.state == nil {
			continue
		}
		for _, order := range []hookOrder{nftFirst, orderUnknown} {
			fmt.Fprintf(&out, "%s:\n", map[hookOrder]string{nftFirst: "nft first", orderUnknown: "in any order"}[order]+map[bool]string{true: ", from the node"}[made])
			for _, o := range r.evaluate(r.query(made), order, worlds) {
				fmt.Fprintf(&out, "  %s: %s\n", o.Verdict, o.Traffic)
				if o.Rule != nil {
					fmt.Fprintf(&out, "    by %s\n", o.Rule)
				}
				if o.Policy != nil {
					fmt.Fprintf(&out, "    by the policy of %s %s\n", o.Policy.Table(), o.Policy.Chain())
				}
				if o.To != "" {
					fmt.Fprintf(&out, "    to %s\n", o.To)
				}
				for _, d := range o.Doubts {
					fmt.Fprintf(&out, "    %s\n", d)
				}
			}
		}
	}
	return out.String()
}

// hold compares what is said of each packet with what became of it.
func (r *recording) hold(t testing.TB) {
	worlds := r.worlds(t)
	for i, p := range r.packets {
		q := r.query(ofHost(p.Src))
		q.Only = &p
		found := r.evaluate(q, nftFirst, worlds)
		if len(found) != 1 {
			t.Errorf("%s has %d outcomes", p, len(found))
			continue
		}
		why := ""
		if r.state == nil {
			why = disagrees(found[0], p, r.saw[i])
		} else {
			why = passesWrongly(found[0], r.saw[i])
		}
		if why != "" {
			t.Errorf("%s: seen: %s: %v: %s", p, r.saw[i], found[0], why)
		}
	}
}

// record writes what was seen into the folder that NETFAULT_RECORD names, if there is one.
func (k *kernelNet) record(g *ruleMaker, state *State, number uint64, packets []Packet, saw []seen) {
	dir := os.Getenv("NETFAULT_RECORD")
	if dir == "" {
		return
	}
	r := recording{state: state, local: k.localAddresses, packets: packets, saw: saw}
	r.legacy, r.nft = withoutComments(k.run("", "iptables-legacy-save")), withoutComments(k.run("", "iptables-nft-save"))
	name := "evaluate"
	if state != nil {
		name = "filter-" + stateNames[*state]
	}
	if g.native {
		r.native = k.ownTables()
		name += "-nft"
	}
	r.says = r.ask(k.t)
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.txtar", name, number)), r.format(""), 0o644); err != nil {
		k.t.Error(err)
	}
}

// ownTables is what nft prints of its own tables, a line for each thing.
func (k *kernelNet) ownTables() string {
	var all []string
	for _, table := range nativeTables {
		var printed struct {
			NFTables []json.RawMessage `json:"nftables"`
		}
		k.must(json.Unmarshal([]byte(k.run("", "nft", append([]string{"-j", "list", "table"}, strings.Fields(table)...)...)), &printed))
		for _, thing := range printed.NFTables {
			all = append(all, string(thing))
		}
	}
	return "{\"nftables\": [\n" + strings.Join(all, ",\n") + "\n]}\n"
}

// format writes r into a file.
func (r *recording) format(comment string) []byte {
	a := txtar.Archive{Comment: []byte(comment)}
	add := func(name, text string) { a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)}) }
	if r.state != nil {
		add("state", stateNames[*r.state]+"\n")
	}
	var local, packets strings.Builder
	for _, l := range r.local {
		fmt.Fprintf(&local, "%s %s %s\n", l.Type, l.Dst, l.Dev)
	}
	for i, p := range r.packets {
		s := r.saw[i]
		fmt.Fprintf(&packets, "%d %s:%d %s:%d", p.Proto, p.Src, p.Sport, p.Dst, p.Dport)
		if s.src.IsValid() {
			fmt.Fprintf(&packets, " seen %s %s", s.src, s.dst)
		}
		if s.refused {
			packets.WriteString(" refused")
		}
		packets.WriteString("\n")
	}
	add("local", local.String())
	add("legacy", r.legacy)
	add("nft", r.nft)
	if r.native != "" {
		add("native", r.native)
	}
	add("packets", packets.String())
	add("says", r.says)
	return txtar.Format(&a)
}

func withoutComments(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func readRecording(t testing.TB, a *txtar.Archive) *recording {
	r := &recording{}
	for _, f := range a.Files {
		text := string(f.Data)
		switch f.Name {
		case "state":
			for state, name := range stateNames {
				if name+"\n" == text {
					r.state = &state
				}
			}
		case "local":
			for line := range strings.Lines(text) {
				w := strings.Fields(line)
				r.local = append(r.local, LocalRoute{Type: w[0], Dst: netip.MustParsePrefix(w[1]), Dev: w[2]})
			}
		case "legacy":
			r.legacy = text
		case "nft":
			r.nft = text
		case "native":
			r.native = text
		case "packets":
			for line := range strings.Lines(text) {
				r.readPacket(t, strings.Fields(line))
			}
		case "says":
			r.says = text
		default:
			t.Fatalf("a recording has no %q", f.Name)
		}
	}
	return r
}

// readPacket reads: PROTOCOL SOURCE:PORT DESTINATION:PORT [seen SOURCE DESTINATION] [refused].
func (r *recording) readPacket(t testing.TB, words []string) {
	proto, err := strconv.ParseUint(words[0], 10, 8)
	if err != nil {
		t.Fatal(err)
	}
	from, to := netip.MustParseAddrPort(words[1]), netip.MustParseAddrPort(words[2])
	p, s := Packet{Src: from.Addr(), Dst: to.Addr(), Proto: uint8(proto), Sport: from.Port(), Dport: to.Port()}, seen{}
	if rest := words[3:]; len(rest) > 0 && rest[0] == "seen" {
		s.src, s.dst = netip.MustParseAddr(rest[1]), netip.MustParseAddr(rest[2])
	}
	s.refused = words[len(words)-1] == "refused"
	r.packets, r.saw = append(r.packets, p), append(r.saw, s)
}
