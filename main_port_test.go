package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/storage"
)

// keep writes settings into the data folder of a program that does not run.
func keep(t *testing.T, data string, change func(*core.Settings)) {
	t.Helper()
	must(t, os.MkdirAll(data, 0o700))
	db, err := storage.Open(t.Context(), data)
	must(t, err)
	s, err := db.Settings(t.Context())
	must(t, err)
	change(&s)
	must(t, db.SaveSettings(t.Context(), s))
	must(t, db.Close())
}

// TestTakenPort: where the settings name a port that somebody has, the program asks
// for another one, keeps it, and starts with it. A flag is told to who wrote it.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	addr := freePort(busy.Addr().String())
	if addr == "" || addr == port {
		t.Fatalf("beside %s, port %q is free", port, addr)
	}
	for _, page := range []bool{false, true} {
		data := filepath.Join(t.TempDir(), "교실")
		keep(t, data, func(s *core.Settings) {
			s.MQTT, s.MQTTS, s.HTTP = "127.0.0.1:0", "-", "127.0.0.1:0"
			if page {
				s.HTTP = busy.Addr().String()
			} else {
				s.MQTT = busy.Addr().String()
			}
		})
		e := env{out: t.Output(), err: t.Output(), data: data}
		try := func(l listeners) (u *unbound) {
			t.Helper()
			p, err := open(t.Context(), e, l)
			if err == nil {
				must(t, p.close())
				return nil
			}
			errors.As(err, &u)
			if !errors.Is(err, core.ErrConflict) {
				t.Errorf("page %v: %v", page, err)
			}
			return u
		}
		flags := listeners{MQTT: busy.Addr().String()}
		if page {
			flags = listeners{HTTP: busy.Addr().String()}
		}
		if u := try(flags); u != nil {
			t.Errorf("a flag is asked about: %v", u)
		}
		if page {
			keep(t, data, func(s *core.Settings) { s.HTTP = "127.0.0.1:0" })
			if u := try(listeners{MQTTS: busy.Addr().String()}); u != nil {
				t.Errorf("the flag of the port for TLS makes it ask for another one of %s", u.addr)
			}
			keep(t, data, func(s *core.Settings) { s.HTTP = busy.Addr().String() })
		}
		u := try(listeners{})
		if u == nil || u.page != page || u.addr != busy.Addr().String() {
			t.Fatalf("page %v: %+v", page, u)
		}
		use := func(port string) error { return usePort(context.WithoutCancel(t.Context()), data, page, port) }
		taken := u.taken(use)
		if !strings.Contains(taken.Text, port) || strings.Contains(taken.Text, "--") || !strings.Contains(taken.Hint, port) || taken.Free == "" || taken.Free == port {
			t.Errorf("page %v: %+v", page, taken)
		}
		for _, wrong := range []struct {
			port string
			kind error
		}{{port, core.ErrConflict}, {"0", core.ErrInvalid}, {"65536", core.ErrInvalid}, {"01883", core.ErrInvalid}, {" 1883", core.ErrInvalid}, {"", core.ErrInvalid}, {"mqtt", core.ErrInvalid}} {
			if err := taken.Use(wrong.port); !errors.Is(err, wrong.kind) {
				t.Errorf("page %v: port %q: %v", page, wrong.port, err)
			}
		}
		if u := try(listeners{}); u == nil {
			t.Fatal("a wrong port was kept")
		}
		must(t, taken.Use(taken.Free))
		p, err := open(t.Context(), e, listeners{})
		must(t, err)
		if got := map[bool]string{false: p.info.MQTT, true: p.info.Page}[page]; got != "127.0.0.1:"+taken.Free {
			t.Errorf("page %v: it listens at %s, not at port %s", page, got, taken.Free)
		}
		if err := use("1"); !errors.Is(err, core.ErrConflict) {
			t.Errorf("the settings of a program that runs: %v", err)
		}
		must(t, p.close())
	}
}

// TestPortsDiffer: no other listener has the port that is chosen.
func TestPortsDiffer(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	keep(t, data, func(s *core.Settings) { s.MQTT, s.MQTTS, s.HTTP = ":1883", ":18883", "127.0.0.1:18080" })
	for _, c := range []struct {
		page bool
		port string
	}{{false, "18883"}, {false, "18080"}, {true, "18883"}, {true, "1883"}} {
		if err := usePort(t.Context(), data, c.page, c.port); !errors.Is(err, core.ErrInvalid) || !strings.Contains(err.Error(), "differ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
