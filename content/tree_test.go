package content

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

const mixed = `Return-Path: <alice@example.org>
Received: from mx.example.org (mx.example.org [192.0.2.1])
	(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
	by mail.example.net (Postfix) with ESMTPS id 4ABC
	for <bob@example.net>; Mon, 2 Jan 2006 15:04:09 -0700 (MST)
Received: from laptop (unknown [198.51.100.7]) by mx.example.org with ESMTPSA
	id 77; Mon, 02 Jan 2006 22:04:05 +0000
From: =?utf-8?q?Alice_M=C3=BCller?= <alice@example.org>
To: "Bob, the builder" <bob@example.net>, undisclosed:;, carol@example.net (Carol)
Subject: =?utf-8?B?R3LDvMOf?= =?utf-8?B?ZQ==?= from
 Berlin
Date: Mon, 2 Jan 2006 15:04:05 -0700
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b"

preamble
--=_b
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe=20
and a soft =
break
--inner
Content-Type: text/html

<html><body>hi</body></html>
--inner--

--=_b
Content-Type: application/pdf; name="a.pdf"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*0*=UTF-8''%e2%82%ac%20; filename*1="rates.pdf"

JVBERi0xLjQKJcOkw7zDtsOfCg==
--=_b
Content-Type: message/rfc822

From: mallory@example.com
Subject: inner

inner body
--=_b--
epilogue
`

func TestMessage(t *testing.T) {
	c := read(t, Config{Keep: 100}, mailInfo, message(mixed))
	sameOutline(t, c, `
		 message/rfc822 1347
		 multipart/mixed 613
		1 multipart/alternative 215
		1.1 text/plain 26
		1.2 text/html 28
		2 application/pdf 19 "€ rates.pdf"
		3 message/rfc822 55
		3.1 text/plain 10
	`)
	if c.Size != int64(len(crlf(mixed))) {
		t.Errorf("size %d", c.Size)
	}
	sum := sha256.Sum256([]byte(crlf(mixed)))
	if c.SHA256 != hex.EncodeToString(sum[:]) {
		t.Error("the message's digest is not that of its bytes")
	}
	m := c.Message
	if m.From != "Alice Müller <alice@example.org>" || m.Subject != "Grüße from Berlin" {
		t.Errorf("from %q, subject %q", m.From, m.Subject)
	}
	if len(m.To) != 3 || m.To[0] != "Bob, the builder <bob@example.net>" || m.To[2] != "Carol <carol@example.net>" {
		t.Errorf("to %q", m.To)
	}
	if len(m.Hops) != 2 || m.Hops[0].From != "laptop" || !m.Hops[0].TLS || m.Hops[1].Delay.Duration().Seconds() != 4 || m.Hops[1].ID != "4ABC" {
		t.Errorf("hops %+v", m.Hops)
	}
	body := c.Parts[0]
	if got := string(body.Parts[0].Parts[0].Kept); got != "Grüße \r\nand a soft break" {
		t.Errorf("text %q", got)
	}
	if pdf := body.Parts[1]; pdf.Detected != "application/pdf" || pdf.Disposition != "attachment" || pdf.Encoding != "base64" {
		t.Errorf("pdf %+v", pdf)
	}
	if inner := body.Parts[2]; inner.Message.From != "mallory@example.com" || m.From == inner.Message.From {
		t.Errorf("inner message %+v", inner.Message)
	}
}
