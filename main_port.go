package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/storage"
	"homeroom/ui"
)

// unbound is that the program cannot have an address that the settings name.
type unbound struct {
	error
	addr     string
	page     bool // else it is for MQTT
	language lang.Language
}

func (u *unbound) Unwrap() error { return u.error }

// unboundOr returns err as unbound where it is about an address of the settings s, of
// the page or of MQTT; flag is what the command line has in its place.
func unboundOr(err error, flag string, s core.Settings, page bool) error {
	var network *net.OpError
	if flag != "" || err == nil || !errors.Is(err, core.ErrConflict) && !errors.As(err, &network) {
		return err
	}
	addr := s.MQTT
	if page {
		addr = s.HTTP
	}
	return &unbound{err, addr, page, lang.Language(s.Language)}
}

// anotherPort lets a person choose another port than one that cannot be had, and
// starts the program again. Who started it by a double click knows no flags.
func anotherPort(ctx context.Context, e env, u *unbound) error {
	if !ui.AskPort(u.language, func() ui.Taken { return u.taken(func(port string) error { return usePort(ctx, e.data, u.page, port) }) }) {
		return u
	}
	return again()
}

// taken is what to ask a person, in the window's language.
func (u *unbound) taken(use func(port string) error) ui.Taken {
	_, port, _ := net.SplitHostPort(u.addr)
	t := ui.Taken{Text: lang.Error(u.error), Free: freePort(u.addr), Use: use, Label: lang.L("Port for kits (MQTT)"),
		Hint: lang.L("Kits on Wi-Fi that know port {port} do not find another one: plug each into this PC once.", "port", port)}
	if errors.Is(u, core.ErrConflict) {
		t.Text = lang.L("Another program uses port {port}. Close it, or choose another port.", "port", port)
	}
	if u.page {
		t.Label = lang.L("Port for the page (HTTP)")
		t.Hint = lang.L("Phones that know the page at port {port} have to scan its new code.", "port", port)
	}
	return t
}

// freePort returns a port near that of addr that nobody uses now.
func freePort(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	n, _ := strconv.Atoi(port)
	for next := n + 1; next < min(n+100, 1<<16); next++ {
		if port = strconv.Itoa(next); bindable(net.JoinHostPort(host, port)) == nil {
			return port
		}
	}
	return ""
}

// bindable returns nil if the program could listen at addr.
func bindable(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if n, no := strconv.Atoi(port); err != nil || no != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return core.Fail(core.ErrInvalid, "A port is a number from 1 to 65535.")
	}
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, fs.ErrPermission):
		return core.Fail(core.ErrDenied, "This account of the PC may not use port {port}. Choose one above 1023.", "port", port)
	}
	return core.Fail(core.ErrConflict, "Another program uses port {port}. Close it, or choose another port.", "port", port)
}

// usePort keeps another port for the page, or for MQTT, in the settings of a program
// that does not run.
func usePort(ctx context.Context, data string, page bool, port string) (err error) {
	lock, err := lockFolder(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	db, err := storage.Open(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := db.Settings(ctx)
	if err != nil {
		return err
	}
	addr, others := &s.MQTT, []string{s.MQTTS, s.HTTP}
	if page {
		addr, others = &s.HTTP, []string{s.MQTT, s.MQTTS}
	}
	host, _, _ := net.SplitHostPort(*addr)
	*addr = net.JoinHostPort(host, port)
	for _, other := range others {
		if _, p, _ := net.SplitHostPort(other); p == port {
			return core.Fail(core.ErrInvalid, "The ports must differ.")
		}
	}
	if err := bindable(*addr); err != nil {
		return err
	}
	return db.SaveSettings(ctx, s)
}

// again starts the program once more as it was started. What this process held must
// be free.
func again() error {
	exe, err := os.Executable()
	if err == nil {
		cmd := exec.Command(exe, os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		err = cmd.Start()
	}
	if err != nil {
		return core.Fail(err, "Homeroom did not start again: {reason}. Start it by hand.", "reason", err)
	}
	return nil
}
