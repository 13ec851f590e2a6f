package evidence

import (
	"fmt"
	"net"
	"net/netip"
)

// MAC is an Ethernet address as a number, so that millions can be compared cheaply. No link has the address 0.
type MAC uint64

// String returns the address in the form and the lower case that iproute2 prints.
func (m MAC) String() string {
	return net.HardwareAddr{byte(m >> 40), byte(m >> 32), byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}.String()
}

// ParseMAC accepts what net.ParseMAC accepts for 6 bytes.
func ParseMAC[T string | []byte](s T) (MAC, error) {
	if m, ok := colonMAC(s); ok {
		return m, nil
	}
	hw, err := net.ParseMAC(string(s))
	if err != nil || len(hw) != 6 {
		return 0, fmt.Errorf("%q is not an Ethernet address", s)
	}
	var m MAC
	for _, b := range hw {
		m = m<<8 | MAC(b)
	}
	return m, nil
}

// colonMAC parses the one form that iproute2 prints, six pairs of hexadecimal digits with colons, without allocating.
func colonMAC[T string | []byte](s T) (m MAC, ok bool) {
	if len(s) != 17 {
		return 0, false
	}
	bad := byte(0)
	for i := range 6 {
		high, low := hexDigit[s[3*i]], hexDigit[s[3*i+1]]
		bad |= high | low
		m = m<<8 | MAC(high)<<4 | MAC(low)
		if i < 5 && s[3*i+2] != ':' {
			return 0, false
		}
	}
	return m, bad < notHex
}

// hexDigit holds the value of each hexadecimal digit, and notHex for every other byte.
var hexDigit = func() (t [256]byte) {
	for c := range t {
		t[c] = notHex
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

const notHex = 0x80

// IPv4 is an IPv4 address as a number, so that millions can be compared cheaply.
type IPv4 uint32

// String returns the address in dotted decimal.
func (a IPv4) String() string {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}).String()
}

// ParseIPv4 accepts what netip.ParseAddr accepts for IPv4: four decimal numbers to 255 without leading zeros.
func ParseIPv4[T string | []byte](s T) (a IPv4, ok bool) {
	var part, digits, dots int
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if digits > 0 && part == 0 {
				return 0, false
			}
			part = part*10 + int(c-'0')
			digits++
			if part > 255 {
				return 0, false
			}
		case c == '.' && digits > 0:
			a = a<<8 | IPv4(part)
			part, digits = 0, 0
			dots++
		default:
			return 0, false
		}
	}
	if dots != 3 || digits == 0 {
		return 0, false
	}
	return a<<8 | IPv4(part), true
}
