//go:build linux

package main

import (
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// broker says how a broker is started on addr with its data in dir.
type broker struct {
	name    string
	command func(addr, dir string) (*exec.Cmd, error)
}

func mosquittoAt(path string) broker {
	return broker{"Mosquitto", func(addr, dir string) (*exec.Cmd, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		conf := filepath.Join(dir, "mosquitto.conf")
		text := fmt.Sprintf("listener %s %s\nallow_anonymous true\nlog_dest none\nmax_inflight_messages 1000\n", port, host)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			return nil, err
		}
		if _, err := exec.LookPath(path); err != nil && path == "mosquitto" {
			path = "/usr/sbin/mosquitto" // where Debian has it, outside a person's PATH
		}
		return exec.Command(path, "-c", conf), nil
	}}
}

func homeroomAt(path string) broker {
	return broker{"Homeroom", func(addr, dir string) (*exec.Cmd, error) {
		path, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		return exec.Command(path, "serve", "--open", "--mqtt", addr, "--mqtts", "-", "--http", "127.0.0.1:0", "--data", dir), nil
	}}
}

// moreFiles lets this program and the brokers it starts open as many files as
// the system allows: a connection is a file on either side.
func moreFiles() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}

// enoughFiles returns an error unless n connections can be open.
func enoughFiles(n int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if need := uint64(n) + 200; l.Cur < need {
		return fmt.Errorf("%d connections need %d open files, and the system allows %d: raise it with ulimit -Hn, as root", n, need, l.Cur)
	}
	return nil
}

// server is a running broker. It ends when this program does.
type server struct {
	addr string
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// start starts b on a free port and waits until it accepts connections.
func start(b broker) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mqttlab-")
	if err != nil {
		return nil, err
	}
	cmd, err := b.command(addr, dir)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{addr: addr, dir: dir, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		cmd.Wait() // how it ended is seen by alive
	}()
	for range 200 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			time.Sleep(300 * time.Millisecond) // what it does at its start is not the load's cost
			return s, nil
		}
		if !s.alive() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	s.stop()
	return nil, fmt.Errorf("%s did not start: %s", b.name, strings.TrimSpace(string(said)))
}

// stop ends the broker and removes its data.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
	os.RemoveAll(s.dir)
}

func (s *server) alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// cpu returns the user and system seconds that the broker has used.
func (s *server) cpu() float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return math.NaN()
	}
	// the fields after the name, which is in parentheses and may hold spaces
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var ticks float64
	for _, s := range f[11:13] {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return math.NaN()
		}
		ticks += n
	}
	return ticks / 100 // USER_HZ
}

// rss returns the broker's resident memory in KiB.
func (s *server) rss() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return math.NaN()
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			if n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64); err == nil {
				return n
			}
		}
	}
	return math.NaN()
}
