package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/storage"
)

// TestTLS is a class that trusts the CA certificate: with it mosquitto's clients
// get in, with another nobody does; and over a restart the pin stays.
func TestTLS(t *testing.T) {
	data := t.TempDir()
	secret := class(t, data)
	ca := filepath.Join(t.TempDir(), "내 인증서.crt")
	before := tool(t, data, "", "cert", "--out", ca) // before the first start
	pin := strings.TrimPrefix(strings.Split(before, "\n")[0], "pin: ")
	s := serve(t, data)
	if beside := tool(t, data, "", "cert"); !strings.HasPrefix(beside, before) || !strings.Contains(beside, string(read(t, ca))) || !strings.HasPrefix(pin, "sha256//") {
		t.Errorf("cert printed %q, and before %q", beside, before)
	}
	other := filepath.Join(t.TempDir(), "ca.crt")
	tool(t, t.TempDir(), "", "cert", "--out", other)
	secure := &served{t: t, mqtt: s.mqtts}
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		if out, code := secure.mosquitto("mosquitto_pub", "kit-1", secret["kit-1"], "--cafile", ca, "-V", version, "-q", "1", "-r", "-t", "blue/lab/kit-1/"+version, "-m", "21.5"); code != 0 {
			t.Errorf("%s: exit %d, %s", version, code, out)
		}
		if out, code := secure.mosquitto("mosquitto_sub", "kit-2", secret["kit-2"], "--cafile", ca, "-V", version, "-t", "blue/lab/kit-1/"+version, "-C", "1", "-W", "20"); code != 0 || strings.TrimSpace(out) != "21.5" {
			t.Errorf("%s: exit %d, %s", version, code, out)
		}
	}
	if out, code := secure.mosquitto("mosquitto_pub", "kit-1", secret["kit-1"], "--cafile", ca, "--tls-version", "tlsv1.2", "-t", "blue/x", "-m", strings.Repeat("x", 100_000)); code != 0 {
		t.Errorf("TLS 1.2: exit %d, %s", code, out)
	}
	for what, args := range map[string][]string{
		"another CA": {"--cafile", other}, "no TLS": nil,
	} {
		if out, code := secure.mosquitto("mosquitto_pub", "kit-1", secret["kit-1"], append(args, "-t", "blue/x", "-m", "1")...); code == 0 {
			t.Errorf("%s was taken: %s", what, out)
		}
	}
	if out, code := secure.mosquitto("mosquitto_pub", "kit-1", "wrong", "--cafile", ca, "-t", "blue/x", "-m", "1"); code == 0 {
		t.Errorf("a wrong secret was taken: %s", out)
	}
	if got := pinOf(t, s.mqtts); got != pin {
		t.Errorf("openssl computes %s, cert printed %s", got, pin)
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: exit %d, said %s", code, s.errors)
	}
	s = serve(t, data)
	if got := pinOf(t, s.mqtts); got != pin {
		t.Errorf("after a restart the pin is %s, was %s", got, pin)
	}
	secure = &served{t: t, mqtt: s.mqtts}
	if out, code := secure.mosquitto("mosquitto_pub", "kit-1", secret["kit-1"], "--cafile", ca, "-t", "blue/x", "-m", "1"); code != 0 {
		t.Errorf("after a restart: exit %d, %s", code, out)
	}
	if runtime.GOOS != "windows" {
		if i, err := os.Stat(filepath.Join(data, "core.db")); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("the keys are in a file of mode %v, %v", i.Mode(), err)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pinOf computes the pin of who listens at port, with openssl as its manual
// tells to for curl.
func pinOf(t *testing.T, port string) string {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl to compare with")
	}
	var stdin bytes.Buffer
	for _, args := range [][]string{
		{"s_client", "-connect", "127.0.0.1:" + port}, {"x509", "-pubkey", "-noout"}, {"pkey", "-pubin", "-outform", "der"}, {"dgst", "-sha256", "-binary"},
	} {
		cmd := exec.Command(openssl, args...)
		cmd.Stdin = bytes.NewReader(stdin.Bytes())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		stdin = *bytes.NewBuffer(out)
	}
	return "sha256//" + base64.StdEncoding.EncodeToString(stdin.Bytes())
}

