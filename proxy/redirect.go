package proxy

import (
	"errors"
	"fmt"
	"strings"
)

// Redirect says which connections the firewall brings to a transparent
// listener.
type Redirect struct {
	// To is the listener's port.
	To uint16
	// Ports are those of the connections, as nft writes them: "25", "1000-2000".
	Ports []string
	// FTP are those of them that are FTP control connections: while a client
	// holds one, its connections to unprivileged ports of that server come too.
	FTP []string
	// Interface narrows forwarded connections to those that come in there;
	// NotForwarded takes none of them, Local also those of this host.
	Interface    string
	NotForwarded bool
	Local        bool
	// TPROXY leaves addresses as they are, instead of rewriting them
	// (REDIRECT). It does not see connections of this host.
	TPROXY bool
	// UID is the user whose connections are left alone, beside those with
	// Mark, which a proxy with the right to sets on its own.
	UID string
}

const (
	// Mark is on the packets of the proxy's own connections.
	Mark = 0x736e6966
	// routeMark and routeTable bring packets that TPROXY took to this host.
	routeMark  = 0x736e6967
	routeTable = 29545
)

// TeardownRules removes everything that Rules makes.
const TeardownRules = "table inet sniff\ndelete table inet sniff\n"

// Rules returns the nft script: loaded again it replaces what it made before.
func (r Redirect) Rules() (string, error) {
	switch {
	case r.TPROXY && r.Local:
		return "", errors.New("proxy: TPROXY does not see connections of this host")
	case r.NotForwarded && !r.Local:
		return "", errors.New("proxy: neither forwarded nor local connections are wanted")
	case len(r.Ports) == 0:
		return "", errors.New("proxy: no ports to redirect")
	}
	var b strings.Builder
	b.WriteString(TeardownRules)
	b.WriteString("table inet sniff {\n")
	if len(r.FTP) > 0 {
		for _, family := range []string{"4", "6"} {
			fmt.Fprintf(&b, "\t# client and server of FTP control connections\n\tset ftp%s {\n\t\ttype ipv%[1]s_addr . ipv%[1]s_addr\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 1h\n\t}\n", family)
		}
	}
	if !r.NotForwarded {
		b.WriteString("\tchain forwarded_ftp {\n\t\ttype filter hook prerouting priority mangle - 1; policy accept;\n")
		r.scope(&b)
		r.noteFTP(&b)
		b.WriteString("\t}\n")
		kind := "nat hook prerouting priority dstnat"
		if r.TPROXY {
			kind = "filter hook prerouting priority mangle"
		}
		fmt.Fprintf(&b, "\tchain forwarded {\n\t\ttype %s; policy accept;\n", kind)
		r.scope(&b)
		r.take(&b)
		b.WriteString("\t}\n")
	}
	if r.Local {
		b.WriteString("\tchain local_ftp {\n\t\ttype filter hook output priority mangle - 1; policy accept;\n")
		r.exclude(&b)
		r.noteFTP(&b)
		b.WriteString("\t}\n")
		b.WriteString("\tchain local {\n\t\ttype nat hook output priority -100; policy accept;\n")
		r.exclude(&b)
		r.take(&b)
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// scope leaves out what is not forwarded: connections to this host itself.
func (r Redirect) scope(b *strings.Builder) {
	if r.Interface != "" {
		fmt.Fprintf(b, "\t\tiifname != %q return\n", r.Interface)
	}
	b.WriteString("\t\tfib daddr type local return\n")
}

// exclude leaves out the proxy's own connections, and those to the proxy.
func (r Redirect) exclude(b *strings.Builder) {
	fmt.Fprintf(b, "\t\tmeta mark %#x return\n", Mark)
	if r.UID != "" {
		fmt.Fprintf(b, "\t\tmeta skuid %s return\n", r.UID)
	}
	fmt.Fprintf(b, "\t\tfib daddr type local tcp dport %d return\n", r.To)
}

func (r Redirect) noteFTP(b *strings.Builder) {
	if len(r.FTP) == 0 {
		return
	}
	ports := strings.Join(r.FTP, ", ")
	fmt.Fprintf(b, "\t\ttcp dport { %s } update @ftp4 { ip saddr . ip daddr }\n", ports)
	fmt.Fprintf(b, "\t\ttcp dport { %s } update @ftp6 { ip6 saddr . ip6 daddr }\n", ports)
}

// take brings the wanted connections to the listener.
func (r Redirect) take(b *strings.Builder) {
	ports := strings.Join(r.Ports, ", ")
	to := fmt.Sprintf("redirect to :%d", r.To)
	if !r.TPROXY {
		fmt.Fprintf(b, "\t\ttcp dport { %s } %s\n", ports, to)
		if len(r.FTP) > 0 {
			fmt.Fprintf(b, "\t\ttcp dport 1024-65535 ip saddr . ip daddr @ftp4 %s\n", to)
			fmt.Fprintf(b, "\t\ttcp dport 1024-65535 ip6 saddr . ip6 daddr @ftp6 %s\n", to)
		}
		return
	}
	for _, f := range []struct{ proto, family, set string }{{"ip", "ipv4", "ftp4"}, {"ip6", "ipv6", "ftp6"}} {
		to := fmt.Sprintf("tproxy %s to :%d meta mark set %#x accept", f.proto, r.To, routeMark)
		fmt.Fprintf(b, "\t\tmeta nfproto %s tcp dport { %s } %s\n", f.family, ports, to)
		if len(r.FTP) > 0 {
			fmt.Fprintf(b, "\t\ttcp dport 1024-65535 %s saddr . %[1]s daddr @%s %s\n", f.proto, f.set, to)
		}
	}
}

// Routes are the arguments of the ip commands that bring packets which TPROXY
// took to this host; with del they remove that again.
func (r Redirect) Routes(del bool) [][]string {
	what := "add"
	if del {
		what = "del"
	}
	var out [][]string
	for _, f := range []struct{ flag, all string }{{"-4", "0.0.0.0/0"}, {"-6", "::/0"}} {
		out = append(out,
			[]string{f.flag, "rule", what, "fwmark", fmt.Sprintf("%#x", routeMark), "lookup", fmt.Sprint(routeTable)},
			[]string{f.flag, "route", what, "local", f.all, "dev", "lo", "table", fmt.Sprint(routeTable)})
	}
	return out
}
