package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// writeCertificates makes DIR with one CA and what it has signed: a server certificate for the
// addresses (which is also the one virt-api shows to virt-handler), the admin's, the aggregator's
// client certificate, and the key pair for ServiceAccount tokens.
func writeCertificates(dir string, addresses []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := newCertificate(dir, "ca", certificate("rig-ca", "", nil), nil)
	if err != nil {
		return err
	}
	for name, template := range map[string]*x509.Certificate{
		"server":          certificate("rig", "", addresses),
		"admin":           certificate("admin", "system:masters", nil),
		"front-proxy":     certificate("front-proxy-client", "", nil),
		"service-account": certificate("service-account", "", nil),
	} {
		if _, err := newCertificate(dir, name, template, ca); err != nil {
			return err
		}
	}
	return nil
}

// issuer is a certificate with its key.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certificate is a template, valid for a day.
func certificate(commonName, organization string, addresses []string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if organization != "" {
		template.Subject.Organization = []string{organization}
	}
	if len(addresses) > 0 {
		template.DNSNames = []string{"localhost"}
	}
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	return template
}

// newCertificate writes dir/name.crt and dir/name.key. With no parent it is a CA that signs itself.
func newCertificate(dir, name string, template *x509.Certificate, parent *issuer) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	self := &issuer{template, key}
	if parent == nil {
		parent = self
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, &key.PublicKey, parent.key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return self, writePEM(filepath.Join(dir, name+".key"), "PRIVATE KEY", keyDER)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