// TestWithoutTLS: what is in the way of TLS keeps nobody from starting, and is
// told; unless TLS was asked for.
func TestWithoutTLS(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	prepare := func(mqtts string, damage bool) string {
		t.Helper()
		data := t.TempDir()
		db, err := storage.Open(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		s := core.DefaultSettings()
		s.MQTT, s.MQTTS, s.HTTP, s.Named = "127.0.0.1:0", mqtts, "127.0.0.1:0", !damage // the name comes from the same keys
		if err := db.SaveSettings(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if damage {
			if _, err := db.Identity(t.Context(), func() ([]byte, error) { return []byte("damaged"), nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		what, data, flag string
		code             int // of the start; 0 is that it serves
		secure           bool
		says             string
	}{
		{"a taken port of the settings", prepare("127.0.0.1:"+port, false), "", 0, false, "serves without TLS, because another program uses port " + port},
		{"a taken port of the flag", prepare("-", false), "127.0.0.1:" + port, 1, false, "Port " + port + " is taken"},
		{"an address of the settings that is none", prepare("nonsense", false), "", 0, false, "serves without TLS: nonsense is not an address"},
		{"an address of the flag that is none", prepare("-", false), "nonsense", 1, false, "nonsense is not an address"},
		{"damaged keys", prepare("127.0.0.1:0", true), "", 0, false, "The keys for TLS in core.db are damaged"},
		{"damaged keys and the flag", prepare("-", true), "127.0.0.1:0", 1, false, "The keys for TLS in core.db are damaged"},
		{"switched off in the settings", prepare("-", true), "", 0, false, ""},
		{"switched off by the flag", prepare("127.0.0.1:"+port, false), "-", 0, false, ""},
		{"as it should be", prepare("127.0.0.1:0", false), "", 0, true, ""},
	} {
		var out, errs bytes.Buffer
		var args listeners
		args.MQTTS = c.flag
		p, err := open(t.Context(), env{out: &out, err: &errs, data: c.data}, args)
		if c.code != 0 {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: err = %v", c.what, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: it does not start: %v", c.what, err)
			continue
		}
		p.announce(env{out: &out, err: &errs})
		if (p.info.MQTTS != "") != c.secure || (len(addresses(p.info).MQTTS) > 0) != c.secure || strings.Contains(out.String(), "mqtts listening on 127.0.0.1:") != c.secure {
			t.Errorf("%s: TLS at %q, printed %s", c.what, p.info.MQTTS, &out)
		}
		if c.says == "" && errs.Len() > 0 || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: said %q, want %q", c.what, &errs, c.says)
		}
		// The window tells it too.
		refused := p.accounts.Refusals(10)
		if told := len(refused) == 1 && strings.Contains(refused[0].Say.String(), c.says); told != (c.says != "") {
			t.Errorf("%s: Home lists %v", c.what, refused)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
	// The program itself takes the dash, and says it in a line.
	data := prepare("127.0.0.1:"+port, false)
	if s := serve(t, data, "--mqtts", "-"); s.mqtts != "" || s.end(syscall.SIGTERM) != 0 {
		t.Errorf("with --mqtts - it serves at %q, and said %s", s.mqtts, s.errors)
	}
	for _, c := range []struct{ data, out, says string }{{t.TempDir(), t.TempDir(), "The certificate was not written"}, {prepare("-", true), "", "damaged"}} {
		var errs bytes.Buffer
		if code := run(t.Context(), []string{"cert", "--data", c.data, "--out", c.out}, env{out: io.Discard, err: &errs}); code != 1 || !strings.Contains(errs.String(), c.says) {
			t.Errorf("cert: exit %d, said %s, want %q", code, &errs, c.says)
		}
	}
}

func TestTLSAddr(t *testing.T) {
	for _, c := range []struct{ mqtt, mqtts, settings, want string }{
		{"", "", ":8883", ":8883"}, {"", "", "-", ""}, {"", "-", ":8883", ""}, {"", ":9", "-", ":9"}, {":1884", "", ":8883", ":8883"},
		{"127.0.0.1:0", "", ":8883", "127.0.0.1:8883"}, {"localhost:1883", "", ":8883", "localhost:8883"}, {"[::1]:1883", "", ":8883", "[::1]:8883"},
		{":1884", "", "127.0.0.1:8883", "127.0.0.1:8883"}, {"127.0.0.1:0", ":9", ":8883", ":9"}, {"127.0.0.1:0", "", "-", ""}, {"nonsense", "", ":8883", ":8883"},
	} {
		if got := tlsAddr(listeners{MQTT: c.mqtt, MQTTS: c.mqtts}, core.Settings{MQTTS: c.settings}); got != c.want {
			t.Errorf("--mqtt %q --mqtts %q with %q set: %q, want %q", c.mqtt, c.mqtts, c.settings, got, c.want)
		}
	}
}

// TestTLSGoesOn: a client that speaks TLS and then says nothing, or nonsense,
// is nobody else's trouble, and a kept session follows its client to TLS.
func TestTLSGoesOn(t *testing.T) {
	s := serve(t, t.TempDir(), "--open")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(tool(t, s.data, "", "cert")))
	dial := func() net.Conn {
		t.Helper()
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", "127.0.0.1:"+s.mqtts, &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for range 20 {
		dial()
		raw, err := net.Dial("tcp", "127.0.0.1:"+s.mqtts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { raw.Close() })
		if _, err := raw.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	c := dial()
	if _, err := c.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01k")); err != nil {
		t.Fatal(err)
	}
	connack := make([]byte, 4)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(connack); err != nil || !bytes.Equal(connack, []byte{0x20, 2, 0, 0}) {
		t.Errorf("CONNACK % x, %v", connack, err)
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: exit %d, said %s", code, s.errors)
	}
}

// TestLimitsHoldAtOnce: what Settings says of limits reaches the broker.
func TestLimitsHoldAtOnce(t *testing.T) {
	data := t.TempDir()
	secret := class(t, data)["kit-1"]
	p, err := open(t.Context(), env{out: io.Discard, err: io.Discard, data: data}, listeners{MQTT: "127.0.0.1:0", MQTTS: "-", HTTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	_, port, _ := net.SplitHostPort(p.info.MQTT)
	s := &served{t: t, mqtt: port}
	first := s.start("mosquitto_sub", "kit-1", secret, "-i", "kit-1", "-t", "blue/end", "-C", "1", "-W", "25")
	second := func() int {
		_, code := s.mosquitto("mosquitto_pub", "kit-1", secret, "-i", "kit-1-b", "-t", "blue/x", "-m", "1")
		return code
	}
	eventually(t, "kit-1 is connected", func() bool { return len(p.broker.Clients()) == 1 })
	if code := second(); code != 0 {
		t.Errorf("a second connection under the default: exit %d", code)
	}
	now := p.settings.Settings()
	for _, c := range []struct {
		most int
		ok   bool
	}{{1, false}, {2, true}} {
		now.Limits.Connections = c.most
		if err := p.settings.SetSettings(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if code := second(); (code == 0) != c.ok {
			t.Errorf("a second connection of at most %d: exit %d", c.most, code)
		}
	}
	s.mosquitto("mosquitto_pub", "kit-1", secret, "-i", "kit-1-b", "-t", "blue/end", "-m", "1")
	if out, code := first(); code != 0 {
		t.Errorf("the first connection did not last: exit %d, %s", code, out)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
