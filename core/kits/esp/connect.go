package esp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
)

// Registers and memory of an ESP8266.
const (
	regMagic = 0x40001000 // in the ROM: another value on every family of chips
	regOTP   = 0x3FF00050 // four words, burned once: MAC and model
	regSPI   = 0x60000200 // the controller of the flash

	spiCmd  = regSPI + 0x00
	spiUsr  = regSPI + 0x1C
	spiUsr1 = regSPI + 0x20
	spiUsr2 = regSPI + 0x24
	spiW0   = regSPI + 0x40

	magicESP8266 = 0xFFF0C101
)

// others are the chips that answer like an ESP8266 and are none, by regMagic.
var others = map[uint32]string{
	0x00F01D83: "ESP32",
	0x000007C6: "ESP32-S2",
	0x00000009: "ESP32-S3",
	0x6921506F: "ESP32-C3", 0x1B31506F: "ESP32-C3", 0x4881606F: "ESP32-C3", 0x4361606F: "ESP32-C3",
	0x0C21E06F: "ESP32-C2", 0x6F51306F: "ESP32-C2", 0x7C41A06F: "ESP32-C2",
	0x1101406F: "ESP32-C5", 0x63E1406F: "ESP32-C5", 0x5FD1406F: "ESP32-C5", 0x30E1706F: "ESP32-C5",
	0x2CE0806F: "ESP32-C6",
	0x33F0206F: "ESP32-C61", 0x2421606F: "ESP32-C61", 0x4F81606F: "ESP32-C61",
	0xD7B73E80: "ESP32-H2", 0x97E30068: "ESP32-H2",
	0x0ADDBAD0: "ESP32-P4", 0x07039AD9: "ESP32-P4",
}

// Chip is an ESP8266 in its boot loader. One goroutine may use it.
type Chip struct {
	loader
	info  core.KitChip
	stub  bool // it runs
	lines bool // the modem lines reset it
	top   int  // fastest rate that is still tried
	// unfinished means that the stub may hold data of a stream that was given up.
	unfinished bool
	plain      bool // the stub does not know compression
	ahead      *ahead
}

// Connect resets the chip into its boot loader, by the modem lines or by hand,
// starts the stub and finds out what there is. It fails with core.ErrInvalid where
// the chip is another one. The caller owns p, closes it, and may connect anew with it.
func Connect(ctx context.Context, p line.Port, o Options) (*Chip, error) {
	c := &Chip{loader: loader{port: p, o: o}, top: o.Baud}
	if c.top == 0 {
		c.top = BaudSafe
	}
	if err := c.connect(ctx); err != nil {
		return nil, c.fail(ctx, err)
	}
	return c, nil
}

// connect is Connect, also for a chip that was lost. A chip that fell silent right
// after it answered is reset once more.
func (c *Chip) connect(ctx context.Context) error {
	err := c.settle(ctx)
	if err != nil && c.lines && !fatal(err) {
		c.log("%s: %v; once more", c.step, err)
		err = c.settle(ctx)
	}
	return err
}

