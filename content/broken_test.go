package content

import (
	"slices"
	"strings"
	"testing"

	"sniff/record"
)

func TestBrokenStructure(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"no head", "just text\nmore\n", `
			 message/rfc822 17 [head_unended]
			1 text/plain 17`},
		{"empty", "", `
			 message/rfc822 0
			1 text/plain 0`},
		{"head only", "Subject: x\n", `
			 message/rfc822 12
			1 text/plain 0`},
		{"mbox separator", "From a@b Mon Jan 2\nSubject: x\n\nbody\n", `
			 message/rfc822 40 [head_from_line]
			1 text/plain 6`},
		{"line without a colon", "Subject: x\nno field\nTo: a@b\n\nbody\n", `
			 message/rfc822 39 [head_unended]
			1 text/plain 27`},
		{"last boundary missing", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n", `
			 message/rfc822 69
			 multipart/mixed 24 [boundary_unclosed]
			1 text/plain 3
			2 text/plain 5`},
		{"inner boundary missing", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--", `
			 message/rfc822 130
			 multipart/mixed 85
			1 multipart/alternative 10 [boundary_unclosed]
			1.1 text/plain 3
			2 text/plain 3`},
		{"boundary is the front of another", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n", `
			 message/rfc822 124
			 multipart/mixed 79
			1 multipart/mixed 19
			1.1 text/plain 3`},
		{"no boundary parameter", "Content-Type: multipart/mixed\n\n--guess\n\none\n--guess--\n", `
			 message/rfc822 60
			 multipart/mixed 27 [boundary_missing]
			1 text/plain 3`},
		{"boundary never met", "Content-Type: multipart/mixed; boundary=b\n\none\n", `
			 message/rfc822 50
			 multipart/mixed 5 [boundary_not_found]`},
		{"part behind the end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n", `
			 message/rfc822 83
			 multipart/mixed 38 [boundary_after_end]
			1 text/plain 3
			2 text/plain 3`},
		{"head of a part runs into the boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b--\n", `
			 message/rfc822 82
			 multipart/mixed 37
			1 text/html 0 [head_unended]`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nhi\n--b--\n", `
			 message/rfc822 78
			 multipart/digest 32
			1 message/rfc822 16
			1.1 text/plain 2`},
		{"multipart in base64", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\nLS1iCgpvbmUKLS1iLS0K\n", `
			 message/rfc822 102
			 multipart/mixed 15
			1 text/plain 3`},
	} {
		t.Run(test.name, func(t *testing.T) {
			sameOutline(t, read(t, Config{}, mailInfo, message(test.in)), test.want)
		})
	}
}

func TestBareLineFeeds(t *testing.T) {
	c := read(t, Config{Keep: 100}, mailInfo, text(mixed))
	if got := string(c.Parts[0].Parts[0].Parts[0].Kept); got != "Grüße \nand a soft break" {
		t.Errorf("text %q", got)
	}
}

func TestUUEncodedPart(t *testing.T) {
	c := read(t, Config{Keep: 20}, mailInfo, message(`Subject: old

begin 100 miles away, they said
begin 644 hello world.txt
%2&5L;&\
`+"`"+`
end
bye
`))
	sameOutline(t, c, `
		 message/rfc822 99
		1 text/plain 83
		1.1 application/octet-stream 5 "hello world.txt"
	`)
	if got := string(c.Parts[0].Parts[0].Kept); got != "Hello" {
		t.Errorf("decoded %q", got)
	}
}

func TestProtection(t *testing.T) {
	for contentType, want := range map[string]string{
		"application/pkcs7-mime; smime-type=enveloped-data":           "smime-encrypted",
		"application/x-pkcs7-mime; name=smime.p7m":                    "smime",
		"multipart/signed; protocol=\"application/pkcs7-signature\"":  "smime-signed",
		"multipart/signed; protocol=\"application/pgp-signature\"":    "pgp-signed",
		"multipart/encrypted; protocol=\"application/pgp-encrypted\"": "pgp-encrypted",
		"application/pgp-keys":                                        "pgp-keys",
		"text/plain":                                                  "pgp-inline",
	} {
		c := read(t, Config{}, Info{ContentType: contentType}, text("hello\n-----BEGIN PGP MESSAGE-----\n"))
		if c.Protection != want {
			t.Errorf("%s: %q, want %q", contentType, c.Protection, want)
		}
	}
}

func TestHoleInPart(t *testing.T) {
	mail := crlf(mixed)
	at := strings.Index(mail, "and a soft")
	c := read(t, Config{Keep: 100}, mailInfo, text(mail[:at]), piece{hole: 4}, text(mail[at+4:]))
	body := c.Parts[0]
	part := body.Parts[0].Parts[0]
	if !part.Partial || part.Missing != 4 || !c.Partial || !body.Partial {
		t.Errorf("partial %v, missing %d", part.Partial, part.Missing)
	}
	if want := []record.Range{{From: int64(len("Gr=C3=BC=C3=9Fe=20\r\n")), To: int64(len("Gr=C3=BC=C3=9Fe=20\r\n")) + 4}}; !slices.Equal(part.Gaps, want) {
		t.Errorf("gaps %v, want %v", part.Gaps, want)
	}
	for _, whole := range body.Parts[1:] {
		if whole.Partial {
			t.Errorf("part %s is whole", whole.Path)
		}
	}
}
