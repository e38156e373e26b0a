// Package trust is how others know that it is this Homeroom they talk to: a
// certificate authority of its own, which can speak for machines of a local
// network only, and the certificate that TLS is served with. The certificate
// follows the addresses of this machine; its key never changes, so that a kit
// may pin it.
package trust

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Poll is how often the addresses of this machine are looked at.
const Poll = 3 * time.Second

// maxAddrs bounds the addresses in a certificate: small receivers read it whole.
const maxAddrs = 32

// epoch is before every moment at which this program can run: a clock that
// shows an earlier time was never set.
var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	day      = 24 * time.Hour
	lifetime = 20 * 365 * day // of the authority
	validity = 397 * day      // of the certificate; what browsers take at most
	step     = 90 * day       // between two certificates that differ in nothing else
)

// Store keeps the keys.
type Store interface {
	// Identity returns the bytes that are kept for this installation, which are
	// those of fresh where nothing is kept yet. Whoever asks at the same time, in
	// another process too, gets the same.
	Identity(ctx context.Context, fresh func() ([]byte, error)) ([]byte, error)
}

// Config is everything an Authority needs.
type Config struct {
	Store Store
	Log   *slog.Logger
	// Host is the name of this machine; "" asks the system.
	Host string
	// Addrs returns the addresses of this machine; nil asks the system.
	Addrs func() ([]netip.Addr, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Authority is this installation's certificate authority and the certificate
// it serves with. All methods may be called from any goroutine.
type Authority struct {
	cfg Config
	id  *identity
	pub []byte // SubjectPublicKeyInfo of the certificate

	served atomic.Pointer[tls.Certificate]
	mu     sync.Mutex // held while a certificate is made
	looked time.Time  // guarded by mu; when the addresses were last looked at
}

// Open reads the keys from the store, or makes them at the first run. Keys that
// are kept but damaged are a core.ErrInvalid with a sentence, never new ones:
// kits and people trust the old.
func Open(ctx context.Context, cfg Config) (*Authority, error) {
	if cfg.Host == "" {
		cfg.Host, _ = os.Hostname() // "" is a machine without a name
	}
	if cfg.Addrs == nil {
		cfg.Addrs = systemAddrs
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	kept, err := cfg.Store.Identity(ctx, func() ([]byte, error) { return newIdentity(cfg.Host, cfg.Now()) })
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	a := &Authority{cfg: cfg}
	if a.id, err = readIdentity(kept); err != nil {
		return nil, err
	}
	if a.pub, err = x509.MarshalPKIXPublicKey(a.id.key.Public()); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a, a.renew()
}

// Run keeps the certificate up to date until ctx ends.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.mu.Lock()
			err := a.renew()
			a.mu.Unlock()
			if err != nil {
				a.cfg.Log.Warn("cannot renew the certificate", "err", err)
			}
		}
	}
}

// TLSConfig is how to serve TLS: 1.2, which is what an ESP8266 speaks, or
// newer, with the newest certificate at each handshake.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.certificate}
}

// Pin is the hash of the certificate's public key in the form that curl's
// --pinnedpubkey takes: "sha256//" and the base64 SHA-256 of its
// SubjectPublicKeyInfo (RFC 7469, section 2.4).
func (a *Authority) Pin() string {
	sum := sha256.Sum256(a.pub)
	return "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
}

// Fingerprint is the hash of Pin for people who compare it: 16 groups of four
// hexadecimal digits.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.pub)
	var groups []string
	for two := range slices.Chunk(sum[:], 2) {
		groups = append(groups, fmt.Sprintf("%X", two))
	}
	return strings.Join(groups, " ")
}

// Name is by what this installation is found in a local network: "homeroom-", six
// hexadecimal digits of the hash of Pin and ".local". It stays when the PC gets another
// address or another name.
func (a *Authority) Name() string {
	sum := sha256.Sum256(a.pub)
	return fmt.Sprintf("homeroom-%x.local", sum[:3])
}

// PublicKey is the certificate's public key as PEM, for clients that pin the
// key itself, such as BearSSL on an ESP8266.
func (a *Authority) PublicKey() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: a.pub})
}

// CA is the authority's certificate as PEM: who trusts it, trusts every
// certificate that this Homeroom will have.
func (a *Authority) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.id.ca.Raw})
}

