package esp

// SLIP (RFC 1055) puts packets into a stream of bytes: each begins and ends with
// 0xC0, and what looks like an end or an escape within is escaped.
const (
	slipEnd    = 0xC0
	slipEsc    = 0xDB
	slipEscEnd = 0xDC
	slipEscEsc = 0xDD
)

// largestPacket is more than the boot loader ever sends: a sector of the flash.
const largestPacket = 0x2000

// appendSLIP appends packet as SLIP to b.
func appendSLIP(b, packet []byte) []byte {
	b = append(b, slipEnd)
	for _, c := range packet {
		switch c {
		case slipEnd:
			b = append(b, slipEsc, slipEscEnd)
		case slipEsc:
			b = append(b, slipEsc, slipEscEsc)
		default:
			b = append(b, c)
		}
	}
	return append(b, slipEnd)
}

// slipReader finds packets in what comes in. What is between two packets, as the
// chatter of a starting chip, comes out as a packet too or is dropped: every 0xC0
// is taken for an end and a beginning, so a lost one costs one packet.
type slipReader struct {
	packet []byte
	esc    bool
	bad    bool // too long, or with an escape that there is not
}

// next takes bytes of b up to the end of a packet. It returns the packet, nil where
// there is none yet, and the rest of b. The packet is good until the next call.
func (r *slipReader) next(b []byte) (packet, rest []byte) {
	for i, c := range b {
		if c == slipEnd {
			packet, bad := r.packet, r.bad || r.esc
			r.packet, r.esc, r.bad = r.packet[:0], false, false
			if len(packet) > 0 && !bad {
				return packet, b[i+1:]
			}
			continue
		}
		if r.esc {
			r.esc = false
			switch c {
			case slipEscEnd:
				c = slipEnd
			case slipEscEsc:
				c = slipEsc
			default:
				r.bad = true
				continue
			}
		} else if c == slipEsc {
			r.esc = true
			continue
		}
		if len(r.packet) == largestPacket {
			r.bad = true
			continue
		}
		r.packet = append(r.packet, c)
	}
	return nil, nil
}
