package chip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What a paced flash takes: typical figures of the datasheets of GigaDevice GD25Q32C and
// Winbond W25Q32JV, the slower where they differ, rounded. A worn one takes longer.
const (
	PageTime   = 800 * time.Microsecond // to program up to 256 bytes of one page
	SectorTime = 45 * time.Millisecond  // to erase 4 KiB
	BlockTime  = 250 * time.Millisecond // to erase 64 KiB
	ChipTime   = 15 * time.Second       // to erase all of it
	// ReadTime is a byte that the stub reads and puts into an MD5: 16 clocks of SPI
	// at 80 MHz in two lines, and some 25 of the CPU at 80 MHz. Computed, not measured.
	ReadTime = 500 * time.Nanosecond
)

const (
	pageSize   = 256
	sectorSize = 4 << 10
	blockSize  = 64 << 10
)

// ErrBounds is an address that the flash does not have.
var ErrBounds = errors.New("the flash has no such address")

// NOR is a flash chip: programming clears bits, only erasing sets them, by whole
// sectors. It can be used from any goroutine.
type NOR struct {
	mu     sync.Mutex
	data   []byte         // guarded by mu
	erased []int          // how often, by sector; guarded by mu
	stuck  map[int64]bool // bit (8 × address + bit) and what it always is; guarded by mu
	worn   map[int]bool   // sectors that do not erase any more; guarded by mu
}

func newNOR(size int, data []byte) *NOR {
	n := &NOR{data: bytes.Repeat([]byte{0xFF}, size), erased: make([]int, (size+sectorSize-1)/sectorSize), stuck: map[int64]bool{}, worn: map[int]bool{}}
	copy(n.data, data)
	return n
}

// Size is how many bytes it has.
func (n *NOR) Size() int { return len(n.data) }

// ReadAt reads as io.ReaderAt says, but fails with ErrBounds instead of io.EOF.
func (n *NOR) ReadAt(p []byte, addr int64) (int, error) {
	if err := n.bounds(addr, int64(len(p))); err != nil {
		return 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return copy(p, n.data[addr:]), nil
}

// WriteAt clears bits: what was 0 stays 0 until it is erased.
func (n *NOR) WriteAt(p []byte, addr int64) (int, error) {
	if err := n.bounds(addr, int64(len(p))); err != nil {
		return 0, err
	}
	n.program(int(addr), p, 1)
	return len(p), nil
}

// Erase sets a sector to FF; addr is anywhere in it.
func (n *NOR) Erase(addr int64) error {
	if err := n.bounds(addr, 1); err != nil {
		return err
	}
	n.erase(int(addr)/sectorSize*sectorSize, sectorSize, 1)
	return nil
}

// Bytes returns a copy of all of it.
func (n *NOR) Bytes() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.data)
}

// Load makes it hold what a programmer with a clip would write: data from 0 on, FF after it.
func (n *NOR) Load(data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := copy(n.data, data); i < len(n.data); i++ {
		n.data[i] = 0xFF
	}
	n.age()
}

// Erased returns how often the sector of an address was erased.
func (n *NOR) Erased(addr int64) int {
	if n.bounds(addr, 1) != nil {
		return 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.erased[addr/sectorSize]
}

// Stick makes a bit stay what it is told, whatever is written or erased.
func (n *NOR) Stick(addr int64, bit int, high bool) {
	if n.bounds(addr, 1) != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stuck[8*addr+int64(bit&7)] = high
	n.age()
}

// Wear makes the sector of an address one that does not erase completely any more.
func (n *NOR) Wear(addr int64) {
	if n.bounds(addr, 1) != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.worn[int(addr/sectorSize)] = true
}

// mend forgets stuck bits and worn sectors.
func (n *NOR) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.stuck)
	clear(n.worn)
}

func (n *NOR) bounds(addr, size int64) error {
	if addr < 0 || size < 0 || addr+size > int64(len(n.data)) {
		return fmt.Errorf("%w: %X to %X of %X", ErrBounds, addr, addr+size, len(n.data))
	}
	return nil
}

// age lets stuck bits be what they are. n.mu is held.
func (n *NOR) age() {
	for at, high := range n.stuck {
		if mask := byte(1) << (at & 7); high {
			n.data[at/8] |= mask
		} else {
			n.data[at/8] &^= mask
		}
	}
}

// program clears bits from addr on, done of the way: 1 is all, less is a power cut.
// The bytes are within one chip.
func (n *NOR) program(addr int, p []byte, done float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	whole := int(float64(len(p)) * done)
	for i, b := range p[:whole] {
		n.data[addr+i] &= b
	}
	if whole < len(p) { // amid this byte
		n.data[addr+whole] &= p[whole] | 0xAA
	}
	n.age()
}

// erase sets whole sectors to FF, done of the way. What a power cut leaves is neither
// the old nor FF.
func (n *NOR) erase(addr, size int, done float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	whole := int(float64(size) * done)
	for i := addr; i < addr+whole; i++ {
		n.data[i] = 0xFF
	}
	if whole < size {
		for i := addr + whole; i < addr+size; i++ {
			n.data[i] |= byte(i*7 + i>>5) // some bits rise sooner than others
		}
	}
	for s := addr / sectorSize; s < (addr+size)/sectorSize; s++ {
		n.erased[s]++
		if n.worn[s] {
			for i := s*sectorSize + 5; i < (s+1)*sectorSize; i += 97 {
				n.data[i] &^= 0x10
			}
		}
	}
	n.age()
}
