package wsdl

import (
	"net/url"
	"path"
	"strings"
	"sync"
)

// Bounds of a Set.
const (
	maxDocuments = 128
	maxImports   = 256 // of one document
)

// Set keeps contracts and schemas by where they were found. It may be used by
// several goroutines.
type Set struct {
	mu        sync.Mutex
	documents []*document
	contracts []*contract // of the documents; nil when they have changed
	built     bool
	missing   []string
}

// document is one WSDL or schema as it was found.
type document struct {
	location string
	root     *Node
	imported bool // another document imports it
}

// IsContract reports whether an element is the root of a WSDL.
func IsContract(space, local string) bool {
	return local == "definitions" && space == spaceWSDL1 || local == "description" && space == spaceWSDL2
}

// IsSchema reports whether an element is the root of an XML Schema.
func IsSchema(space, local string) bool { return local == "schema" && space == spaceXSD }

// Add takes a document that was found at a location (a URL, or a path inside
// of a folder); an older one from there is replaced. It reports whether the
// document is a contract or a schema and there was room.
func (s *Set) Add(location string, root *Node) bool {
	if root == nil || !IsContract(root.Space, root.Local) && !IsSchema(root.Space, root.Local) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.built = false
	d := &document{location: location, root: root}
	for i, old := range s.documents {
		if old.location == location {
			s.documents[i] = d
			return true
		}
	}
	if len(s.documents) >= maxDocuments {
		return false
	}
	s.documents = append(s.documents, d)
	return true
}

// Missing returns the locations of imports that are not in the Set.
func (s *Set) Missing() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.build()
	return append([]string(nil), s.missing...)
}

// Empty reports whether there is no contract.
func (s *Set) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents {
		if IsContract(d.root.Space, d.root.Local) {
			return false
		}
	}
	return true
}

// build makes contracts of the documents that no other one imports.
func (s *Set) build() {
	if s.built {
		return
	}
	s.built, s.contracts, s.missing = true, nil, nil
	for _, d := range s.documents {
		d.imported = false
	}
	for _, d := range s.documents {
		for _, at := range d.imports() {
			if to := s.find(d, at); to != nil && to != d {
				to.imported = true
			} else if to == nil {
				s.missing = append(s.missing, resolveLocation(d.location, at))
			}
		}
	}
	for _, d := range s.documents {
		if IsContract(d.root.Space, d.root.Local) && !d.imported {
			s.contracts = append(s.contracts, newContract(s, d))
		}
	}
}

// imports returns the locations that a document imports, as they stand.
func (d *document) imports() []string {
	var out []string
	look := func(n *Node) {
		for _, c := range n.Children {
			switch {
			case c.Space == spaceWSDL1 && c.Local == "import", c.Space == spaceWSDL2 && (c.Local == "import" || c.Local == "include"):
				out = append(out, c.attr("location"))
			case c.Space == spaceXSD && (c.Local == "import" || c.Local == "include" || c.Local == "redefine"):
				out = append(out, c.attr("schemaLocation"))
			}
		}
	}
	look(d.root)
	for _, c := range d.root.Children {
		if c.Local == "types" {
			look(c) // WSDL 2.0 part 1, section 3.1.1
			for _, schema := range c.Children {
				look(schema)
			}
		}
	}
	kept := out[:0]
	for _, at := range out {
		if at != "" && len(kept) < maxImports {
			kept = append(kept, at)
		}
	}
	return kept
}

// find returns the document that another one imports from a location.
func (s *Set) find(from *document, location string) *document {
	if location == "" {
		return nil
	}
	want := resolveLocation(from.location, location)
	for _, d := range s.documents {
		if d.location == want {
			return d
		}
	}
	// Behind a proxy or in a folder the front of the location differs.
	var found *document
	for _, d := range s.documents {
		if lastStep(d.location) == lastStep(want) && lastStep(want) != "" {
			if found != nil {
				return nil
			}
			found = d
		}
	}
	return found
}

func resolveLocation(base, location string) string {
	if strings.Contains(location, "://") {
		return location
	}
	if strings.Contains(base, "://") {
		b, err := url.Parse(base)
		if err != nil {
			return location
		}
		l, err := b.Parse(location)
		if err != nil {
			return location
		}
		return l.String()
	}
	return path.Join(path.Dir(base), location)
}

// lastStep is the end of a location: file name and query.
func lastStep(location string) string {
	query := ""
	if i := strings.IndexByte(location, '?'); i >= 0 {
		location, query = location[:i], location[i:]
	}
	return location[strings.LastIndexByte(location, '/')+1:] + query
}
