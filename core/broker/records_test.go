package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// tapped remembers the lengths of the records that come.
type tapped struct {
	net.Conn
	pending []byte
	longest int
	count   int
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for c.pending = append(c.pending, p[:n]...); len(c.pending) >= recordHead; {
		length := int(binary.BigEndian.Uint16(c.pending[3:]))
		if len(c.pending) < recordHead+length {
			break
		}
		c.longest, c.count = max(c.longest, length), c.count+1
		c.pending = c.pending[recordHead+length:]
	}
	return n, err
}

// recordHead is the length of what precedes each record (RFC 5246, section 6.2.1).
const recordHead = 5

// TestShortRecords: what a client of TLS 1.2 is sent encrypted fits in what BearSSL makes
// of a buffer of 512 bytes. A client of TLS 1.3 is sent more at once.
func TestShortRecords(t *testing.T) {
	const fits = 512 + 325 - recordHead // BearSSL's src/ssl/ssl_engine.c
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	served := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	message := make([]byte, 100_000)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		plain, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := tls.NewListener(plain, served)
		go func() {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			c := newConn(nil, raw)
			_ = raw.(*tls.Conn).Handshake()
			_ = c.send(message)
			_ = raw.Close()
		}()
		raw, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		tap := &tapped{Conn: raw}
		c := tls.Client(tap, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		if err := c.Handshake(); err != nil {
			t.Fatalf("%s: %v", tls.VersionName(version), err)
		}
		tap.longest = 0
		got, err := io.ReadAll(c)
		if err != nil || len(got) != len(message) {
			t.Errorf("%s: %d bytes came, %v", tls.VersionName(version), len(got), err)
		}
		if short := tap.longest <= fits; short != (version == tls.VersionTLS12) {
			t.Errorf("%s: the longest of %d records has %d bytes", tls.VersionName(version), tap.count, tap.longest)
		}
		_ = c.Close()
		_ = l.Close()
	}
}
