package evidence

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ErrCutOff is in the error of a capture that ends within a packet, as one does whose tcpdump was killed. What stands
// before is whole, so it is for the reader to say what such a capture is worth.
var ErrCutOff = errors.New("the capture is cut off at its end")

var (
	errNoCapture = errors.New("not a capture: want pcap or pcapng, as tcpdump -w writes them")
	errNoHeader  = errors.New("cut short: the file ends within its header")
)

// captureName keeps names of captures fit for a path, a line and a command line.
var captureName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@:+-]{0,99}$`)

// Captures returns the sorted names of a node's captures, for Segments: the files of nodes/NODE/captures with ".pcap" in
// their name, but for those that end in ".part". Where there is no such folder, there are none.
func (b *Bundle) Captures(node string) ([]string, error) {
	if err := CheckNodeName(node); err != nil {
		return nil, fileError(NodesDir, err)
	}
	dir := NodeFile(node, CapturesDir)
	folder, err := fs.ReadDir(b.fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError(dir, err)
	}
	var names []string
	for _, e := range folder {
		name := e.Name()
		if !strings.Contains(name, ".pcap") || strings.HasSuffix(name, ".part") {
			continue
		}
		if err := CheckCaptureName(name); err != nil {
			return nil, fileError(dir, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// CheckCaptureName returns an error unless a capture can have the name.
func CheckCaptureName(name string) error {
	if !captureName.MatchString(name) {
		return fmt.Errorf("%.20q is not the name of a capture: want at most 100 letters, digits and . _ - @ : +", name)
	}
	return nil
}

// CaptureFile returns the path inside a bundle of one of a node's captures.
func CaptureFile(node, name string) string {
	return NodeFile(node, path.Join(CapturesDir, name))
}

// Segments yields the TCP segments of one of a node's captures in the order of the file. Other packets are passed over,
// and so are fragments, what VXLAN carries, and headers that are malformed. Link types are Ethernet (with VLAN tags or
// without), Linux cooked (SLL and SLL2) and raw IP. An error is yielded last; it matches ErrCutOff if the file ends within
// a packet.
func (b *Bundle) Segments(node, name string) iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		if err := CheckNodeName(node); err != nil {
			yield(Segment{}, fileError(NodesDir, err))
			return
		}
		if err := CheckCaptureName(name); err != nil {
			yield(Segment{}, fileError(NodeFile(node, CapturesDir), err))
			return
		}
		file := CaptureFile(node, name)
		f, err := b.open(file)
		if err != nil {
			yield(Segment{}, err)
			return
		}
		defer f.Close()
		err = readSegments(f, func(s Segment) bool { return yield(s, nil) })
		if err != nil && !errors.Is(err, errStop) {
			yield(Segment{}, fileError(file, err))
		}
	}
}

// readSegments calls each with every TCP segment of the capture in r until it returns false, which gives errStop.
func readSegments(r io.Reader, each func(Segment) bool) error {
	// pcapgo believes the lengths in the file; the limit keeps it from collecting more than one packet is long.
	limit := &limitReader{r: r, left: maxEntry}
	source, err := openCapture(bufio.NewReader(limit))
	if err != nil {
		if err = captureError(err); errors.Is(err, ErrCutOff) {
			return errNoHeader
		}
		return err
	}
	var d segmentDecoder
	for {
		limit.left = maxEntry
		link, data, at, err := source()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return captureError(err)
		}
		first, ok := firstLayer(link, data)
		if !ok {
			return fmt.Errorf("link type %d (%s) is not read: capture on an Ethernet interface, or with -i any", link, link)
		}
		if s, ok := d.decode(first, data); ok {
			s.Time = at
			if !each(s) {
				return errStop
			}
		}
	}
}

// packetSource returns the next packet, valid until the next call, and io.EOF after the last.
type packetSource func() (link layers.LinkType, data []byte, at time.Time, err error)

// openCapture tells the formats apart by their first four bytes.
func openCapture(r *bufio.Reader) (packetSource, error) {
	magic, err := r.Peek(4)
	if len(magic) == 0 && err == io.EOF {
		return nil, errEmpty
	}
	if err != nil {
		return nil, err
	}
	switch binary.BigEndian.Uint32(magic) {
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1:
		return openPcap(r)
	case 0x0a0d0d0a:
		return openPcapNG(r)
	default:
		return nil, errNoCapture
	}
}

func openPcap(r io.Reader) (packetSource, error) {
	file, err := pcapgo.NewReader(r)
	if err != nil {
		return nil, err
	}
	return func() (layers.LinkType, []byte, time.Time, error) {
		data, ci, err := file.ZeroCopyReadPacketData()
		if err == io.EOF && ci.CaptureLength > 0 {
			// The file ends between a packet's own header and its bytes.
			err = io.ErrUnexpectedEOF
		}
		return file.LinkType(), data, ci.Timestamp, err
	}, nil
}

func openPcapNG(r io.Reader) (packetSource, error) {
	file, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, err
	}
	return func() (link layers.LinkType, data []byte, at time.Time, err error) {
		data, ci, err := file.ZeroCopyReadPacketData()
		if err != nil {
			return 0, nil, time.Time{}, err
		}
		link, _ = ci.AncillaryData[0].(layers.LinkType)
		return link, data, ci.Timestamp, nil
	}, nil
}

// captureError puts what pcapgo says in the words of the other readers.
func captureError(err error) error {
	switch {
	case errors.Is(err, errTooLong):
		return fmt.Errorf("a packet is longer than %d bytes", maxEntry)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return ErrCutOff
	case errors.Is(err, errEmpty), errors.Is(err, errNoCapture):
		return err
	default:
		return fmt.Errorf("damaged capture: %w", err)
	}
}

// firstLayer returns with what a packet of a link type begins.
func firstLayer(link layers.LinkType, data []byte) (first gopacket.LayerType, ok bool) {
	switch link {
	case layers.LinkTypeEthernet:
		return layers.LayerTypeEthernet, true
	case layers.LinkTypeLinuxSLL:
		return layers.LayerTypeLinuxSLL, true
	case layers.LinkTypeLinuxSLL2:
		return layers.LayerTypeLinuxSLL2, true
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		if len(data) > 0 && data[0]>>4 == 6 {
			return layers.LayerTypeIPv6, true
		}
		return layers.LayerTypeIPv4, true
	default:
		return gopacket.LayerTypeZero, false
	}
}
