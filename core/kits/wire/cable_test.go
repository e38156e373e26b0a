package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// brokers is where the cable leads in a test.
type brokers struct {
	dialled chan net.Conn // the broker's ends
	told    []string      // of Events.Cable
}

// cabled is talk with brokers.
func cabled(t *testing.T, f func(t *testing.T, k *Kit, b *board, s *brokers, stop func() error)) {
	s := &brokers{}
	talk(t, Events{
		Dial: func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			s.dialled <- far
			return near, nil
		},
		Cable: func(open bool) { s.told = append(s.told, fmt.Sprint(open)) },
	}, func(t *testing.T, k *Kit, b *board, stop func() error) {
		s.dialled = make(chan net.Conn, 10) // a channel of the bubble
		f(t, k, b, s, stop)
	})
}

// expect waits until all is still and says where the program sent something else.
func (b *board) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := b.got(); !slices.Equal(got, want) {
		t.Errorf("it sent %q, want %q", got, want)
	}
}

// open opens the kit's connection.
func (b *board) open(t *testing.T, s *brokers, seq byte) net.Conn {
	t.Helper()
	b.send(frame{cableOpen, seq, nil}.encode())
	b.expect(t, fmt.Sprintf("90 %d 00", seq))
	return <-s.dialled
}

// takes answers what the program sends over the cable.
func (b *board) takes() {
	b.onFrame(func(f frame) {
		if f.kind == cableData || f.kind == cableClose {
			b.answers(f, 0)
		}
	})
}

// read reads what the broker has got by now.
func read(t *testing.T, conn net.Conn) (string, error) {
	t.Helper()
	var all []byte
	buf := make([]byte, 1000)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return string(all), err
		}
	}
}

func TestCable(t *testing.T) {
	cabled(t, func(t *testing.T, k *Kit, b *board, s *brokers, _ func() error) {
		conn := b.open(t, s, 9)
		// To the broker; what comes twice counts once.
		b.send(frame{cableData, 0, []byte("CONN")}.encode(), frame{cableData, 0, []byte("CONN")}.encode(), frame{cableData, 1, []byte("ECT")}.encode())
		if got, err := read(t, conn); got != "CONNECT" || errors.Is(err, io.EOF) {
			t.Errorf("%q %v", got, err)
		}
		b.expect(t, "91 0 00", "91 0 00", "91 1 00")
		// To the kit, at most 128 bytes a frame, and the next when it has answered.
		go conn.Write(bytes.Repeat([]byte{1}, 130)) //nolint:errcheck // the kit gets it
		b.expect(t, "11 0 "+strings.Repeat("01", 128))
		time.Sleep(cableAgain)
		b.expect(t, "11 0 "+strings.Repeat("01", 128))
		b.takes()
		b.send(frame{cableData | answered, 9, []byte{0}}.encode()) // of something else
		b.expect(t)
		b.answers(frame{cableData, 0, nil}, 0)
		b.expect(t, "11 1 0101")
		// A request in between.
		b.onFrame(func(f frame) { b.answers(f, 0) })
		if err := k.Locate(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
		b.expect(t, "05 1 01")
		// The kit says goodbye and closes.
		b.send(frame{cableData, 2, []byte("DISCONNECT")}.encode(), frame{cableClose, 10, nil}.encode())
		b.expect(t, "91 2 00", "92 10 00")
		if got, err := read(t, conn); got != "DISCONNECT" || !errors.Is(err, io.EOF) {
			t.Errorf("%q %v", got, err)
		}
		b.send(frame{cableClose, 10, nil}.encode(), frame{cableData, 3, nil}.encode())
		b.expect(t, "92 10 00", "91 3 03")
		if !slices.Equal(s.told, []string{"true", "false"}) {
			t.Error(s.told)
		}
	})
}

func TestCableWithoutBroker(t *testing.T) {
	talk(t, Events{}, func(t *testing.T, _ *Kit, b *board, _ func() error) {
		b.send(frame{cableData, 0, nil}.encode(), frame{cableOpen, 4, nil}.encode())
		b.expect(t, "91 0 03", "90 4 03")
	})
	talk(t, Events{Dial: func(context.Context) (net.Conn, error) { return nil, io.EOF }}, func(t *testing.T, _ *Kit, b *board, _ func() error) {
		b.send(frame{cableOpen, 4, nil}.encode())
		b.expect(t, "90 4 03")
		b.send(frame{cableOpen, 5, nil}.encode())
		b.expect(t, "90 5 03")
	})
	// One that does not answer: the kit hears so before it gives up.
	var near, far net.Conn
	slow := func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return near, nil
	}
	talk(t, Events{Dial: slow}, func(t *testing.T, _ *Kit, b *board, _ func() error) {
		near, far = net.Pipe()
		b.send(frame{cableOpen, 4, nil}.encode())
		time.Sleep(cableDial - time.Millisecond)
		b.send(frame{cableOpen, 4, nil}.encode())
		b.expect(t)
		time.Sleep(time.Millisecond)
		b.expect(t, "90 4 00") // it came in time after all
		// The kit has given up meanwhile: nobody keeps the connection.
		b.send(frame{cableOpen, 5, nil}.encode(), frame{cableClose, 6, nil}.encode())
		time.Sleep(time.Second)
		b.expect(t, "92 6 00")
		if _, err := read(t, far); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

func TestCableOpenAgain(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, _ func() error) {
		first := b.open(t, s, 0)
		b.send(frame{cableOpen, 0, nil}.encode()) // it has not heard the answer
		b.expect(t, "90 0 00")
		if len(s.dialled) > 0 {
			t.Error("dialled twice")
		}
		b.send(frame{cableData, 0, []byte("x")}.encode())
		b.expect(t, "91 0 00")
		go first.Write([]byte("old")) //nolint:errcheck // the kit is gone
		b.expect(t, "11 0 6f6c64")
		second := b.open(t, s, 0) // it started anew
		if _, err := read(t, first); !errors.Is(err, io.EOF) {
			t.Error("the old connection stays:", err)
		}
		b.send(frame{cableData, 0, []byte("y")}.encode())
		time.Sleep(3 * time.Second)
		b.expect(t, "91 0 00") // and nothing of the old one
		if got, _ := read(t, second); got != "y" {
			t.Errorf("%q", got)
		}
		if !slices.Equal(s.told, []string{"true", "false", "true"}) {
			t.Error(s.told)
		}
	})
}

func TestCableGap(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, _ func() error) {
		conn := b.open(t, s, 0)
		b.send(frame{cableData, 1, []byte("x")}.encode(), frame{cableData, 1, []byte("x")}.encode())
		b.expect(t, "91 1 03", "91 1 03")
		if got, err := read(t, conn); got != "" || !errors.Is(err, io.EOF) {
			t.Errorf("%q %v", got, err)
		}
	})
}

