package smtp

import "strings"

// offers are the extensions that the server named in its reply to EHLO or
// LHLO (RFC 5321, section 4.1.1.1).
type offers struct {
	// known: a reply to EHLO or HELO was seen whole, so that what is missing
	// here was not offered.
	known bool
	// extended: the client said EHLO or LHLO.
	extended bool
	keywords map[string]string // keyword, upper case, to its parameters
}

// maxOffers bounds how many capability lines are kept.
const maxOffers = 256

// readOffers parses the lines behind the first of a reply to EHLO.
func readOffers(lines []string) (o offers, list []string) {
	o = offers{known: true, extended: true, keywords: make(map[string]string)}
	for _, l := range lines {
		if len(list) >= maxOffers {
			break
		}
		word, params, _ := strings.Cut(strings.TrimSpace(l), " ")
		word = strings.ToUpper(word)
		if word == "" {
			continue
		}
		// Old Microsoft and Netscape clients read AUTH=LOGIN; servers still
		// offer both forms for them.
		if k, v, ok := strings.Cut(word, "="); ok && k == "AUTH" {
			word, params = k, v+" "+params
		}
		if old, ok := o.keywords[word]; ok {
			params = old + " " + params
		}
		o.keywords[word] = strings.TrimSpace(params)
		list = append(list, strings.TrimSpace(word+" "+strings.TrimSpace(params)))
	}
	return o, list
}

func (o *offers) has(keyword string) bool {
	_, ok := o.keywords[keyword]
	return ok
}

// lacks reports that the extension was surely not offered.
func (o *offers) lacks(keyword string) bool { return o.known && !o.has(keyword) }

// overwritten finds a capability that a middle box has painted over: firewalls
// replace keywords that they do not let through by X of the same length.
func overwritten(list []string) string {
	for _, l := range list {
		word, _, _ := strings.Cut(l, " ")
		if len(word) >= 4 && (strings.Trim(word, "X") == "" || strings.Trim(word, "*") == "" || strings.Trim(word[:len(word)-1], "X") == "") {
			return word
		}
	}
	return ""
}
