// Package certtest makes authorities and certificates for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// ValidFor is how long from now certificates are valid, unless a test says otherwise.
const ValidFor = 90 * 24 * time.Hour

// An Authority signs certificates.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// New returns an authority that expires at a moment, which may be in the past.
func New(t testing.TB, ends time.Time) *Authority {
	t.Helper()
	return newAuthority(t, nil, ends)
}

// Below returns an authority that this one vouches for.
func (a *Authority) Below(t testing.TB) *Authority {
	t.Helper()
	return newAuthority(t, a, time.Now().Add(ValidFor))
}

// newAuthority makes an authority that another one signs, or itself.
func newAuthority(t testing.TB, signer *Authority, ends time.Time) *Authority {
	t.Helper()
	a := &Authority{key: newKey(t)}
	a.Certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: ends.Add(-2 * ValidFor), NotAfter: ends,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if signer == nil {
		signer = a
	} else {
		a.Certificate.Subject.CommonName = "authority between"
	}
	var err error
	if a.Certificate, err = x509.ParseCertificate(signer.sign(t, a.Certificate, a.key)); err != nil {
		t.Fatal(err)
	}
	return a
}

// PEM returns the certificate of the authority.
func (a *Authority) PEM() []byte { return encode("CERTIFICATE", a.Certificate.Raw) }

// Issue returns a certificate for both sides of a connection, for 127.0.0.1 and localhost, and
// its key, both in PEM form. change, if not nil, makes it another one.
func (a *Authority) Issue(t testing.TB, change func(*x509.Certificate)) (certificate, key []byte) {
	t.Helper()
	own := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(ValidFor),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", a.sign(t, template, own)), encode("PRIVATE KEY", private)
}

func (a *Authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