// TestCableUnplugged pulls the plug: the broker sees the connection break at once,
// so that it publishes the will.
func TestCableUnplugged(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, stop func() error) {
		conn := b.open(t, s, 0)
		close(b.gone)
		synctest.Wait()
		if got, err := read(t, conn); got != "" || !errors.Is(err, io.EOF) {
			t.Errorf("%q %v", got, err)
		}
		_ = stop()
		if !slices.Equal(s.told, []string{"true", "false"}) {
			t.Error(s.told)
		}
	})
}

// TestCableProgramEnds tells the kit, so that it need not find out.
func TestCableProgramEnds(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, stop func() error) {
		conn := b.open(t, s, 0)
		_ = stop()
		b.expect(t, "12 0 ")
		if _, err := read(t, conn); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

func TestCableBrokerCloses(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, _ func() error) {
		conn := b.open(t, s, 0)
		go func() {
			_, _ = conn.Write([]byte("refused"))
			_ = conn.Close()
		}()
		b.expect(t, "11 0 72656675736564")
		b.answers(frame{cableData, 0, nil}, 0)
		b.expect(t, "12 1 ")
		time.Sleep(cableAgain)
		b.expect(t, "12 1 ")
		b.answers(frame{cableClose, 1, nil}, 0)
		time.Sleep(10 * time.Second)
		b.expect(t)
		if !slices.Equal(s.told, []string{"true", "false"}) {
			t.Error(s.told)
		}
		// A kit that writes meanwhile still hears the last word.
		b.takes()
		conn = b.open(t, s, 1)
		_ = conn.Close()
		b.send(frame{cableData, 0, []byte("x")}.encode())
		synctest.Wait()
		if got := b.got(); !slices.Contains(got, "12 0 ") {
			t.Errorf("%q", got)
		}
	})
}

func TestCableKitIsSilent(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, _ func() error) {
		for _, status := range []int{-1, 3} {
			conn := b.open(t, s, 0)
			want := []string{"11 0 78", "11 0 78", "11 0 78", "11 0 78", "11 0 78", "11 0 78", "12 0 "}
			if status >= 0 { // or it says that it has no connection
				b.onFrame(func(f frame) { b.answers(f, byte(status)) })
				want = []string{"11 0 78", "12 0 "}
			}
			_, _ = conn.Write([]byte("x"))
			time.Sleep(6*cableAgain - 10*time.Millisecond)
			if _, err := read(t, conn); (status < 0) == errors.Is(err, io.EOF) {
				t.Error(err)
			}
			time.Sleep(time.Second)
			b.expect(t, want...)
			if _, err := read(t, conn); !errors.Is(err, io.EOF) {
				t.Error("the connection stays:", err)
			}
		}
	})
}

