//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running server. It ends when this program does.
type server struct {
	cmd        *exec.Cmd
	dir        string
	http, mqtt string // bound addresses; mqtt is "" where there is none
}

// start starts Homeroom, open to everybody, or the hub.
func start(who, homeroom string) (*server, error) {
	dir, err := os.MkdirTemp("", "roomslab-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if who == "Homeroom" {
		path, err := filepath.Abs(homeroom)
		if err != nil {
			return nil, err
		}
		s.cmd = exec.Command(path, "serve", "--open", "--mqtt", "127.0.0.1:0", "--mqtts", "-", "--http", "127.0.0.1:0", "--data", dir)
	} else {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		s.cmd = exec.Command(self, "-hub")
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if x, ok := strings.CutPrefix(lines.Text(), "http listening on "); ok {
			s.http = x
		}
		if x, ok := strings.CutPrefix(lines.Text(), "mqtt listening on "); ok {
			s.mqtt = x
		}
		if lines.Text() == "ready" {
			go func() {
				for lines.Scan() { // so that it can go on talking
				}
			}()
			return s, nil
		}
	}
	s.stop()
	return nil, errors.New(who + " did not start")
}

// stop ends the server and removes its data.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait()
	kill.Stop()
	_ = os.RemoveAll(s.dir)
}

// cpu returns the user and system seconds that the server has used.
func (s *server) cpu() float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return math.NaN()
	}
	// the fields after the name, which is in parentheses and may hold spaces
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	ticks := 0.0
	for _, x := range f[11:13] {
		n, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return math.NaN()
		}
		ticks += n
	}
	return ticks / 100 // USER_HZ
}

// rss returns the server's resident memory in KiB.
func (s *server) rss() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			if n, err := strconv.Atoi(strings.Fields(rest)[0]); err == nil {
				return n
			}
		}
	}
	return 0
}

// moreFiles lets this program and its servers open as many files as the system
// allows: a connection is a file on either side.
func moreFiles() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
