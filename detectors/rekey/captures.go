package rekey

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// cutNote is the note on a capture that ends within a packet. The new one does, too, so that it is judged alike.
const cutNote = "the last packet, in which the capture ends, is left out"

var errNoCapture = errors.New("not a capture: want pcap or pcapng, as tcpdump -w writes them")

// rewriteCapture re-keys the headers of every packet and leaves out what follows them, see packet. Comments and names of
// interfaces in pcapng are left out, too.
func rewriteCapture(n *Names, data []byte) ([]byte, string, error) {
	if len(data) < 4 {
		return nil, "", errEmpty
	}
	switch binary.BigEndian.Uint32(data) {
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1:
		return rewritePcap(n, data)
	case 0x0a0d0d0a:
		return rewritePcapNG(n, data)
	}
	return nil, "", errNoCapture
}

func rewritePcap(n *Names, data []byte) ([]byte, string, error) {
	in, err := pcapgo.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, "", damaged(err)
	}
	if !linkKnown(in.LinkType()) {
		return nil, "", unknownLink(in.LinkType())
	}
	var out bytes.Buffer
	w := pcapgo.NewWriterNanos(&out)
	if err := w.WriteFileHeader(in.Snaplen(), in.LinkType()); err != nil {
		return nil, "", err
	}
	for {
		packet, ci, err := in.ReadPacketData()
		switch {
		case err == io.EOF && ci.CaptureLength == 0:
			return out.Bytes(), "", nil
		case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
			// A packet's own header, without all of it, is the end of a capture that was killed.
			out.Write(make([]byte, 8))
			return out.Bytes(), cutNote, nil
		case err != nil:
			return nil, "", damaged(err)
		}
		packet = n.packet(in.LinkType(), packet)
		ci.CaptureLength = len(packet)
		ci.Timestamp = ci.Timestamp.Add(n.by)
		if err := w.WritePacket(ci, packet); err != nil {
			return nil, "", err
		}
	}
}

func rewritePcapNG(n *Names, data []byte) ([]byte, string, error) {
	in, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, "", damaged(err)
	}
	var out bytes.Buffer
	var w *pcapgo.NgWriter
	// to maps the interfaces of the old file to those of the new, which are made when their first packet comes.
	to := map[layers.LinkType]int{}
	for {
		packet, ci, err := in.ReadPacketData()
		if err != nil {
			return endPcapNG(&out, w, err)
		}
		link, _ := ci.AncillaryData[0].(layers.LinkType)
		if !linkKnown(link) {
			return nil, "", unknownLink(link)
		}
		index, ok := to[link]
		switch {
		case w == nil:
			w, err = newPcapNG(&out, link)
		case !ok:
			index, err = w.AddInterface(pcapgo.NgInterface{LinkType: link})
		}
		if err != nil {
			return nil, "", err
		}
		to[link] = index
		packet = n.packet(link, packet)
		out := gopacket.CaptureInfo{Timestamp: ci.Timestamp.Add(n.by), CaptureLength: len(packet), Length: ci.Length, InterfaceIndex: index}
		if err := w.WritePacket(out, packet); err != nil {
			return nil, "", err
		}
	}
}

func newPcapNG(out io.Writer, link layers.LinkType) (*pcapgo.NgWriter, error) {
	return pcapgo.NewNgWriterInterface(out, pcapgo.NgInterface{LinkType: link}, pcapgo.NgWriterOptions{})
}

// endPcapNG ends the new file as the old one ended.
func endPcapNG(out *bytes.Buffer, w *pcapgo.NgWriter, err error) ([]byte, string, error) {
	cut := errors.Is(err, io.ErrUnexpectedEOF)
	if err != io.EOF && !cut {
		return nil, "", damaged(err)
	}
	if w == nil {
		var failed error
		if w, failed = newPcapNG(out, layers.LinkTypeEthernet); failed != nil {
			return nil, "", failed
		}
	}
	if err := w.Flush(); err != nil {
		return nil, "", err
	}
	if !cut {
		return out.Bytes(), "", nil
	}
	// The type of a packet's block (pcapng, section 4.3), and nothing of it.
	out.Write([]byte{6, 0, 0, 0})
	return out.Bytes(), cutNote, nil
}

func damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("cut short: the file ends within its header")
	}
	return fmt.Errorf("damaged capture: %w", err)
}

func unknownLink(link layers.LinkType) error {
	return fmt.Errorf("link type %d (%s) is not read", link, link)
}