// certificate is the newest. A client that came to an address that is not in it
// has been faster than Run.
func (a *Authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c := a.served.Load()
	addr, ok := local(hello.Conn)
	if !ok || addr.IsLoopback() || !a.id.permitsAddr(addr) || hasAddr(c.Leaf, addr) {
		return c, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if since := a.cfg.Now().Sub(a.looked); since < 0 || since >= time.Second { // many clients ask the system once
		if err := a.renew(); err != nil {
			a.cfg.Log.Warn("cannot renew the certificate", "err", err)
		}
	}
	return a.served.Load(), nil
}

// renew makes a new certificate if the present one does not say what it should
// say now. a.mu is held.
func (a *Authority) renew() error {
	now := a.cfg.Now()
	a.looked = now
	c := a.served.Load()
	addrs, err := a.cfg.Addrs()
	if err != nil && c != nil {
		return err // with the addresses that it had, it is better than nothing
	}
	t := a.template(now, addrs)
	if c != nil && same(c.Leaf, t) {
		return nil
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.id.ca, a.id.key.Public(), a.id.caKey)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	a.served.Store(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.id.key, Leaf: leaf})
	return nil
}

// template is what the certificate should say. What the authority may not speak
// for is left out: one such name would void all others.
func (a *Authority) template(now time.Time, addrs []netip.Addr) *x509.Certificate {
	t := &x509.Certificate{
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		Subject:               pkix.Name{CommonName: "homeroom"},
	}
	t.NotBefore, t.NotAfter = a.window(now)
	names := []string{"localhost"}
	if host := dnsName(a.cfg.Host); host != "" {
		label, _, _ := strings.Cut(host, ".")
		names = append(names, host, label, label+".local")
		t.Subject.CommonName = label
	}
	names = append(names, a.Name())
	for _, n := range names {
		if a.id.permitsName(n) && !slices.Contains(t.DNSNames, n) {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	var machine []netip.Addr
	for _, addr := range addrs {
		if addr = addr.Unmap().WithZone(""); !addr.IsLoopback() && a.id.permitsAddr(addr) {
			machine = append(machine, addr)
		}
	}
	slices.SortFunc(machine, netip.Addr.Compare) // IPv4 first: what kits use
	machine = slices.Compact(machine)
	machine = append(machine[:min(len(machine), maxAddrs)], netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	for _, addr := range machine {
		t.IPAddresses = append(t.IPAddresses, addr.AsSlice())
	}
	return t
}

// window is how long a certificate is valid that is made now: from at least 90
// days ago, for clients whose clock is slow, to more than 200 days ahead. It
// stays the same for 90 days. A clock that cannot be right says nothing about
// the time that clients have: then it is as long as the authority itself.
func (a *Authority) window(now time.Time) (from, to time.Time) {
	if now.Before(epoch) || now.After(a.id.ca.NotAfter) {
		return a.id.ca.NotBefore, a.id.ca.NotAfter
	}
	from = now.UTC().Truncate(step).Add(-step)
	return from, from.Add(validity)
}

// same reports whether the certificate says what t says.
func same(c, t *x509.Certificate) bool {
	return c.NotBefore.Equal(t.NotBefore) && c.NotAfter.Equal(t.NotAfter) && slices.Equal(c.DNSNames, t.DNSNames) &&
		slices.EqualFunc(c.IPAddresses, t.IPAddresses, net.IP.Equal)
}

func hasAddr(c *x509.Certificate, addr netip.Addr) bool {
	return slices.ContainsFunc(c.IPAddresses, net.IP(addr.AsSlice()).Equal)
}

// local is the address of this machine that the client came to.
func local(c net.Conn) (netip.Addr, bool) {
	tcp, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(tcp.IP)
	return addr.Unmap(), ok
}

// systemAddrs returns the addresses of this machine.
func systemAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, i := range all {
		if n, ok := i.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs, nil
}

// dnsName is the name of a machine as DNS writes it, or "" where it cannot: some
// systems allow any script and spaces.
func dnsName(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil || len(host) > 253 {
		return ""
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return ""
		}
	}
	return host
}

// newKey makes a P-256 key: what BearSSL on an ESP8266 is fastest with.
func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
