package trust

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
)

// store keeps the identity as core.db does.
type store struct {
	kept []byte
	err  error
}

func (s *store) Identity(_ context.Context, fresh func() ([]byte, error)) (kept []byte, err error) {
	if s.kept == nil && s.err == nil {
		s.kept, s.err = fresh()
	}
	return s.kept, s.err
}

// machine is a PC whose addresses and clock a test sets.
type machine struct {
	mu    sync.Mutex
	addrs []netip.Addr
	err   error
	now   time.Time
	asked int
}

func (m *machine) set(addrs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addrs = nil
	for _, a := range addrs {
		m.addrs = append(m.addrs, netip.MustParseAddr(a))
	}
}

func (m *machine) config(s Store, host string) Config {
	return Config{Store: s, Host: host, Log: slog.New(slog.DiscardHandler),
		Addrs: func() ([]netip.Addr, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.asked++
			return m.addrs, m.err
		},
		Now: func() time.Time { return m.now }}
}

// class is a time at which lessons are held.
var class = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func open(t *testing.T, cfg Config) *Authority {
	t.Helper()
	a, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// server answers handshakes at a port of this machine and returns its address.
func server(t *testing.T, a *Authority) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if c.(*tls.Conn).HandshakeContext(t.Context()) == nil {
					_, _ = c.Write([]byte("x"))
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// connect shakes hands with addr as a client that trusts ca and means name.
func connect(addr, name string, ca []byte, at time.Time, change func(*tls.Config)) (tls.ConnectionState, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	cfg := &tls.Config{RootCAs: roots, ServerName: name, Time: func() time.Time { return at }}
	if change != nil {
		change(cfg)
	}
	c, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

func TestHandshake(t *testing.T) {
	m := &machine{now: class}
	m.set("192.168.1.20", "10.3.4.5", "fe80::1%eth0", "fd00::7", "203.0.113.9", "2001:db8::1", "127.0.0.1", "192.168.1.20")
	a := open(t, m.config(&store{}, "Lab-PC.school.example"))
	addr := server(t, a)
	other := open(t, m.config(&store{}, "Lab-PC.school.example")) // same name, other keys
	for _, c := range []struct {
		what, name string
		ca         *Authority
		change     func(*tls.Config)
		fails      string
	}{
		{"an address", "192.168.1.20", a, nil, ""},
		{"another network", "10.3.4.5", a, nil, ""},
		{"a link-local address", "fe80::1", a, nil, ""},
		{"a unique local address", "fd00::7", a, nil, ""},
		{"loopback", "127.0.0.1", a, nil, ""},
		{"loopback 6", "::1", a, nil, ""},
		{"localhost", "localhost", a, nil, ""},
		{"the name of the machine", "lab-pc.school.example", a, nil, ""},
		{"its short name", "lab-pc", a, nil, ""},
		{"its name in mDNS", "lab-pc.local", a, nil, ""},
		{"TLS 1.2, as an ESP8266", "192.168.1.20", a, func(c *tls.Config) {
			c.MaxVersion, c.CurvePreferences = tls.VersionTLS12, []tls.CurveID{tls.CurveP256}
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
		}, ""},
		{"an address it has not", "192.168.1.21", a, nil, "not 192.168.1.21"},
		{"a public address", "203.0.113.9", a, nil, "not 203.0.113.9"},
		{"a public name", "example.com", a, nil, "not example.com"},
		{"a name beside it", "other.local", a, nil, "not other.local"},
		{"another installation's authority", "192.168.1.20", other, nil, "unknown authority"},
		{"TLS 1.1", "192.168.1.20", a, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "protocol version"},
		{"a client that knows RSA only", "192.168.1.20", a, func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}, "handshake failure"},
	} {
		_, err := connect(addr, c.name, c.ca.CA(), class, c.change)
		if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: err = %v, want %q", c.what, err, c.fails)
		}
	}
	state, err := connect(addr, "localhost", a.CA(), class, nil)
	if err != nil {
		t.Fatal(err)
	}
	if leaf := state.PeerCertificates[0]; len(state.PeerCertificates) != 1 || leaf.NotAfter.Sub(leaf.NotBefore) > 397*day || len(leaf.Raw) > 1024 {
		t.Errorf("%d certificates, the first of %d bytes from %v to %v", len(state.PeerCertificates), len(leaf.Raw), leaf.NotBefore, leaf.NotAfter)
	}
}

// TestNameConstraints: who has the authority's key cannot pose as a site of the
// internet to those who trust it.
func TestNameConstraints(t *testing.T) {
	m := &machine{now: class}
	a := open(t, m.config(&store{}, "lab-pc"))
	if ca := a.id.ca; !ca.PermittedDNSDomainsCritical || !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero || ca.Subject.String() != "CN=Homeroom of lab-pc" ||
		ca.SerialNumber.BitLen() < 64 {
		t.Errorf("the authority is %+v", ca)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.id.ca)
	verify := func(t2 *x509.Certificate, signer *x509.Certificate, key *ecdsa.PrivateKey, name string, usage x509.ExtKeyUsage, between ...*x509.Certificate) error {
		t2.NotBefore, t2.NotAfter, t2.SerialNumber = class, class.Add(day), big.NewInt(7)
		der, err := x509.CreateCertificate(rand.Reader, t2, signer, a.id.key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		for _, b := range between {
			pool.AddCert(b)
		}
		_, err = c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: class.Add(time.Hour), DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}
	const web = x509.ExtKeyUsageServerAuth
	for _, c := range []struct {
		names, addrs string
		ok           bool
	}{
		{"printer.local", "", true}, {"lab-pc", "", true}, {"", "192.168.1.1", true}, {"", "172.31.0.1", true}, {"", "fe80::7", true}, {"", "127.0.0.53", true},
		{"example.com", "", false}, {"bank.example", "", false}, {"notlocal", "", false}, {"lab-pc.example.com", "", false},
		{"", "8.8.8.8", false}, {"", "172.32.0.1", false}, {"", "2001:db8::1", false}, {"", "::ffff:8.8.8.8", false},
	} {
		leaf := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{web}}
		name := c.names
		if c.names != "" {
			leaf.DNSNames = []string{c.names}
		} else {
			leaf.IPAddresses, name = []net.IP{net.ParseIP(c.addrs)}, c.addrs
		}
		err := verify(leaf, a.id.ca, a.id.caKey, name, web)
		var invalid x509.CertificateInvalidError
		if c.ok && err != nil || !c.ok && (!errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName) {
			t.Errorf("%s%s: err = %v", c.names, c.addrs, err)
		}
	}
	var invalid x509.CertificateInvalidError
	mail := &x509.Certificate{EmailAddresses: []string{"boss@example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}}
	if err := verify(mail, a.id.ca, a.id.caKey, "", x509.ExtKeyUsageEmailProtection); !errors.As(err, &invalid) || invalid.Reason != x509.IncompatibleUsage {
		t.Errorf("a certificate for mail: %v", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{Subject: pkix.Name{CommonName: "below"}, NotBefore: class, NotAfter: class.Add(day), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}, a.id.ca, a.id.key.Public(), a.id.caKey)
	if err != nil {
		t.Fatal(err)
	}
	below, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(&x509.Certificate{DNSNames: []string{"x.local"}}, below, a.id.key, "x.local", web, below); !errors.As(err, &invalid) || invalid.Reason != x509.TooManyIntermediates {
		t.Errorf("an authority below this one: %v", err)
	}
}

// TestAddressChange: the PC joins another network while clients are there.
func TestAddressChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{now: class}
		m.set("192.168.1.20")
		a := open(t, m.config(&store{}, "lab-pc"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		pin, key, first := a.Pin(), a.PublicKey(), a.served.Load().Leaf

		time.Sleep(10 * Poll)
		if a.served.Load().Leaf != first {
			t.Error("a new certificate for nothing")
		}
		m.set("10.0.0.7", "fe80::7")
		time.Sleep(2 * Poll)
		leaf := a.served.Load().Leaf
		if leaf.VerifyHostname("10.0.0.7") != nil || leaf.VerifyHostname("fe80::7") != nil || leaf.VerifyHostname("192.168.1.20") == nil {
			t.Errorf("it is for %v", leaf.IPAddresses)
		}
		if a.Pin() != pin || !bytes.Equal(a.PublicKey(), key) || !bytes.Equal(leaf.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) || leaf.SerialNumber.Cmp(first.SerialNumber) == 0 {
			t.Error("not a new certificate for the same key")
		}
		// The system does not answer: what there is stays.
		m.mu.Lock()
		m.err = errors.New("no answer")
		m.mu.Unlock()
		time.Sleep(2 * Poll)
		if a.served.Load().Leaf != leaf {
			t.Error("it changed though nothing is known")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// at is a connection to an address.
type at struct {
	net.Conn
	addr net.Addr
}

func (c at) LocalAddr() net.Addr { return c.addr }

// TestFasterThanPoll: the first client on a new network has a certificate for
// it, and many clients on an odd one do not ask the system each time.
func TestFasterThanPoll(t *testing.T) {
	m := &machine{now: class}
	a := open(t, m.config(&store{}, "lab-pc"))
	shake := func(addr string) *x509.Certificate {
		t.Helper()
		c, err := a.TLSConfig().GetCertificate(&tls.ClientHelloInfo{Conn: at{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	m.set("192.168.7.7")
	m.now = m.now.Add(2 * time.Second)
	if err := shake("192.168.7.7:8883").VerifyHostname("192.168.7.7"); err != nil {
		t.Error(err)
	}
	m.now, m.asked = m.now.Add(2*time.Second), 0
	for range 50 {
		shake("192.168.7.7:8883")
		shake("[::ffff:192.168.7.7]:8883")
		shake("127.0.0.9:8883")
		shake("203.0.113.9:8883")
	}
	if m.asked != 0 {
		t.Errorf("asked %d times for what is known", m.asked)
	}
	for range 50 {
		shake("192.168.9.9:8883") // not an address of this machine
	}
	if m.asked != 1 {
		t.Errorf("asked %d times", m.asked)
	}
	if c, err := a.TLSConfig().GetCertificate(&tls.ClientHelloInfo{Conn: at{addr: &net.UnixAddr{}}}); err != nil || c == nil {
		t.Errorf("over no network: %v", err)
	}
}

// TestClocks: neither a clock that was never set nor one that jumps keeps a
// client out whose own clock is right or slow.
func TestClocks(t *testing.T) {
	year := 365 * day
	for _, c := range []struct {
		what           string
		first, restart time.Time // the clock at the first run, and now
		client         time.Time
		ok             bool
	}{
		{"in class", class, class, class, true},
		{"the client is three months slow", class, class, class.Add(-90 * day), true},
		{"the client is half a year fast", class, class, class.Add(200 * day), true},
		{"a year later", class, class.Add(year), class.Add(year), true},
		{"fifteen years later", class, class.Add(15 * year), class.Add(15 * year), true},
		{"made in 1970, right now", time.Unix(0, 0), class, class, true},
		{"1970 now", class, time.Unix(0, 0), class, true},
		{"1970 always", time.Unix(0, 0), time.Unix(0, 0), class.Add(5 * year), true},
		{"made in 2090", class.Add(64 * year), class, class, true},
		{"2090 now", class, class.Add(64 * year), class, true},
		{"a client of next year has an old one", class, class, class.Add(year), false},
	} {
		s := &store{}
		m := &machine{now: c.first}
		pin := open(t, m.config(s, "lab-pc")).Pin()
		m.now = c.restart
		a := open(t, m.config(s, "lab-pc"))
		if a.Pin() != pin {
			t.Errorf("%s: another pin", c.what)
		}
		if _, err := connect(server(t, a), "127.0.0.1", a.CA(), c.client, nil); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	// While it runs, every jump is followed, and the certificate is renewed in time.
	m := &machine{now: class}
	a := open(t, m.config(&store{}, "lab-pc"))
	for _, now := range []time.Time{time.Unix(0, 0), class.Add(3 * year), class, class.Add(80 * year), class.Add(-60 * day)} {
		m.now = now
		if err := a.renew(); err != nil {
			t.Fatal(err)
		}
		if from, to := a.window(now); !a.served.Load().Leaf.NotBefore.Equal(from) || !a.served.Load().Leaf.NotAfter.Equal(to) {
			t.Errorf("at %v it is from %v to %v", now, a.served.Load().Leaf.NotBefore, a.served.Load().Leaf.NotAfter)
		}
	}
	changes, last := 0, ""
	for n := range 365 {
		m.now = class.Add(time.Duration(n) * day)
		if err := a.renew(); err != nil {
			t.Fatal(err)
		}
		leaf := a.served.Load().Leaf
		if leaf.NotAfter.Sub(m.now) < 200*day || m.now.Sub(leaf.NotBefore) < 90*day || leaf.NotAfter.Sub(leaf.NotBefore) > 397*day {
			t.Fatalf("on day %d it is from %v to %v", n, leaf.NotBefore, leaf.NotAfter)
		}
		if serial := leaf.SerialNumber.String(); serial != last {
			changes, last = changes+1, serial
		}
	}
	if changes < 4 || changes > 6 {
		t.Errorf("%d certificates in a year", changes)
	}
}

func TestNamesOfMachines(t *testing.T) {
	for host, want := range map[string]string{
		"lab-pc": "localhost lab-pc lab-pc.local", "LAB_PC-7": "localhost lab_pc-7 lab_pc-7.local", "localhost": "localhost localhost.local",
		"pc.school.example.": "localhost pc.school.example pc pc.local", "교실": "localhost", "a b": "localhost", "10.0.0.1": "localhost", "::1": "localhost",
		"-x": "localhost", "a..b": "localhost", "*": "localhost", "\xff\xfe": "localhost", strings.Repeat("a", 64): "localhost", strings.Repeat("한", 80): "localhost",
	} {
		m := &machine{now: class}
		a := open(t, m.config(&store{}, host))
		if !regexp.MustCompile(`^homeroom-[0-9a-f]{6}\.local$`).MatchString(a.Name()) {
			t.Errorf("%q: the installation is called %q", host, a.Name())
		}
		want += " " + a.Name()
		if got := strings.Join(a.served.Load().Leaf.DNSNames, " "); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
		if name := a.id.ca.Subject.CommonName; len(name) > 64 || !strings.HasPrefix(name, "Homeroom") {
			t.Errorf("%q: the authority is called %q", host, name)
		}
		if _, err := connect(server(t, a), "localhost", a.CA(), class, nil); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
	// The machine was renamed: the old authority does not speak for the new name, and serves.
	s, m := &store{}, &machine{now: class}
	old := open(t, m.config(s, "old"))
	a := open(t, m.config(s, "new"))
	addr := server(t, a)
	if a.Name() != old.Name() || a.Name() == open(t, m.config(&store{}, "new")).Name() {
		t.Errorf("%s became %s by the name of its machine", old.Name(), a.Name())
	}
	if _, err := connect(addr, a.Name(), a.CA(), class, nil); err != nil {
		t.Error(err)
	}
	if _, err := connect(addr, "new", a.CA(), class, nil); err == nil {
		t.Error("it speaks for a name that its authority must not")
	}
	if _, err := connect(addr, "new.local", a.CA(), class, nil); err != nil {
		t.Error(err)
	}
}

// TestManyAddresses: a PC with a hundred networks does not make a certificate
// that a kit cannot read.
func TestManyAddresses(t *testing.T) {
	m := &machine{now: class}
	for i := range 100 {
		m.addrs = append(m.addrs, netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1)), netip.MustParseAddr(fmt.Sprintf("172.16.%d.1", i)))
	}
	leaf := open(t, m.config(&store{}, "lab-pc")).served.Load().Leaf
	if len(leaf.IPAddresses) != maxAddrs+2 || leaf.VerifyHostname("172.16.0.1") != nil || leaf.VerifyHostname("127.0.0.1") != nil || len(leaf.Raw) > 1024 {
		t.Errorf("%d bytes for %v", len(leaf.Raw), leaf.IPAddresses)
	}
}

func TestPin(t *testing.T) {
	m := &machine{now: class}
	a := open(t, m.config(&store{}, "lab-pc"))
	b, _ := pem.Decode(a.PublicKey())
	sum := sha256.Sum256(b.Bytes)
	if b.Type != "PUBLIC KEY" || !bytes.Equal(b.Bytes, a.served.Load().Leaf.RawSubjectPublicKeyInfo) || a.Pin() != "sha256//"+base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("pin %s of %s", a.Pin(), a.PublicKey())
	}
	groups := strings.Fields(a.Fingerprint())
	if raw, err := hex.DecodeString(strings.Join(groups, "")); err != nil || len(groups) != 16 || !bytes.Equal(raw, sum[:]) {
		t.Errorf("fingerprint %s", a.Fingerprint())
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl to compare with")
	}
	dir := t.TempDir()
	leaf, ca := filepath.Join(dir, "leaf.pem"), filepath.Join(dir, "ca.pem")
	for file, text := range map[string][]byte{ca: a.CA(), leaf: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.served.Load().Leaf.Raw})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(openssl, "x509", "-in", leaf, "-noout", "-pubkey").Output()
	if err != nil || !bytes.Equal(out, a.PublicKey()) {
		t.Errorf("openssl reads the key as %s, %v", out, err)
	}
	for name, ok := range map[string]bool{"127.0.0.1": true, "192.168.4.4": false} {
		out, err = exec.Command(openssl, "verify", "-x509_strict", "-attime", fmt.Sprint(class.Unix()), "-purpose", "sslserver", "-CAfile", ca, "-verify_ip", name, leaf).CombinedOutput()
		if (err == nil) != ok {
			t.Errorf("openssl verify for %s: %v %s", name, err, out)
		}
	}
}

// TestDamaged: keys that cannot be read are told, and never replaced.
func TestDamaged(t *testing.T) {
	m := &machine{now: class}
	good, other := &store{}, &store{}
	open(t, m.config(good, "lab-pc"))
	open(t, m.config(other, "lab-pc"))
	blocks := func(s *store) [][]byte {
		var all [][]byte
		for b, rest := pem.Decode(s.kept); b != nil; b, rest = pem.Decode(rest) {
			all = append(all, pem.EncodeToMemory(b))
		}
		return all
	}
	g, o := blocks(good), blocks(other)
	flipped := bytes.Clone(g[0])
	flipped[len(flipped)/2] ^= 2
	for what, kept := range map[string][]byte{
		"empty": {}, "noise": []byte("noise"), "cut off": good.kept[:len(good.kept)/2], "the key is missing": slices.Concat(g[0], g[1]),
		"another's key": slices.Concat(g[0], o[1], g[2]), "in another order": slices.Concat(g[1], g[0], g[2]), "a flipped bit": slices.Concat(flipped, g[1], g[2]),
		"no key": slices.Concat(g[0], pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: []byte("x")}), g[2]),
	} {
		s := &store{kept: bytes.Clone(kept)}
		_, err := Open(t.Context(), m.config(s, "lab-pc"))
		var told *core.Problem
		if !errors.Is(err, core.ErrInvalid) || !errors.As(err, &told) || !strings.Contains(told.Error(), "core.db are damaged") {
			t.Errorf("%s: err = %v", what, err)
		}
		if !bytes.Equal(s.kept, kept) {
			t.Errorf("%s: the store was changed", what)
		}
		if err != nil && strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: the sentence holds a key: %v", what, err)
		}
	}
	if _, err := Open(t.Context(), m.config(&store{err: errors.New("the disk is gone")}, "lab-pc")); err == nil {
		t.Error("it opened without its keys")
	}
}
