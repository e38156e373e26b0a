package trust

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"homeroom/core"
)

// identity is what an installation keeps: its authority, and the key of its
// certificate.
type identity struct {
	ca         *x509.Certificate
	caKey, key *ecdsa.PrivateKey
}

// localNetworks are all that an authority may speak for (RFC 5280, section
// 4.2.1.10): whoever steals its key cannot pose as a site of the internet.
var localNetworks = []string{
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
}

// The blocks of a kept identity, in this order.
const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY" // of the authority, then of the certificate; PKCS #8
)

// newIdentity makes an authority for the machine host and both keys, as PEM.
func newIdentity(host string, now time.Time) ([]byte, error) {
	caKey, err := newKey()
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if now.Before(epoch) {
		now = epoch
	}
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: displayName(host)},
		NotBefore: epoch, NotAfter: now.Add(lifetime),
		KeyUsage:    x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"local", "localhost"},
	}
	if name := dnsName(host); name != "" {
		t.PermittedDNSDomains = append(t.PermittedDNSDomains, name)
		if label, _, more := strings.Cut(name, "."); more {
			t.PermittedDNSDomains = append(t.PermittedDNSDomains, label)
		}
	}
	for _, n := range localNetworks {
		_, network, err := net.ParseCIDR(n)
		if err != nil {
			return nil, err
		}
		t.PermittedIPRanges = append(t.PermittedIPRanges, network)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	kept := pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
	for _, k := range []*ecdsa.PrivateKey{caKey, key} {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return nil, err
		}
		kept = append(kept, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})...)
	}
	return kept, nil
}

// readIdentity reads what newIdentity made.
func readIdentity(kept []byte) (*identity, error) {
	id := &identity{}
	err := func() (err error) {
		var der []byte
		if der, kept, err = block(certificateBlock, kept); err != nil {
			return err
		}
		if id.ca, err = x509.ParseCertificate(der); err != nil {
			return err
		}
		for _, k := range []**ecdsa.PrivateKey{&id.caKey, &id.key} {
			if der, kept, err = block(keyBlock, kept); err != nil {
				return err
			}
			parsed, err := x509.ParsePKCS8PrivateKey(der)
			if err != nil {
				return err
			}
			ec, ok := parsed.(*ecdsa.PrivateKey)
			if !ok {
				return errors.New("a key is of another kind")
			}
			*k = ec
		}
		if !id.caKey.PublicKey.Equal(id.ca.PublicKey) {
			return errors.New("the key is not that of the certificate")
		}
		return id.ca.CheckSignatureFrom(id.ca)
	}()
	if err != nil {
		return nil, core.Fail(core.ErrInvalid, "The keys for TLS in core.db are damaged: {reason}. Put a backup of core.db in its place.", "reason", err)
	}
	return id, nil
}

func block(kind string, kept []byte) (der, rest []byte, err error) {
	b, rest := pem.Decode(kept)
	if b == nil || b.Type != kind {
		return nil, nil, errors.New("there is no " + strings.ToLower(kind))
	}
	return b.Bytes, rest, nil
}

// permitsAddr reports whether the authority may speak for addr.
func (id *identity) permitsAddr(addr netip.Addr) bool {
	for _, n := range id.ca.PermittedIPRanges {
		if n.Contains(addr.AsSlice()) {
			return true
		}
	}
	return false
}

// permitsName reports whether the authority may speak for the DNS name.
func (id *identity) permitsName(name string) bool {
	for _, d := range id.ca.PermittedDNSDomains {
		if name == d || strings.HasSuffix(name, "."+d) {
			return true
		}
	}
	return false
}

// displayName is what a list of authorities shows; at most 64 bytes, as X.509
// has it.
func displayName(host string) string {
	if host == "" {
		return "Homeroom"
	}
	return core.Readable("Homeroom of "+host, 64)
}