func (c *Chip) settle(ctx context.Context) error {
	running, err := c.enter(ctx)
	if err != nil {
		return err
	}
	c.stub, c.unfinished = running, running && !c.plain
	if err := c.identify(ctx); err != nil {
		return err
	}
	if !c.stub && c.o.Stub != nil {
		err := c.start(ctx)
		var no *refusal
		if errors.As(err, &no) && no.op == opMemBegin {
			// It takes no program. What the ROM writes cannot be verified, and Write says so.
			c.log("stub: %v; the ROM goes on without it", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return c.findFlash(ctx)
}

// reset is a way of the modem lines to get a chip into its boot loader. On the usual
// circuit DTR alone pulls GPIO0 low, RTS alone holds the chip in reset, and both
// together do nothing; on others each line is wired by itself.
type reset struct {
	name string
	// steps are what DTR and RTS are set to, in this order, and how long that holds.
	steps []pull
}

type pull struct {
	dtr, rts bool
	hold     time.Duration
}

const (
	inReset = 100 * time.Millisecond
	inLow   = 50 * time.Millisecond
)

var resets = []reset{
	{"DTR and RTS", []pull{{false, true, inReset}, {true, false, inLow}, {false, false, 0}}},
	{"DTR and RTS, slowly", []pull{{false, true, inReset}, {true, false, 11 * inLow}, {false, false, 0}}},
	{"DTR and RTS by themselves", []pull{{true, true, inReset}, {true, false, inLow}, {false, false, 0}}},
	{"DTR and RTS changed over", []pull{{true, false, inReset}, {false, true, inLow}, {false, false, 0}}},
}

// apply sets the lines. It fails with line.ErrNoLines where there are none.
func (r reset) apply(ctx context.Context, p line.Port) error {
	for _, s := range r.steps {
		if err := p.SetDTR(s.dtr); err != nil {
			return err
		}
		if err := p.SetRTS(s.rts); err != nil {
			return err
		}
		if err := sleep(ctx, s.hold); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rate sets the rate of this side of the line.
func (l *loader) rate(baud int) error {
	if err := l.port.SetBaud(baud); err != nil {
		return err
	}
	l.baud = baud
	return nil
}

// first is the rate that everything begins at.
func (c *Chip) first() int { return min(baudFirst, c.top) }

// enter gets the chip into its boot loader. It tells whether the stub runs already,
// from a session before.
func (c *Chip) enter(ctx context.Context) (running bool, err error) {
	c.begin("reset")
	if err := c.rate(c.first()); err != nil {
		return false, err
	}
	if err := c.port.SetReadTimeout(slice); err != nil {
		return false, err
	}
	for _, r := range resets {
		err := r.apply(ctx, c.port)
		if errors.Is(err, line.ErrNoLines) {
			c.log("the port has no modem lines: it is used as it is")
			break
		}
		if err != nil {
			return false, err
		}
		c.log("reset by %s", r.name)
		c.step = "sync"
		running, err := c.meet(ctx, 5)
		if err == nil {
			c.lines = true
			return running, nil
		}
		if fatal(err) {
			return false, err
		}
	}
	c.lines = false
	c.begin("sync")
	// A stub that a session before left alone may still be at its rate.
	for _, baud := range []int{c.first(), BaudSafe, 921600, 230400, c.first()} {
		if err := c.rate(baud); err != nil {
			if fatal(err) && baud == c.first() {
				return false, err
			}
			continue
		}
		if running, err = c.meet(ctx, 4); err == nil && !running && baud != c.first() {
			c.log("the ROM answers at %d baud", baud)
		}
		if err == nil || fatal(err) {
			return running, err
		}
	}
	if c.o.ByHand == nil {
		return false, errSilent
	}
	c.o.ByHand(core.Say("Hold the button FLASH, press RST, then let go of FLASH."))
	defer c.o.ByHand(core.Sentence{})
	for began := time.Now(); ; {
		running, err = c.meet(ctx, 10)
		if err == nil || fatal(err) || c.o.HandsFor > 0 && time.Since(began) > c.o.HandsFor {
			return running, err
		}
	}
}

// meet gets into step with who answers, and tells whether that is the stub.
func (c *Chip) meet(ctx context.Context, tries int) (stub bool, err error) {
	value, err := c.syncValue(ctx, tries)
	if err != nil {
		return false, err
	}
	if value != 0 { // the ROM leaves something there
		c.log("the ROM answers")
		return false, nil
	}
	_, err = c.command(ctx, opMD5, words(0, 16, 0, 0), 0, time.Second)
	if err == nil {
		c.log("a stub answers")
		return true, nil
	}
	if fatal(err) {
		return false, err
	}
	c.log("the ROM answers")
	return false, c.sync(ctx, 5)
}

// identify finds out which chip it is.
func (c *Chip) identify(ctx context.Context) error {
	magic, err := c.readReg(ctx, regMagic)
	if err != nil {
		return err
	}
	if magic != magicESP8266 {
		if name, ok := others[magic]; ok {
			return core.Fail(core.ErrInvalid, "This board has an {chip}. Kits need an ESP8266, as on a NodeMCU or a Wemos D1 mini.", "chip", name)
		}
		return core.Fail(core.ErrInvalid, "This board has a chip that is not known ({magic}). Kits need an ESP8266, as on a NodeMCU or a Wemos D1 mini.", "magic", fmt.Sprintf("%08X", magic))
	}
	var otp [4]uint32
	for i := range otp {
		if otp[i], err = c.readReg(ctx, regOTP+4*uint32(i)); err != nil {
			return err
		}
	}
	mac := macOf(otp)
	if c.info.MAC != "" && c.info.MAC != mac {
		return core.Fail(core.ErrConflict, "Another board is plugged in now ({now} instead of {before}). Start again with it.", "now", mac, "before", c.info.MAC)
	}
	c.info = core.KitChip{Name: "ESP8266EX", MAC: mac, ID: otp[0]>>24 | otp[1]<<8, FlashID: c.info.FlashID, FlashSize: c.info.FlashSize}
	if otp[0]&(1<<4) != 0 || otp[2]&(1<<16) != 0 {
		c.info.Name = "ESP8285"
	}
	c.log("%s, MAC %s", c.info.Name, c.info.MAC)
	return nil
}

// macOf returns the MAC address that is burned into a chip. Chips whose fourth word
// is empty have one of Espressif's first two numbers.
func macOf(otp [4]uint32) string {
	oui := otp[3] & 0xFFFFFF
	if otp[3] == 0 {
		oui = 0x18FE34
		if otp[1]>>16&0xFF == 1 {
			oui = 0xACD074
		}
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", oui>>16, oui>>8&0xFF, oui&0xFF, otp[1]>>8&0xFF, otp[1]&0xFF, otp[0]>>24)
}

// findFlash asks the flash which it is. One that does not tell may work all the same.
func (c *Chip) findFlash(ctx context.Context) error {
	if c.stub { // early ones want another length and do it by themselves
		if err := c.tell(ctx, opSPIAttach, words(0)); err != nil {
			return err
		}
	} else { // the ROM turns the flash on when a download to it begins
		if _, err := c.ask(ctx, opFlashBegin, words(0, 0, romBlock, 0), 3*time.Second); err != nil {
			return err
		}
	}
	raw, err := c.twice(func() (uint32, error) { return c.flashID(ctx) })
	var no *refusal
	if errors.As(err, &no) {
		c.log("the flash: %v", err)
		raw, err = 0, nil
	}
	if err != nil {
		return err
	}
	maker, device := raw&0xFF, raw>>8&0xFF<<8|raw>>16&0xFF
	id := maker<<16 | device
	c.info.FlashID, c.info.FlashSize = id, flashSize(id)
	c.log("flash %02X %04X, %d KiB", maker, device, c.info.FlashSize>>10)
	if c.stub && c.info.FlashSize > 0 {
		const block, page, status = 64 << 10, 256, 0xFFFF
		return c.tell(ctx, opSPIParams, words(0, uint32(c.info.FlashSize), block, sector, page, status))
	}
	return nil
}

// mute tells whether the flash did not say which it is: nobody holds its lines.
func (c *Chip) mute() bool { return c.info.FlashID == 0 || c.info.FlashID == 0xFFFFFF }

// tell sends a command that a stub may know or not.
func (c *Chip) tell(ctx context.Context, op byte, data []byte) error {
	_, err := c.command(ctx, op, data, 0, time.Second)
	if err != nil && fatal(err) {
		return err
	}
	return nil
}

// flashID lets the SPI controller send the command RDID (9F) to the flash and
// returns the 24 bits that come back, the maker's number lowest.
func (c *Chip) flashID(ctx context.Context) (uint32, error) {
	const (
		usrCommand = 1 << 31
		usrMISO    = 1 << 28
		cmdUser    = 1 << 18
	)
	usr, err := c.readReg(ctx, spiUsr)
	if err != nil {
		return 0, err
	}
	usr2, err := c.readReg(ctx, spiUsr2)
	if err != nil {
		return 0, err
	}
	for _, w := range [][2]uint32{
		{spiUsr1, (24 - 1) << 8}, // bits to read
		{spiUsr, usrCommand | usrMISO},
		{spiUsr2, (8-1)<<28 | 0x9F}, // bits of the command, and it
		{spiW0, 0},
		{spiCmd, cmdUser},
	} {
		if err := c.writeReg(ctx, w[0], w[1]); err != nil {
			return 0, err
		}
	}
	for range 10 {
		r, err := c.readReg(ctx, spiCmd)
		if err != nil {
			return 0, err
		}
		if r&cmdUser == 0 {
			break
		}
	}
	id, err := c.readReg(ctx, spiW0)
	if err != nil {
		return 0, err
	}
	if err := c.writeReg(ctx, spiUsr, usr); err != nil {
		return 0, err
	}
	return id, c.writeReg(ctx, spiUsr2, usr2)
}

// flashSize returns the bytes of a flash by its ID, 0 where that does not tell: the
// last byte is the power of two, on some makers' chips 20 (hex) more.
func flashSize(id uint32) int64 {
	n := id & 0xFF
	if n >= 0x32 && n <= 0x3A {
		n -= 0x20
	}
	switch {
	case n >= 0x12 && n <= 0x1C:
		return 1 << n
	case n >= 0x20 && n <= 0x22:
		return 1 << (n - 6)
	}
	return 0
}

// Info returns what the chip says about itself. FlashSize is 0 where its flash is
// one that is not known.
func (c *Chip) Info() core.KitChip { return c.info }

// Verifies tells whether the chip can say what is on its flash: the stub runs.
func (c *Chip) Verifies() bool { return c.stub }

// faster goes to the fastest rate that works, or stays.
func (c *Chip) faster(ctx context.Context) error {
	for c.stub && c.baud < c.top {
		err := c.change(ctx, c.top)
		if err == nil || fatal(err) {
			return err
		}
		c.log("%d baud does not work: %v", c.top, err)
		c.top = slower(c.top)
		if err := c.regain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// change takes both sides of the line to another rate and tries it.
func (c *Chip) change(ctx context.Context, baud int) error {
	before := c.baud
	// A rate that this side cannot do must not be asked of the other.
	if err := c.port.SetBaud(baud); err != nil {
		if errors.Is(err, core.ErrInvalid) {
			return errSilent
		}
		return err
	}
	if err := c.port.SetBaud(before); err != nil {
		return err
	}
	if _, err := c.ask(ctx, opBaud, words(uint32(baud), uint32(before)), time.Second); err != nil {
		return err
	}
	if err := c.rate(baud); err != nil {
		return err
	}
	if err := sleep(ctx, 15*time.Millisecond); err != nil { // the chip changes some 10 ms after its answer
		return err
	}
	c.log("%d baud", baud)
	for range 3 {
		r, err := c.command(ctx, opReadReg, words(regMagic), 0, 200*time.Millisecond)
		if err == nil && r.value == magicESP8266 {
			return nil
		}
		if err != nil && fatal(err) {
			return err
		}
	}
	return errSilent
}

// slower returns the next lower rate that is used.
func slower(baud int) int {
	for _, b := range []int{921600, BaudSafe, 230400} {
		if b < baud {
			return b
		}
	}
	return min(baudFirst, baud)
}

// regain finds the chip again after it was lost: at this rate, at another one, or
// with a reset and everything that follows it.
func (c *Chip) regain(ctx context.Context) error {
	step := c.step
	defer func() { c.step = step }()
	c.step = "sync"
	if err := c.sync(ctx, 5); err == nil || fatal(err) {
		return err
	}
	if c.baud != c.first() {
		if err := c.rate(c.first()); err != nil {
			return err
		}
		if err := c.sync(ctx, 3); err == nil || fatal(err) {
			return err
		}
	}
	c.log("the chip is lost; everything from the beginning")
	return c.connect(ctx)
}

// Run leaves the boot loader and starts the firmware. The port is at 115200 baud
// then, and what the firmware says can be read from it. Chip must not be used again.
func (c *Chip) Run(ctx context.Context) error {
	c.begin("run")
	return c.fail(ctx, c.run(ctx))
}

func (c *Chip) run(ctx context.Context) error {
	switch {
	case c.lines:
		if err := Restart(ctx, c.port); err != nil {
			return err
		}
	case c.stub:
		// It has no answer, but where it is not known.
		_, err := c.command(ctx, opRun, nil, 0, 50*time.Millisecond)
		var no *refusal
		if errors.As(err, &no) {
			if _, err = c.command(ctx, opFlashBegin, words(0, 0, sector, 0), 0, leastTime); err == nil {
				_, err = c.command(ctx, opFlashEnd, words(0), 0, 500*time.Millisecond)
			}
		}
		if err != nil && fatal(err) {
			return err
		}
	default:
		if _, err := c.ask(ctx, opFlashBegin, words(0, 0, romBlock, 0), 3*time.Second); err != nil {
			return err
		}
		if _, err := c.command(ctx, opFlashEnd, words(1), 0, 500*time.Millisecond); err != nil && !errors.Is(err, errSilent) {
			return err
		}
	}
	c.log("the firmware starts")
	c.progress(1, 1, 0)
	return c.rate(baudFirst)
}

// Restart resets the chip into its firmware by the modem lines, without the boot
// loader, and leaves the port at 115200 baud. It fails with line.ErrNoLines where
// there are none.
func Restart(ctx context.Context, p line.Port) error {
	r := reset{"RTS", []pull{{false, true, inReset}, {false, false, 0}}}
	if err := r.apply(ctx, p); err != nil {
		return err
	}
	return p.SetBaud(baudFirst)
}
