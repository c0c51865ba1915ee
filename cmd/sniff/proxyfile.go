package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"

	"sniff/proxy"
	"sniff/query"
)

// A configuration file of the proxy has the names of the flags as its keys, and
// beside them listeners, each of which can have listenerKeys of its own. What
// the command line says goes before.

// listenerKeys are what listeners can differ in.
var listenerKeys = []string{"listen", "to", "mode", "tls", "via", "allow", "proxy-protocol-in", "proxy-protocol-out", "client-cert", "client-key"}

// notInFile are flags that mean nothing there.
var notInFile = []string{"config", "print-config", "help"}

// loadFile takes settings from the file that -c names. Errors begin with file
// and line.
func (p *proxyFlags) loadFile(path string, flags *pflag.FlagSet) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return inputError{err}
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			return usageError{fmt.Errorf("%s:%d: %s", path, syntax.GetToken().Position.Line, syntax.GetMessage())}
		}
		return usageError{fmt.Errorf("%s: %w", path, err)}
	}
	f := proxyFile{path: path, flags: flags}
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notInFile, f.Name) {
			names = append(names, f.Name)
		}
	})
	for _, doc := range file.Docs {
		err := f.each(doc.Body, append(names, "listeners"), func(key string, value ast.Node) error {
			if key != "listeners" {
				return f.set(key, value)
			}
			list, ok := value.(*ast.SequenceNode)
			if !ok {
				return f.wrong(value, "listeners is a list: begin each with - listen: ADDR")
			}
			for _, item := range list.Values {
				l, err := f.listener(item)
				if err != nil {
					return err
				}
				p.listeners = append(p.listeners, l)
			}
			return nil
		})
		if err != nil {
			return usageError{err}
		}
	}
	return nil
}

// proxyFile is a file while it is read.
type proxyFile struct {
	path  string
	flags *pflag.FlagSet
}

func (f *proxyFile) wrong(at ast.Node, format string, args ...any) error {
	line := at.GetToken().Position.Line
	return fmt.Errorf("%s:%d: %s", f.path, line, fmt.Sprintf(format, args...))
}

// each calls do for the keys of a mapping, which must be among names.
func (f *proxyFile) each(node ast.Node, names []string, do func(key string, value ast.Node) error) error {
	if node == nil {
		return nil // an empty file
	}
	if _, comment := node.(*ast.CommentGroupNode); comment {
		return nil
	}
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return f.wrong(node, "keys with values are expected here, such as tls: intercept")
	}
	seen := map[string]bool{}
	for it := mapping.MapRange(); it.Next(); {
		key := it.Key().String()
		switch {
		case !slices.Contains(names, key):
			if near := query.Nearest(key, names); near != "" {
				return f.wrong(it.Key(), "unknown key %q; did you mean %s?", key, near)
			}
			return f.wrong(it.Key(), "unknown key %q", key)
		case seen[key]:
			return f.wrong(it.Key(), "%s stands here twice", key)
		}
		seen[key] = true
		if err := do(key, it.Value()); err != nil {
			return err
		}
	}
	return nil
}

// words returns a value, or the values of a list, as they would stand on the
// command line.
func (f *proxyFile) words(value ast.Node) ([]string, error) {
	if list, ok := value.(*ast.SequenceNode); ok {
		var out []string
		for _, v := range list.Values {
			w, err := f.words(v)
			if err != nil {
				return nil, err
			}
			out = append(out, w...)
		}
		return out, nil
	}
	switch v := value.(type) {
	case *ast.StringNode:
		return []string{v.Value}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode:
		return []string{v.GetToken().Value}, nil
	case *ast.LiteralNode:
		return []string{strings.TrimSpace(v.Value.Value)}, nil
	}
	return nil, f.wrong(value, "a word, a number or a list of them is expected here")
}

// set takes a value for a flag, unless the command line has one.
func (f *proxyFile) set(key string, value ast.Node) error {
	words, err := f.words(value)
	if err != nil {
		return err
	}
	flag := f.flags.Lookup(key)
	_, many := flag.Value.(pflag.SliceValue)
	if len(words) > 1 && !many {
		return f.wrong(value, "%s has one value, and here are %d", key, len(words))
	}
	if flag.Changed {
		return nil
	}
	for _, w := range words {
		if err := checkSetting(key, w); err != nil {
			return f.wrong(value, "%s: %v", key, err)
		}
		if err := flag.Value.Set(w); err != nil {
			return f.wrong(value, "%s: %q is no %s", key, w, flag.Value.Type())
		}
	}
	return nil
}

