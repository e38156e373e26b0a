package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
)

type kitMonitor struct {
	onPort
	Baud int           `default:"115200" help:"Rate; at 74880 the chip itself tells how it starts."`
	Wait bool          `help:"Wait for the port while it is not there, and again when the board is unplugged."`
	For  time.Duration `placeholder:"TIME" help:"End after that time, such as 10s. Else Ctrl+C ends it."`
}

// slowestMonitor is the least rate that serial ports have in common.
const slowestMonitor = 300

// portAgain is how often a port is looked for that is waited for.
const portAgain = 300 * time.Millisecond

// Run shows what a board says as it comes, or each line as an object, until it is
// interrupted or the board is unplugged. Lines of standard input go to the board; at
// their end it goes on.
func (c *kitMonitor) Run(ctx context.Context, e env) error {
	r := c.report(e)
	if c.Baud < slowestMonitor || c.Baud > fastestBaud {
		return r.end(core.Fail(errUsage, "{baud} baud is no rate of a serial port. Choose one from {from} to {to}; most sketches use 115200 or 9600.", "baud", c.Baud, "from", slowestMonitor, "to", fastestBaud), nil)
	}
	if c.For < 0 {
		return r.end(core.Fail(errUsage, "{time} is no time to watch for. Write it as 10s or 5m.", "time", c.For), nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.For > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	m := &monitor{kitMonitor: c, report: r, typed: make(chan string)}
	go m.read(ctx, e.in) // ends with the input, or with the program
	said := ""
	for {
		err := m.watch(ctx, said != "")
		m.whole()
		if ctx.Err() != nil {
			return r.end(nil, nil) // that is how one leaves
		}
		back := errors.Is(err, line.ErrGone) || errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrDenied) || errors.Is(err, core.ErrConflict)
		var told *core.Problem
		if !c.Wait || !back || !errors.As(err, &told) {
			return r.end(err, nil)
		}
		if now := told.String(); now != said { // a system gives the right to open a new port late
			said = now
			r.note(told.Sentence)
		}
		select {
		case <-time.After(portAgain):
		case <-ctx.Done():
		}
	}
}

// monitor is a monitor at work.
type monitor struct {
	*kitMonitor
	*report
	typed  chan string
	within bool // the last line that was shown has not ended; guarded by report.mu
}

// watch shows what comes from the port until ctx ends or the port is gone.
func (m *monitor) watch(ctx context.Context, waited bool) error {
	p, err := line.System{}.Open(m.Port)
	if err != nil {
		return err
	}
	if m.Baud != 115200 {
		err = p.SetBaud(m.Baud)
	}
	if err == nil {
		if waited {
			m.note(core.Say("{port} is there.", "port", m.Port))
		}
		err = m.talk(ctx, p)
	}
	return errors.Join(err, p.Close())
}

// talk carries on the conversation on a port.
func (m *monitor) talk(ctx context.Context, p line.Port) error {
	on := wire.Events{Text: m.show}
	if m.JSON {
		on = wire.Events{Line: func(text string) {
			m.object(map[string]any{"at": time.Now().Format(time.RFC3339Nano), "line": text})
		}}
	}
	k := wire.Talk(p, on)
	over, end := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			select {
			case text := <-m.typed:
				m.refused(k.Type(over, text))
			case <-over.Done():
				return
			}
		}
	}()
	err := k.Run(ctx)
	end()
	<-sent
	return err
}

// show prints what came.
func (m *monitor) show(text string) {
	if text == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprint(m.e.out, text)
	m.within = !strings.HasSuffix(text, "\n")
}

// whole ends a line that has not ended, before something else is said.
func (m *monitor) whole() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.within {
		fmt.Fprintln(m.e.out)
		m.within = false
	}
}

// refused says why what was typed did not go to the board.
func (m *monitor) refused(err error) {
	var told *core.Problem
	if errors.As(err, &told) && errors.Is(err, core.ErrInvalid) {
		m.whole()
		m.note(told.Sentence)
	}
}

// mostTyped is more than a line to a board has.
const mostTyped = 4096

// read takes lines from standard input until it or ctx ends.
func (m *monitor) read(ctx context.Context, in io.Reader) {
	lines := bufio.NewReaderSize(in, mostTyped)
	for {
		first, err := lines.ReadSlice('\n')
		text := strings.TrimRight(string(first), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) { // what is so long is refused, and goes as a whole
			_, err = lines.ReadSlice('\n')
		}
		if len(first) > 0 {
			select {
			case m.typed <- text:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}
