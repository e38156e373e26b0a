package chip

import (
	"encoding/binary"
	"time"
)

// Registers that a PC looks at.
const (
	regMAC0   = 0x3FF00050 // OTP
	regMAC1   = 0x3FF00054
	regMAC2   = 0x3FF00058
	regMAC3   = 0x3FF0005C
	regMagic  = 0x40001000
	regClkDiv = 0x60000014
	regSPI    = 0x60000200
)

// The SPI peripheral, from regSPI on.
const (
	spiCmd  = 0x00
	spiUsr  = 0x1C
	spiUsr1 = 0x20
	spiUsr2 = 0x24
	spiW0   = 0x40

	spiCmdUsr  = 1 << 18
	spiCmdRDSR = 1 << 27
	spiCmdRDID = 1 << 28

	flashRDSR = 0x05
	flashRDID = 0x9F
)

// span is an area of RAM that is loaded.
type span struct{ from, to uint32 }

// memory is RAM and registers.
type memory struct {
	dram, iram []byte // nil until something is written
	spans      []span // that were announced since the reset; at most 16
	filled     []uint32
	clkdiv     uint32
}

// holds is whether an area is in RAM.
func (m *memory) holds(at, size uint32) bool {
	to := uint64(at) + uint64(size)
	return at >= dramStart && to <= dramEnd || at >= iramStart && to <= iramEnd
}

// bytes is RAM from an address on, which is in RAM.
func (m *memory) bytes(at uint32) []byte {
	if at < dramEnd {
		if m.dram == nil {
			m.dram = make([]byte, dramEnd-dramStart)
		}
		return m.dram[at-dramStart:]
	}
	if m.iram == nil {
		m.iram = make([]byte, iramEnd-iramStart)
	}
	return m.iram[at-iramStart:]
}

// loading remembers an area that is going to be loaded.
func (m *memory) loading(at, size uint32) {
	if len(m.spans) == 16 {
		m.spans, m.filled = m.spans[1:], m.filled[1:]
	}
	m.spans, m.filled = append(m.spans, span{at, at + size}), append(m.filled, 0)
}

func (m *memory) store(at uint32, data []byte) {
	copy(m.bytes(at), data)
	m.filled[len(m.filled)-1] += uint32(len(data))
}

// runs is whether a jump to entry starts something: it is in an area of IRAM that was
// loaded to its end, with at least 64 bytes that are not all the same.
func (m *memory) runs(entry uint32) bool {
	for i := len(m.spans) - 1; i >= 0; i-- {
		s := m.spans[i]
		if s.from < iramStart || entry < s.from || entry >= s.to {
			continue
		}
		if m.filled[i] != s.to-s.from || s.to-s.from < 64 {
			return false
		}
		code := m.bytes(s.from)[:s.to-s.from]
		for _, b := range code {
			if b != code[0] {
				return true
			}
		}
		return false
	}
	return false
}

// spi is the SPI peripheral and the flash behind it.
type spi struct {
	on  bool // the pins are the flash's: after FLASH_BEGIN, or with the stub
	reg [32]uint32
}

// read is a word of memory. What is not known is 0.
func (b *loader) read(at uint32) uint32 {
	o := b.c.opts
	mac := o.MAC
	switch at {
	case regMagic:
		return o.Magic
	case regMAC0:
		return uint32(mac[5]) << 24
	case regMAC1:
		w := uint32(mac[3])<<8 | uint32(mac[4])
		if mac[0] == 0xAC && mac[1] == 0xD0 && mac[2] == 0x74 {
			w |= 1 << 16
		}
		return w
	case regMAC3:
		oui := uint32(mac[0])<<16 | uint32(mac[1])<<8 | uint32(mac[2])
		if oui == 0x18FE34 || oui == 0xACD074 {
			return 0 // the chips of that time say it in MAC1
		}
		return oui
	case regMAC2:
		return 0 // neither bit of an ESP8285
	case regClkDiv:
		return b.mem.clkdiv
	}
	if at&3 == 0 && b.mem.holds(at, 4) {
		return binary.LittleEndian.Uint32(b.mem.bytes(at))
	}
	if i := (at - regSPI) / 4; at >= regSPI && at&3 == 0 && i < uint32(len(b.spi.reg)) {
		return b.spi.reg[i]
	}
	return 0
}

// write sets a word of memory.
func (b *loader) write(at, value uint32) {
	if at&3 == 0 && b.mem.holds(at, 4) {
		binary.LittleEndian.PutUint32(b.mem.bytes(at), value)
		return
	}
	i := (at - regSPI) / 4
	if at < regSPI || at&3 != 0 || i >= uint32(len(b.spi.reg)) {
		return
	}
	b.spi.reg[i] = value
	if i == spiCmd/4 {
		b.transfer(value)
	}
}

// transfer does what was written to the command register, and clears it.
func (b *loader) transfer(cmd uint32) {
	reg := &b.spi.reg
	reg[spiCmd/4] = 0
	if !b.spi.on {
		reg[spiW0/4] = 0
		return
	}
	switch {
	case cmd&spiCmdRDID != 0:
		reg[spiW0/4] = b.c.opts.FlashID
	case cmd&spiCmdRDSR != 0:
		reg[spiW0/4] = 0
	case cmd&spiCmdUsr != 0:
		// Command and answer only: neither address nor dummy phase.
		bits := reg[spiUsr1/4]>>8&0x1FF + 1
		value := uint32(0xFFFFFFFF) // nobody drives the line
		switch byte(reg[spiUsr2/4]) {
		case flashRDID:
			value = b.c.opts.FlashID
		case flashRDSR:
			value = 0
		}
		if bits < 32 {
			value &= 1<<bits - 1
		}
		reg[spiW0/4] = value
	}
}

// writeRegs does WRITE_REG: any number of address, value, mask and delay in µs.
func (b *loader) writeRegs(r *request) bool {
	if len(r.data) == 0 || len(r.data)%16 != 0 {
		return false
	}
	for i := 0; i < len(r.data)/4; i += 4 {
		at, value, mask := r.word(i), r.word(i+1), r.word(i+2)
		if !b.c.pause(b.l, time.Duration(r.word(i+3))*time.Microsecond) {
			return true // nobody is left to hear it
		}
		value &= mask
		if mask != 0xFFFFFFFF {
			value |= b.read(at) &^ mask
		}
		b.write(at, value)
	}
	return true
}
