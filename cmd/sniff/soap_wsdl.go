package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sniff/dissect/soap"
)

// maxWSDL bounds a WSDL or schema that is read from a folder.
const maxWSDL = 8 << 20

// contracts returns the contracts that --wsdl names; those that go by in the
// traffic are added as they come.
func (a *app) contracts() (*soap.Contracts, error) {
	c := &soap.Contracts{}
	for _, name := range a.wsdl {
		if err := addContract(c, name, a.note); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// addContract reads a WSDL and what it imports from its own folder; nothing is
// read outside of it, and nothing is fetched.
func addContract(c *soap.Contracts, name string, note func(string, ...any)) error {
	folder, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return inputError{fmt.Errorf("--wsdl %s: %w", name, err)}
	}
	defer folder.Close()
	doc, err := readWithin(folder, filepath.Base(name))
	if err == nil {
		err = c.Add(filepath.Base(name), doc)
	}
	if err != nil {
		return inputError{fmt.Errorf("--wsdl %s: %w", name, err)}
	}
	tried := map[string]bool{}
	for again := true; again; {
		again = false
		for _, location := range c.Missing() {
			if tried[location] {
				continue
			}
			tried[location] = true
			file := location
			if strings.Contains(file, "://") {
				file = path.Base(file)
			}
			doc, err := readWithin(folder, file)
			switch {
			case err == nil:
				if err := c.Add(location, doc); err != nil {
					return inputError{fmt.Errorf("--wsdl %s imports %s: %w", name, location, err)}
				}
				again = true
			case errors.Is(err, fs.ErrNotExist):
				note("%s imports %s, which is not in its folder: types from there are not checked", name, location)
			default:
				note("%s imports %s: %v", name, location, err)
			}
		}
	}
	return nil
}

func readWithin(folder *os.Root, name string) ([]byte, error) {
	f, err := folder.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, maxWSDL+1))
	if err == nil && len(doc) > maxWSDL {
		err = fmt.Errorf("%s is longer than %d MB", name, maxWSDL>>20)
	}
	return doc, err
}
