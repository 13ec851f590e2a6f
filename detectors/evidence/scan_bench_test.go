package evidence

import (
	"bytes"
	"fmt"
	"testing"
	"testing/fstest"
)

// BenchmarkRows reads an FDB of 5,000 rows as the scanner does, and as a general decoder would.
func BenchmarkRows(b *testing.B) {
	text := []byte("[")
	for i := range 5000 {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `{"mac":"ea:0b:5c:7e:%02x:%02x","ifname":"flannel.1","dst":"172.18.%d.%d","flags":["self"],"state":"permanent"}`,
			i>>8, i&255, i>>8, i&255)
	}
	text = append(text, "]\n"...)
	bundle := New(fstest.MapFS{"nodes/n1/bridge-fdb.json": {Data: text}})
	read := func(b *testing.B, rows func() int) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if n := rows(); n != 5000 {
				b.Fatalf("%d rows", n)
			}
		}
	}
	b.Run("scanner", func(b *testing.B) {
		read(b, func() (n int) {
			for row, err := range bundle.FDB("n1") {
				if err == nil && bytes.Equal(row.Dev, []byte("flannel.1")) {
					n++
				}
			}
			return n
		})
	})
	b.Run("decoder", func(b *testing.B) {
		read(b, func() (n int) {
			for entry, err := range entries(bundle, "nodes/n1/bridge-fdb.json", func(*FDBEntry, Pos) error { return nil }) {
				if err == nil && entry.Dev == "flannel.1" {
					n++
				}
			}
			return n
		})
	})
}
