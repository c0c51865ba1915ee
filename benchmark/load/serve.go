//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// serve answers SOAP calls over HTTP and HTTPS until it is killed.
func serve(args []string) error {
	f := flag.NewFlagSet("serve", flag.ExitOnError)
	plain := f.String("http", "127.0.0.1:8080", "address for HTTP")
	secure := f.String("https", "127.0.0.1:8443", "address for HTTPS")
	ca := f.String("ca", "", "file for the service's certificate, which is its own authority; the key is put behind it")
	mail := f.String("smtp", "127.0.0.1:8025", "address for greetings: what idle connections are idle on")
	_ = f.Parse(args)
	pair, both, err := selfSigned()
	if err != nil {
		return err
	}
	if *ca != "" {
		if err := os.WriteFile(*ca, both, 0o600); err != nil {
			return err
		}
	}
	l, err := newLoop()
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() { failed <- accept(*plain, func(c net.Conn) { serveCalls(l, c, nil) }) }()
	go func() {
		failed <- accept(*secure, func(c net.Conn) { serveCalls(l, c, &tls.Config{Certificates: []tls.Certificate{*pair}}) })
	}()
	go func() { failed <- accept(*mail, greet) }()
	go func() {
		events := make([]unix.EpollEvent, 128)
		for {
			// A client that fails is closed, and the others go on.
			_, _ = l.wait(time.Hour, events)
		}
	}()
	return <-failed
}

func accept(addr string, serve func(net.Conn)) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go serve(c)
	}
}

// serveCalls answers whole calls until something else comes.
func serveCalls(l *loop, c net.Conn, secure *tls.Config) {
	w, err := newWire(c)
	if err != nil {
		log.Print(err)
		return
	}
	var leg net.Conn = w
	if secure != nil {
		leg = tls.Server(w, secure)
		err = leg.(*tls.Conn).Handshake()
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s",
		time.Now().UTC().Format(http.TimeFormat), len(response), response)
	in := &messages{in: leg}
	step := func() error {
		_, body, err := in.next()
		switch {
		case err == nothing:
			return nil
		case err == nil && string(body) != request:
			err = errors.New("another request came than the client makes")
		}
		if err == nil {
			_, err = leg.Write(answer)
		}
		return err
	}
	if err == nil {
		err = l.add(w, step)
	}
	if err != nil {
		w.Close()
	}
}

// greet says what a mail server says, and little to each command.
func greet(c net.Conn) {
	defer c.Close()
	b := make([]byte, 64)
	_, _ = io.WriteString(c, "220 mail.test ESMTP\r\n")
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		_, _ = io.WriteString(c, "250 mail.test\r\n")
	}
}

func selfSigned() (pair *tls.Certificate, both []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	both = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, both, nil
}
