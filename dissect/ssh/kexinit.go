package ssh

import (
	"crypto/md5"
	"encoding/hex"
	"strings"

	"sniff/record"
)

// offer is a KEXINIT with what is computed from its whole lists.
type offer struct {
	init  *record.SSHKexInit
	lists [8]string // kex .. compression s2c, as sent
	// size is the length of the payload, by which a renewed exchange is
	// recognised, markers the part of it that they make.
	size, markers int
	strict        bool
}

// The lists of a KEXINIT in their order (RFC 4253, section 7.1).
const (
	listKex = iota
	listHostKey
	listCipherC2S
	listCipherS2C
	listMACC2S
	listMACS2C
	listCompressionC2S
	listCompressionS2C
)

// listName is the name of a list in records.
func listName(i int) string {
	return [...]string{"kex", "host_key", "cipher_c2s", "cipher_s2c", "mac_c2s", "mac_s2c", "compression_c2s", "compression_s2c"}[i]
}

// parseKexInit reads a KEXINIT (RFC 4253, section 7.1). ok is false when it
// ends early; what was there is returned all the same.
func parseKexInit(p []byte) (o *offer, ok bool) {
	r := reader{b: p[1:]}
	o = &offer{init: &record.SSHKexInit{}, size: len(p)}
	k := o.init
	k.Cookie = hex.EncodeToString(r.take(16))
	// One copy holds all lists.
	all := string(r.b)
	for i := range o.lists {
		list := r.string()
		at := len(all) - len(r.b) - len(list)
		if r.bad {
			break
		}
		o.lists[i] = all[at : at+len(list)]
	}
	k.LanguageC2S, k.LanguageS2C = split(r.names()), split(r.names())
	k.Guess = r.bool()
	r.uint32()
	methods := split(o.lists[listKex])
	k.Kex = make([]string, 0, len(methods))
	for _, n := range methods {
		switch n {
		case "ext-info-c", "ext-info-s":
			k.ExtInfo = true
		case "kex-strict-c-v00@openssh.com", "kex-strict-s-v00@openssh.com", "kex-strict-c", "kex-strict-s":
			k.Strict, o.strict = true, true
		case kexGuess2:
			k.Markers = append(k.Markers, n) // in every exchange
			continue
		default:
			k.Kex = append(k.Kex, n)
			continue
		}
		k.Markers = append(k.Markers, n)
		o.markers += len(n) + 1
	}
	k.HostKey = split(o.lists[listHostKey])
	k.CipherC2S, k.CipherS2C = splitPair(o.lists[listCipherC2S], o.lists[listCipherS2C])
	k.MACC2S, k.MACS2C = splitPair(o.lists[listMACC2S], o.lists[listMACS2C])
	k.CompressionC2S, k.CompressionS2C = splitPair(o.lists[listCompressionC2S], o.lists[listCompressionS2C])
	return o, !r.bad
}

// splitPair takes the lists of both directions apart, which nearly always are
// the same.
func splitPair(c2s, s2c string) (a, b []string) {
	a = split(c2s)
	if c2s == s2c {
		return a, a
	}
	return a, split(s2c)
}

// hassh is the fingerprint of Salesforce's HASSH: MD5 over the key exchange,
// cipher, MAC and compression lists as sent, those of the direction that the
// side itself sends in.
func (o *offer) hassh(dir record.Dir) (sum, text string) {
	i := int(dir)
	text = strings.Join([]string{o.lists[listKex], o.lists[listCipherC2S+i], o.lists[listMACC2S+i], o.lists[listCompressionC2S+i]}, ";")
	h := md5.Sum([]byte(text))
	if len(text) > 4096 {
		text = strings.Clone(text[:4096])
	}
	return hex.EncodeToString(h[:]), text
}

// negotiate chooses from two offers (RFC 4253, section 7.1) and names the
// lists that have nothing in common.
func negotiate(client, server *offer) (*record.SSHNegotiated, []string) {
	var chosen [8]string
	var failed []string
	for i := range chosen {
		chosen[i] = firstCommon(client.lists[i], server.lists[i])
	}
	n := &record.SSHNegotiated{
		Kex: chosen[listKex], HostKey: chosen[listHostKey],
		CipherC2S: chosen[listCipherC2S], CipherS2C: chosen[listCipherS2C],
		MACC2S: chosen[listMACC2S], MACS2C: chosen[listMACS2C],
		CompressionC2S: chosen[listCompressionC2S], CompressionS2C: chosen[listCompressionS2C],
	}
	// A cipher that authenticates leaves the MAC lists without meaning; they
	// may have nothing in common.
	if authenticates(n.CipherC2S) {
		n.MACC2S, chosen[listMACC2S] = implicitMAC, implicitMAC
	}
	if authenticates(n.CipherS2C) {
		n.MACS2C, chosen[listMACS2C] = implicitMAC, implicitMAC
	}
	for i, c := range chosen {
		if c == "" {
			failed = append(failed, listName(i))
		}
	}
	kex, hostKey := first(server.lists[listKex]), first(server.lists[listHostKey])
	if has(client.lists[listKex], kexGuess2) && has(server.lists[listKex], kexGuess2) {
		kex, hostKey = n.Kex, n.HostKey
	}
	n.WrongGuess = (client.init.Guess || server.init.Guess) && (first(client.lists[listKex]) != kex || first(client.lists[listHostKey]) != hostKey)
	return n, failed
}

// implicitMAC stands where the cipher authenticates by itself, as ssh -v says.
const implicitMAC = "implicit"

func first(list string) string {
	name, _, _ := strings.Cut(list, ",")
	return name
}

// firstCommon is the client's first name that the server has too. Names that
// are no methods do not count, so they cannot be chosen.
func firstCommon(client, server string) string {
	if client == "" || server == "" {
		return ""
	}
	// Lists of a few names, as all real ones are, need no map.
	if len(client)*len(server) < 1<<22 {
		for rest, name := client, ""; rest != ""; {
			name, rest, _ = strings.Cut(rest, ",")
			if isMethod(name) && has(server, name) {
				return strings.Clone(name)
			}
		}
		return ""
	}
	known := make(map[string]struct{}, maxNames)
	for rest, name := server, ""; rest != ""; {
		name, rest, _ = strings.Cut(rest, ",")
		known[name] = struct{}{}
	}
	for rest, name := client, ""; rest != ""; {
		name, rest, _ = strings.Cut(rest, ",")
		if _, ok := known[name]; ok && isMethod(name) {
			return strings.Clone(name)
		}
	}
	return ""
}

// kexGuess2 is how Dropbear says that a guess is right when what was guessed is
// chosen, though the other side may prefer something else.
const kexGuess2 = "kexguess2@matt.ucc.asn.au"

func isMethod(name string) bool {
	return name != "" && !strings.HasPrefix(name, "ext-info-") && !strings.HasPrefix(name, "kex-strict-") && name != kexGuess2
}

// has reports whether a name is in a list.
func has(list, name string) bool {
	for n := ""; list != ""; {
		n, list, _ = strings.Cut(list, ",")
		if n == name {
			return true
		}
	}
	return false
}