// checkSetting looks at values that have a meaning beyond their type.
func checkSetting(key, value string) (err error) {
	switch key {
	case "mode":
		err = oneOf(key, value, proxyModes...)
	case "tls":
		err = oneOf(key, value, tlsModes...)
	case "ssh":
		err = oneOf(key, value, "intercept", "passthrough")
	case "upstream-verify":
		err = oneOf(key, value, "on", "report", "off")
	case "output":
		err = oneOf(key, value, proxyOutputs...)
	case "allow":
		_, err = netip.ParsePrefix(value)
	case "via":
		_, err = proxy.ParseVia(value)
	case "rotate":
		_, err = parseRotation(value)
	case "where":
		_, err = query.Compile(value)
	case "listen":
		err = checkAddress(value)
	case "to":
		err = checkAddress(strings.TrimPrefix(value, "tls://"))
	case "proxy-protocol-out":
		err = oneOf(key, value, "0", "1", "2")
	case "max-connections", "max-per-client":
		if n, e := strconv.Atoi(value); e == nil && n < 1 {
			err = fmt.Errorf("%s would let nobody in; 1 is the least", value)
		}
	case "idle", "dial-timeout", "handshake-timeout":
		if d, e := time.ParseDuration(value); e == nil && d <= 0 {
			err = fmt.Errorf("%s is no time to wait; write it like 30s or 1h", value)
		}
	case "grace":
		if d, e := time.ParseDuration(value); e == nil && d < 0 {
			err = fmt.Errorf("%s has passed before it begins; 0s cuts at once", value)
		}
	}
	var h hinted
	if errors.As(err, &h) {
		err = fmt.Errorf("%q is not known; %s", value, h.hint)
	}
	return err
}

// checkAddress looks at HOST:PORT before anything listens or is called.
func checkAddress(value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("address %s: %s is no port", value, port)
	}
	return nil
}

// listener reads one of the listeners: what it does not say is as at the top.
func (f *proxyFile) listener(node ast.Node) (map[string][]string, error) {
	l := map[string][]string{}
	err := f.each(node, listenerKeys, func(key string, value ast.Node) error {
		words, err := f.words(value)
		if err != nil {
			return err
		}
		if len(words) != 1 && key != "allow" {
			return f.wrong(value, "%s has one value, and here are %d", key, len(words))
		}
		for _, w := range words {
			if err := checkSetting(key, w); err != nil {
				return f.wrong(value, "%s: %v", key, err)
			}
			if key == "proxy-protocol-in" && w != "true" && w != "false" {
				return f.wrong(value, "%s: %q is no bool", key, w)
			}
		}
		l[key] = words
		return nil
	})
	if err == nil && l["listen"] == nil {
		err = f.wrong(node, "a listener without listen: where it listens")
	}
	return l, err
}

// print writes the settings as a file that means the same.
func (p *proxyFlags) print(w io.Writer, flags *pflag.FlagSet, listeners []listenerSettings) {
	fmt.Fprintln(w, "listeners:")
	for _, l := range listeners {
		fmt.Fprintf(w, "  - listen: %q\n    mode: %s\n    tls: %s\n", l.Listen, l.Mode, l.TLS)
		if l.To != "" {
			fmt.Fprintf(w, "    to: %q\n", l.To)
		}
		if l.Via != nil {
			fmt.Fprintf(w, "    via: %q\n", l.Via)
		}
		if len(l.Allow) > 0 {
			fmt.Fprintf(w, "    allow: %s\n", quotedList(l.Allow))
		}
		if l.ProxyProtocolIn {
			fmt.Fprintln(w, "    proxy-protocol-in: true")
		}
		if l.ProxyProtocolOut > 0 {
			fmt.Fprintf(w, "    proxy-protocol-out: %d\n", l.ProxyProtocolOut)
		}
		if l.clientCert != "" {
			fmt.Fprintf(w, "    client-cert: %q\n    client-key: %q\n", l.clientCert, l.clientKey)
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Value.String() == f.DefValue || slices.Contains(notInFile, f.Name) || slices.Contains(listenerKeys, f.Name) {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			fmt.Fprintf(w, "%s: %s\n", f.Name, quotedList(list.GetSlice()))
			return
		}
		fmt.Fprintf(w, "%s: %q\n", f.Name, f.Value)
	})
}

func quotedList[T any](list []T) string {
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprintf("%q", fmt.Sprint(v)))
	}
	return "[" + strings.Join(out, ", ") + "]"
}
