package chip

// SLIP, as the boot loader has it: C0 before and after each packet.
const (
	slipEnd    = 0xC0
	slipEsc    = 0xDB
	slipEscEnd = 0xDC
	slipEscEsc = 0xDD
)

// slip takes packets out of a stream. A packet of more than max bytes, or with an
// escape that is none, is dropped.
type slip struct {
	max  int
	buf  []byte
	in   bool // after a C0
	esc  bool
	lost bool // the packet that is coming
}

// put takes the next byte and returns the packet that it ends, or nil. The packet is
// valid until the next put.
func (s *slip) put(b byte) []byte {
	switch {
	case b == slipEnd:
		p, lost := s.buf, s.lost || s.esc
		s.buf, s.in, s.esc, s.lost = s.buf[:0], true, false, false
		if len(p) == 0 || lost {
			return nil
		}
		return p
	case !s.in:
		return nil
	case s.esc:
		s.esc = false
		switch b {
		case slipEscEnd:
			b = slipEnd
		case slipEscEsc:
			b = slipEsc
		default:
			s.lost = true
		}
	case b == slipEsc:
		s.esc = true
		return nil
	}
	if len(s.buf) == s.max {
		s.lost = true
		return nil
	}
	s.buf = append(s.buf, b)
	return nil
}

// packet wraps a packet.
func packet(p []byte) []byte {
	out := []byte{slipEnd}
	for _, b := range p {
		switch b {
		case slipEnd:
			out = append(out, slipEsc, slipEscEnd)
		case slipEsc:
			out = append(out, slipEsc, slipEscEsc)
		default:
			out = append(out, b)
		}
	}
	return append(out, slipEnd)
}
