package iptables

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/netfault/netfault/detectors/nftables"
)

// value reads a value as nft -j prints it.
func value(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// What a field of a condition may be, at the ends of what there is; "" is what is not understood.
func TestOperands(t *testing.T) {
	for _, c := range []struct {
		kind        fieldKind
		right, want string
	}{
		{fieldProto, `255`, "[{255 255}]"},
		{fieldProto, `256`, ""},
		{fieldProto, `"tcp"`, "[{6 6}]"},
		{fieldDport, `65535`, "[{65535 65535}]"},
		{fieldDport, `65536`, ""},
		{fieldDport, `{"range":[80,80]}`, "[{80 80}]"},
		{fieldDport, `{"range":[81,80]}`, ""},
		{fieldMark, `"0x50"`, "[{80 80}]"},
		{fieldMark, `"80"`, ""},
		{fieldSrc, `{"prefix":{"addr":"10.244.1.2","len":32}}`, "[{183763202 183763202}]"},
		{fieldSrc, `{"prefix":{"addr":"10.244.1.2","len":33}}`, ""},
		{fieldState, `"new"`, "[{8 8}]"},
		{fieldState, `"old"`, ""},
		{fieldState, `["new"]`, "[{8 8}]"},
		{fieldState, `["new","related"]`, "[{12 12}]"},
		{fieldState, `{"|":["new","related"]}`, "[{12 12}]"},
		{fieldState, `["new","old"]`, ""},
		{fieldState, `{}`, ""},
	} {
		fd := field{kind: c.kind}
		o, ok := fd.operand(value(t, c.right))
		if got := fmt.Sprint(o.nums); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("field %d, %s: got %s, %t, want %s", c.kind, c.right, got, ok, c.want)
		}
	}
}

// Nothing is less than 0, and nothing more than the largest mark.
func TestBelow(t *testing.T) {
	for _, c := range []struct{ op, right, want string }{
		{"<", `0`, "[]"}, {"<", `1`, "[{0 0}]"}, {"<=", `0`, "[{0 0}]"},
		{">", `4294967295`, "[]"}, {">", `4294967294`, "[{4294967295 4294967295}]"}, {">=", `4294967295`, "[{4294967295 4294967295}]"},
		{"<", `{"range":[1,2]}`, ""},
	} {
		o, ok := below(&field{kind: fieldMark}, value(t, c.right), c.op)
		if got := fmt.Sprint(o.nums); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s %s: got %s, %t, want %s", c.op, c.right, got, ok, c.want)
		}
	}
}

// Old versions of nft print the addresses of a connection's first packet without "ip".
func TestFieldsOfConnections(t *testing.T) {
	b := &builder{}
	for text, want := range map[string]fieldKind{
		`{"ct":{"key":"ip saddr","dir":"original"}}`: fieldOrigSrc,
		`{"ct":{"key":"saddr","dir":"original"}}`:    fieldOrigSrc,
		`{"ct":{"key":"ip daddr","dir":"original"}}`: fieldOrigDst,
		`{"ct":{"key":"daddr","dir":"original"}}`:    fieldOrigDst,
		`{"ct":{"key":"daddr","dir":"reply"}}`:       fieldUnclear,
		`{"ct":{"key":"bytes","dir":"original"}}`:    fieldUnclear,
		`{"ct":{"key":"mark"}}`:                      fieldConnmark,
		`{"ct":{"key":"mark","dir":"original"}}`:     fieldUnclear,
		`{"meta":{"key":"protocol"}}`:                fieldFixed,
		`{"meta":{"key":"skuid"}}`:                   fieldUnclear,
	} {
		if got := b.plainField(value(t, text)).kind; got != want {
			t.Errorf("%s: kind %d, want %d", text, got, want)
		}
	}
}

// Where DNAT leads to: an address, a range, or an address and a port.
func TestNATTargets(t *testing.T) {
	for _, c := range []struct {
		addr string
		port set
		want string
	}{
		{`"10.244.2.2"`, nil, "10.244.2.2"},
		{`"10.244.2.2"`, set{{80, 80}}, "10.244.2.2:80"},
		{`{"concat":["10.244.2.2",8080]}`, nil, "10.244.2.2:8080"},
		{`{"concat":["10.244.2.2",8080]}`, set{{80, 80}}, ""},
		{`{"concat":["10.244.2.2",8080,1]}`, nil, ""},
		{`{"concat":["10.244.2.2","web"]}`, nil, ""},
		{`{"map":1}`, nil, ""},
	} {
		got := natTarget(targetDNAT, natTo{ports: c.port}, value(t, c.addr), "text")
		if (got.kind == targetDNAT) != (c.want != "") || c.want != "" && got.nat.text != c.want {
			t.Errorf("%s, port %v: got %+v, want %q", c.addr, c.port, got, c.want)
		}
	}
}

// An element is added to a set by a rule's last statement without more ado; what stands behind one is done if there was room.
func TestLastStatements(t *testing.T) {
	add := nftables.Statement{Name: "set", Arg: value(t, `{"op":"add","elem":"10.244.1.2","set":"@s"}`)}
	accept := nftables.Statement{Name: "accept"}
	b := &builder{table: &nftables.Table{}}
	for _, c := range []struct {
		statements []nftables.Statement
		want       []stepKind
	}{
		{[]nftables.Statement{add}, nil},
		{[]nftables.Statement{add, accept}, []stepKind{stepPerhaps, stepDo}},
		{[]nftables.Statement{{Name: "xt", Arg: value(t, `{"type":"match","name":"u32"}`)}}, []stepKind{stepPerhaps}},
		{[]nftables.Statement{{Name: "xt", Arg: value(t, `{"type":"target","name":"TPROXY"}`)}}, []stepKind{stepDo}},
	} {
		steps, err := b.steps(&nftables.Rule{Statements: c.statements})
		var got []stepKind
		for _, s := range steps {
			got = append(got, s.kind)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v, %v", c.statements, got, c.want, err)
		}
	}
}
