package ftp

import (
	"path"
	"strings"
)

// join gives the absolute path of name in the folder dir. A server that
// speaks of drives or backslashes is taken at its word.
func join(dir, name string) string {
	switch {
	case name == "":
		return dir
	case strings.HasPrefix(name, "/"):
		return path.Clean(name)
	case len(name) > 1 && name[1] == ':' || strings.HasPrefix(name, `\`):
		return name
	case strings.HasPrefix(name, "~"):
		return path.Clean(name)
	case strings.HasPrefix(dir, "~"):
		// The parent of the login directory has no known name: a path that
		// climbs out of it stays as it was put together.
		if p := path.Join(dir, name); strings.HasPrefix(p, "~") {
			return p
		}
		return dir + "/" + name
	}
	return path.Join(dir, name)
}

// unquote reads a name in double quotes in which a doubled quote stands for
// one (RFC 959, appendix II: 257 "directory"). ok is false without a quote.
func unquote(s string) (name string, ok bool) {
	_, s, ok = strings.Cut(s, `"`)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return "", false
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if !strings.HasPrefix(s, `"`) {
			return b.String(), true
		}
		b.WriteByte('"')
		s = s[1:]
	}
}
