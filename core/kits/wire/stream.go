package wire

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// MaxData is the most that a frame carries, in bytes.
const MaxData = 1024

const (
	frameHead = 6    // bytes before the data: 1E 48, type, seq, length
	maxLine   = 1024 // bytes of a line of the console
)

// frame is one of our own packets.
type frame struct {
	kind, seq byte
	data      []byte
}

// encode returns the frame as it is sent. Its data is at most MaxData.
func (f frame) encode() []byte {
	out := append(make([]byte, 0, frameHead+len(f.data)+4), 0x1e, 0x48, f.kind, f.seq)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(f.data)))
	out = append(out, f.data...)
	return binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out[2:]))
}

const frameMark = "\x1e\x48"

// stream finds lines, frames and Improv packets in what comes from a port, as
// Splitter of the firmware does. What it hands on is only good until the call returns.
type stream struct {
	line   func(text []byte) // not empty; without control characters other than tab
	frame  func(frame)
	improv func(improvPacket)
	most   int // bytes of a line; what is beyond is dropped
	// typed is what comes of the console, whether its line has ended or not, with \n at
	// the end of each, however long it is; without control characters other than tab. It
	// may be nil.
	typed func(text []byte)

	in    []byte // not yet told apart: at most one packet
	text  []byte // of a line that has not ended
	piece []byte // that typed has not had
	early int    // bytes of in that typed has had: they wait to be told apart
	after bool   // a packet of Improv was the last: \n belongs to it
	cr    bool   // \r was the last, which counts where no \n follows
}

// feed takes what came.
func (s *stream) feed(data []byte) {
	s.in = append(s.in, data...)
	s.sort()
	s.hand()
}

// hand hands on what came of the console.
func (s *stream) hand() {
	if len(s.piece) > 0 {
		s.typed(s.piece)
		s.piece = s.piece[:0]
	}
}

// idle says that nothing came for a while: what has begun and not ended was no
// frame or packet. A line stays.
func (s *stream) idle() {
	defer s.hand()
	for {
		n := 0
		for _, mark := range []string{frameMark, improvHead} {
			if bytes.HasPrefix(s.in, []byte(mark)) {
				n = len(mark)
			}
		}
		if n == 0 {
			s.show()
			return
		}
		s.early = 0
		s.in = append(s.in[:0], s.in[n:]...)
		s.sort()
	}
}

// show keeps for typed what may begin a packet, and is most likely the end of a text.
func (s *stream) show() {
	if s.typed == nil {
		return
	}
	for _, c := range s.in[s.early:] {
		if c < ' ' {
			c = '.'
		}
		s.piece = append(s.piece, c)
	}
	s.early = len(s.in)
}

// sort tells apart what came, until more has to come.
func (s *stream) sort() {
	in := s.in
	for len(in) > 0 {
		n, after := 1, false
		switch {
		case s.after && in[0] == '\n':
		case begins(in, frameMark):
			n = s.takeFrame(in)
		case begins(in, improvHead):
			n, after = s.takeImprov(in)
		default:
			s.take(in[0])
		}
		s.after = after
		if n == 0 {
			break
		}
		if n > 1 { // a packet, or the mark of one that lied
			s.early = 0
		}
		in = in[n:]
	}
	s.in = append(s.in[:0], in...)
}

// begins reports whether in begins with mark, or could where it is shorter.
func begins(in []byte, mark string) bool {
	n := min(len(in), len(mark))
	return string(in[:n]) == mark[:n]
}

// takeFrame returns how much of in is a frame or, where that lied, its mark; 0
// where more has to come.
func (s *stream) takeFrame(in []byte) int {
	if len(in) < frameHead {
		return 0
	}
	length := int(binary.LittleEndian.Uint16(in[4:]))
	n := frameHead + length + 4
	if length <= MaxData && len(in) < n {
		return 0
	}
	if length > MaxData || crc32.ChecksumIEEE(in[2:n-4]) != binary.LittleEndian.Uint32(in[n-4:]) {
		return len(frameMark)
	}
	s.frame(frame{in[2], in[3], in[frameHead : n-4]})
	return n
}

// takeImprov is takeFrame of an Improv packet; ok is false where it was none.
func (s *stream) takeImprov(in []byte) (n int, ok bool) {
	head := len(improvHead)
	if len(in) < head+2 {
		return 0, false
	}
	n = head + 2 + int(in[head+1]) + 1
	if len(in) < n {
		return 0, false
	}
	if improvSum(in[:n-1]) != in[n-1] {
		return head, false
	}
	s.improv(improvPacket{in[head], in[head+2 : n-1]})
	return n, true
}

// take takes a byte of the console.
func (s *stream) take(c byte) {
	if s.cr && c != '\n' {
		if s.early == 0 { // else typed has had what comes after it
			s.keep('.')
		}
		s.hold('.')
	}
	s.cr = c == '\r'
	switch {
	case s.cr:
	case c == '\n':
		s.keep(c)
		if len(s.text) > 0 {
			s.line(s.text)
		}
		s.text = s.text[:0]
	case c < ' ' && c != '\t' || c == 0x7f:
		s.add('.')
	default:
		s.add(c)
	}
}

// keep keeps a byte for typed, which may have had it.
func (s *stream) keep(c byte) {
	switch {
	case s.early > 0:
		s.early--
	case s.typed != nil:
		s.piece = append(s.piece, c)
	}
}

func (s *stream) add(c byte) {
	s.keep(c)
	s.hold(c)
}

// hold keeps a byte for line.
func (s *stream) hold(c byte) {
	if len(s.text) < s.most {
		s.text = append(s.text, c)
	}
}