// TestCableBackPressure has a broker that does not read: the kit gets no answer
// until there is room, and no byte is lost.
func TestCableBackPressure(t *testing.T) {
	cabled(t, func(t *testing.T, _ *Kit, b *board, s *brokers, _ func() error) {
		conn := b.open(t, s, 0)
		var want strings.Builder
		n := 0
		for ; n < 1000; n++ {
			data := fmt.Sprintf("%d,", n)
			b.send(frame{cableData, byte(n), []byte(data)}.encode())
			synctest.Wait()
			if len(b.got()) == 0 {
				break
			}
			want.WriteString(data)
		}
		if n < cableQueue || n > cableQueue+2 {
			t.Errorf("%d frames are taken", n)
		}
		got, _ := read(t, conn)
		if got != want.String() {
			t.Errorf("%q", got)
		}
		b.send(frame{cableData, byte(n), []byte("again")}.encode())
		b.expect(t, fmt.Sprintf("91 %d 00", byte(n)))
		if got, _ := read(t, conn); got != "again" {
			t.Errorf("%q", got)
		}
	})
}

// TestCableLossy carries bytes both ways over a line that loses one packet in
// four, but none so often that anybody gives up.
func TestCableLossy(t *testing.T) {
	for seed := range uint64(20) {
		cabled(t, func(t *testing.T, k *Kit, b *board, s *brokers, _ func() error) {
			random := rand.New(rand.NewPCG(1, seed)) // only the board uses it
			conn := b.open(t, s, 0)
			losses := map[string]int{}
			lost := func(f frame) bool {
				key := fmt.Sprint(f.kind, f.seq, len(f.data))
				if losses[key] == 2 || random.IntN(4) > 0 {
					return false
				}
				losses[key]++
				return true
			}
			var got []byte
			last := -1
			acked := make(chan byte, 100)
			send := func(f frame) {
				b.mu.Lock()
				defer b.mu.Unlock()
				if !lost(f) {
					b.send(f.encode())
				}
			}
			b.onFrame(func(f frame) {
				b.mu.Lock()
				gone := lost(f)
				b.mu.Unlock()
				switch {
				case gone:
				case f.kind == cableData:
					if int(f.seq) != last {
						got, last = append(got, f.data...), int(f.seq)
					}
					send(frame{f.kind | answered, f.seq, []byte{0}})
				case f.kind == cableData|answered && len(f.data) == 1 && f.data[0] == 0:
					acked <- f.seq
				case f.kind == askLocate:
					send(frame{f.kind | answered, f.seq, []byte{0}})
				}
			})
			down := make([]byte, 9000)
			up := make([]byte, 9000)
			for i := range down {
				down[i], up[i] = byte(i*i>>3), byte(i*7>>2)
			}
			go conn.Write(down) //nolint:errcheck // got tells
			var taken []byte
			go func() {
				buf := make([]byte, 100)
				for {
					n, err := conn.Read(buf)
					taken = append(taken, buf[:n]...)
					if err != nil {
						return
					}
				}
			}()
			go func() {
				for range 5 {
					_ = k.Locate(t.Context(), time.Second)
				}
			}()
			seq := byte(0)
			for part := range slices.Chunk(up, 97) {
				for waiting := true; waiting; {
					send(frame{cableData, seq, part})
					timer := time.After(cableAgain)
					for again := false; waiting && !again; {
						select {
						case n := <-acked:
							waiting = n != seq
						case <-timer:
							again = true
						}
					}
				}
				seq++
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if !bytes.Equal(taken, up) || !bytes.Equal(down, got) {
				t.Errorf("seed %d: %d of %d bytes up, %d down", seed, len(taken), len(up), len(got))
			}
		})
	}
}

// TestCableProgramEndsEarly ends it while it dials: the kit must not wait.
func TestCableProgramEndsEarly(t *testing.T) {
	dial := func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	talk(t, Events{Dial: dial}, func(t *testing.T, _ *Kit, b *board, stop func() error) {
		b.send(frame{cableOpen, 7, nil}.encode())
		synctest.Wait()
		_ = stop()
		b.expect(t, "90 7 03")
	})
}
