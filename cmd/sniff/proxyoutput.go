package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"sniff/content"
	"sniff/export"
	"sniff/render"
)

// proxyWrite is what -w asks the proxy to keep.
type proxyWrite struct {
	captures, folders []string
}

// sortWrites tells the values of -w apart: captures by their ending, all else
// is a folder. The first folder is that of the output, if that is files.
func (a *app) sortWrites(paths []string) (w proxyWrite, err error) {
	for _, p := range paths {
		switch ending := filepath.Ext(p); {
		case ending == ".pcapng":
			w.captures = append(w.captures, p)
		case ending == ".pcap" || ending == ".cap":
			return w, usageError{hinted{fmt.Errorf("-w %s: the traffic is written as pcapng", p), "-w " + strings.TrimSuffix(p, ending) + ".pcapng"}}
		case (a.output == "zeek" || a.output == "parquet") && a.shape.dir == "":
			a.shape.dir = p
		default:
			w.folders = append(w.folders, p)
		}
	}
	if len(w.captures) > 1 || len(w.folders) > 1 {
		return w, usageError{hinted{errors.New("-w names several captures, or several folders, for the same"), "one -w FILE.pcapng and one -w DIR go together"}}
	}
	return w, nil
}

// capture opens the capture of the traffic; nil if none is wanted.
func (w proxyWrite) capture(rotate string) (*render.PcapNG, error) {
	r, err := parseRotation(rotate)
	if err != nil {
		return nil, err
	}
	if len(w.captures) == 0 {
		if rotate != "" {
			return nil, usageError{hinted{errors.New("--rotate without a capture"), "it is for -w FILE.pcapng"}}
		}
		return nil, nil
	}
	ng, err := render.CreatePcapNG(w.captures[0], r)
	if errors.Is(err, fs.ErrExist) {
		return nil, usageError{hinted{fmt.Errorf("%s is there already, and is not overwritten", w.captures[0]), "name another file, or number them with --rotate 1GB"}}
	}
	if err != nil {
		return nil, inputError{err}
	}
	return ng, nil
}

// store opens the folder for messages, files and envelopes.
func (w proxyWrite) store() (content.Store, func() error, error) {
	if len(w.folders) == 0 {
		return nil, nil, nil
	}
	d, err := export.OpenLive(w.folders[0], export.What{Mail: true, Files: true, SOAP: true})
	if err != nil {
		return nil, nil, inputError{err}
	}
	return d, d.Close, nil
}

// parseRotation reads a size such as 100MB or a time such as 1h; "" is none.
func parseRotation(s string) (r render.Rotation, err error) {
	if s == "" {
		return r, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= time.Second {
		return render.Rotation{Every: d}, nil
	}
	if n, ok := parseSize(s); ok && n >= 1e4 {
		return render.Rotation{Size: n}, nil
	}
	return r, usageError{hinted{fmt.Errorf("--rotate %s is neither a size nor a time", s), "write it like 100MB (10KB at least) or 1h (1s at least)"}}
}
