// Chiplab puts emulated ESP8266 boards on terminals of this PC, so that the window
// and the command line can be tried without a board. It is an instrument, no part of
// the program.
//
//	chiplab -n 2 -host build/host -network Lab:12345678 -link /tmp/board -for 10m
//
// It prints "chip 1 on /dev/pts/7" for each, with -link the names that stay. Then it
// takes lines:
//
//	press 1 button · release 1 button · analog 1 300 · presence 1 on · gpio 1 12 0
//	out 1 5            prints "chip 1 gpio 5 1"
//	told 1             prints what the firmware told last
//	reset 1 · flash 1  RST, and RST while FLASH is held: a terminal has no lines for that
//	unplug 1 · replug 1
//	fault 1 KIND …     as -fault · mend 1
//	save 1 FILE        its flash
//	quit
//
// A number may be "all". It says "ok" after each line, or "error" and why.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"homeroom/core/kits/chip"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chiplab:", err)
		os.Exit(1)
	}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// lab is the boards.
type lab struct {
	ctx    context.Context
	out    io.Writer
	link   string
	boards []*board
}

// board is one of them, from 1 on.
type board struct {
	n    int
	chip *chip.Chip
	host *chip.Host // nil where no firmware runs
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	f := flag.NewFlagSet("chiplab", flag.ContinueOnError)
	count := f.Int("n", 1, "how many boards")
	program := f.String("host", "", "the kit's program on a PC, to run what is flashed")
	flash := f.String("flash", "", "a file that is in their flash at first")
	link := f.String("link", "", "make links of this name and the board's number to the terminals")
	hold := f.Bool("hold", false, "FLASH is held when they are plugged in: they wait to be flashed")
	paced := f.Bool("paced", false, "bytes and flash take the time they take")
	size := f.Int("size", 4, "MB of flash: 1, 2, 4, 8 or 16")
	magic := f.Uint("magic", 0, "what the chip says that it is, where not an ESP8266")
	limit := f.Duration("for", time.Hour, "end by itself after this")
	var networks, faults list
	f.Var(&networks, "network", "a Wi-Fi network in reach, NAME:KEY; several")
	f.Var(&faults, "fault", "what is broken on each, as \"silent command=11 after=3\"; several")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *count < 1 || *count > 64 {
		return errors.New("-n is 1 to 64")
	}
	if !slices.Contains([]int{1, 2, 4, 8, 16}, *size) {
		return errors.New("-size is 1, 2, 4, 8 or 16")
	}
	var content []byte
	if *flash != "" {
		if content, err = os.ReadFile(*flash); err != nil {
			return err
		}
	}
	ctx, stop := context.WithTimeout(ctx, *limit)
	defer stop()
	l := &lab{ctx: ctx, out: out, link: *link}
	defer l.close()
	for n := 1; n <= *count; n++ {
		b := &board{n: n}
		mac := [6]byte{0x5C, 0xCF, 0x7F, 0, 0, byte(n)}
		o := chip.Options{Flash: content, Size: *size << 20, Magic: uint32(*magic), MAC: mac, NoLines: true, Paced: *paced}
		if *program != "" {
			b.host = chip.NewHost(*program, "--mac", fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]))
			for i, s := range networks {
				name, key, _ := strings.Cut(s, ":")
				security := 3 // WPA2
				if key == "" {
					security = 0
				}
				if err := b.host.Network(name, key, 1+i*5%11, security, -45-7*i); err != nil {
					return err
				}
			}
			o.Start = b.host.Start
		}
		b.chip = chip.New(o)
		l.boards = append(l.boards, b)
		for _, s := range faults {
			fault, err := chip.ParseFault(s)
			if err != nil {
				return err
			}
			b.chip.Break(fault)
		}
		if *hold {
			b.chip.PressReset(true)
		}
		if err := l.plug(b); err != nil {
			return err
		}
	}

	lines := make(chan string)
	go func() { // ends with the program: nothing ends a read of its input
		s := bufio.NewScanner(in)
		for s.Scan() {
			lines <- s.Text()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-lines:
			w := strings.Fields(s)
			if len(w) == 0 {
				continue
			}
			if w[0] == "quit" {
				return nil
			}
			if err := l.do(w); err != nil {
				fmt.Fprintln(out, "error", err)
			} else {
				fmt.Fprintln(out, "ok")
			}
		}
	}
}

func (l *lab) close() {
	for _, b := range l.boards {
		l.unlink(b)
		b.chip.Close()
	}
}

// name is the link to a board's terminal, "" without links.
func (l *lab) name(b *board) string {
	if l.link == "" {
		return ""
	}
	return l.link + strconv.Itoa(b.n)
}

func (l *lab) unlink(b *board) {
	if name := l.name(b); name != "" {
		if to, err := os.Readlink(name); err == nil && strings.HasPrefix(to, "/dev/pts/") {
			os.Remove(name)
		}
	}
}

// plug opens the terminal of a board and says where it is.
func (l *lab) plug(b *board) error {
	pts, err := b.chip.PTY(l.ctx)
	if err != nil {
		return err
	}
	if name := l.name(b); name != "" {
		l.unlink(b)
		if err := os.Symlink(pts, name); err != nil {
			return err
		}
		pts = name
	}
	fmt.Fprintf(l.out, "chip %d on %s\n", b.n, pts)
	return nil
}

// do does a line.
func (l *lab) do(w []string) error {
	if len(w) < 2 {
		return fmt.Errorf("%s of which board?", w[0])
	}
	for _, b := range l.boards {
		if w[1] != "all" && w[1] != strconv.Itoa(b.n) {
			continue
		}
		if err := l.one(b, w[0], w[2:]); err != nil || w[1] != "all" {
			return err
		}
	}
	if w[1] != "all" {
		return fmt.Errorf("there is no board %s", w[1])
	}
	return nil
}

// one does a command with one board.
func (l *lab) one(b *board, verb string, args []string) error {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch verb {
	case "reset", "flash":
		b.chip.PressReset(verb == "flash")
		return nil
	case "unplug":
		b.chip.Unplug()
		l.unlink(b)
		return nil
	case "replug":
		b.chip.Replug()
		return l.plug(b)
	case "fault":
		f, err := chip.ParseFault(strings.Join(args, " "))
		if err != nil {
			return err
		}
		b.chip.Break(f)
		return nil
	case "mend":
		b.chip.Mend()
		return nil
	case "save":
		return os.WriteFile(arg(0), b.chip.Flash().Bytes(), 0o644)
	}
	if b.host == nil {
		return fmt.Errorf("%s is nothing without -host", verb)
	}
	number := func(i int) (int, error) { return strconv.Atoi(arg(i)) }
	switch verb {
	case "press":
		return b.host.Press(arg(0))
	case "release":
		return b.host.Release(arg(0))
	case "presence":
		return b.host.Presence(arg(0) == "on")
	case "analog":
		v, err := number(0)
		if err != nil {
			return err
		}
		return b.host.Analog(v)
	case "gpio":
		pin, err := number(0)
		if err != nil {
			return err
		}
		return b.host.GPIO(pin, arg(1) == "1")
	case "out":
		pin, err := number(0)
		if err != nil {
			return err
		}
		level := 0
		if high, _ := b.host.Output(pin); high {
			level = 1
		}
		fmt.Fprintf(l.out, "chip %d gpio %d %d\n", b.n, pin, level)
		return nil
	case "told":
		for _, s := range b.host.Lines() {
			fmt.Fprintf(l.out, "chip %d told %s\n", b.n, s)
		}
		return nil
	}
	return fmt.Errorf("there is no %q", verb)
}
