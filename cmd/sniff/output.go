package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sniff/query"
	"sniff/record"
	"sniff/render"
)

// shape is how records are written, beside the format.
type shape struct {
	fields      string
	eveExtended bool
	dir         string // of the files of zeek and parquet
	zeekJSON    bool
}

// outputFlags are the flags of commands that write records of all kinds; what
// lists the formats.
func (a *app) outputFlags(cmd *cobra.Command, what string) {
	a.choiceFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&a.output, "output", "o", "table", what)
	f.BoolVar(&a.shape.zeekJSON, "zeek-json", false, "zeek: logs of JSON lines instead of tab-separated values")
	f.BoolVar(&a.shape.eveExtended, "eve-extended", false, "eve: add the whole record under the key sniff, and events for records that Suricata has none for")
}

// folderFlag adds the flag that names the folder of formats of several files.
func (a *app) folderFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.shape.dir, "write", "w", "", "zeek, parquet: `DIR` to write the files to; it is made if there is none")
}

// records returns the renderer that --output names, behind the choice of
// records. live writes every record at once.
func (a *app) records(live bool) (record.Sink, error) {
	if err := a.choice.prepare(); err != nil {
		return nil, err
	}
	if err := a.fits(); err != nil {
		return nil, err
	}
	if live && a.choice.sort != "" {
		return nil, usageError{hinted{errors.New("--sort waits for the end, and there is none yet"), "sort what was written, or read a capture"}}
	}
	sink, err := a.renderer(live)
	if err != nil {
		return nil, err
	}
	if a.bySession(live) {
		var needs func(record.Record) bool
		if a.output == "table" {
			needs = render.InTable
		}
		return a.choice.sessions(sink, needs, live)
	}
	return a.choice.before(sink), nil
}

// fits refuses flags that mean nothing to the format.
func (a *app) fits() error {
	lines := a.output == "csv" || a.output == "jsonl" || a.output == "parquet"
	folder := a.output == "zeek" || a.output == "parquet"
	switch {
	case a.shape.fields != "" && !lines:
		return usageError{hinted{errors.New("--fields has no meaning for -o " + a.output), "it chooses the columns of csv and parquet and the members of jsonl"}}
	case folder && a.shape.dir == "":
		return usageError{hinted{fmt.Errorf("where to write the files of -o %s is missing", a.output), fmt.Sprintf("name a folder: -o %s -w DIR", a.output)}}
	case !folder && a.shape.dir != "":
		return usageError{hinted{errors.New("a folder has no meaning for -o " + a.output), "it is for -o zeek and -o parquet; the others write to standard output"}}
	case a.shape.zeekJSON && a.output != "zeek":
		return usageError{hinted{errors.New("--zeek-json has no meaning for -o " + a.output), "it is for -o zeek"}}
	case a.shape.eveExtended && a.output != "eve":
		return usageError{hinted{errors.New("--eve-extended has no meaning for -o " + a.output), "it is for -o eve"}}
	case a.choice.sort != "" && !lines && a.output != "table" && a.output != "text":
		return usageError{hinted{errors.New("--sort has no meaning for -o " + a.output), "it orders the records of csv, jsonl and parquet, and the sessions of table and text"}}
	}
	return nil
}

func (a *app) renderer(live bool) (record.Sink, error) {
	switch a.output {
	case "jsonl":
		if a.shape.fields != "" {
			columns, err := a.columns(a.choice.chosen()...)
			if err != nil {
				return nil, err
			}
			f := render.NewFieldLines(a.stdout, a.style(), columns)
			f.Flush = live
			return f, nil
		}
		j := render.NewJSONLines(a.stdout, a.style())
		j.Flush = live
		return j, nil
	case "csv":
		return a.csv(live)
	case "eve":
		e := render.NewEVE(a.stdout, a.style())
		e.Extended, e.Flush = a.shape.eveExtended, live
		return e, nil
	case "zeek":
		z, err := render.NewZeek(a.shape.dir, a.shape.zeekJSON, a.style())
		if err != nil {
			return nil, inputError{err}
		}
		z.Flush = live
		return z, nil
	case "parquet":
		return a.parquet()
	case "text":
		if live {
			return render.NewTalk(a.stdout, a.style()), nil
		}
		d := render.NewDialogue(a.stdout, a.style())
		d.Match = func(h *record.Header) bool { return h.Protocol != "" }
		return d, nil
	}
	t := render.NewTable(a.stdout, a.style())
	t.Live, t.Chosen = live, a.choice.any()
	return t, nil
}

// csv returns the sink of -o csv. A file has one kind of record, as its
// columns are the kind's fields.
func (a *app) csv(live bool) (record.Sink, error) {
	kinds := a.choice.chosen()
	if len(kinds) != 1 && a.shape.fields == "" {
		return nil, usageError{hinted{
			errors.New("csv wants records of one kind, as their fields are its columns"),
			"name it with --kind, or the columns with --fields; the kinds are " + strings.Join(kindNames(), ", "),
		}}
	}
	columns, err := a.columns(kinds...)
	if err != nil {
		return nil, err
	}
	c := render.NewCSV(a.stdout, a.style(), columns)
	c.Flush = live
	return c, nil
}

// parquet returns the sink of -o parquet.
func (a *app) parquet() (record.Sink, error) {
	columns := render.Columns
	if a.shape.fields != "" {
		all, err := a.columns(a.choice.chosen()...)
		if err != nil {
			return nil, err
		}
		columns = func(r record.Record) (of []render.Column) {
			for _, c := range all {
				if c.Type(r) != nil {
					of = append(of, c)
				}
			}
			return of
		}
	}
	p, err := render.NewParquet(a.shape.dir, a.style(), columns)
	if err != nil {
		return nil, inputError{err}
	}
	return p, nil
}

// columns returns the columns that --fields names, or all of a kind.
func (a *app) columns(kinds ...record.Kind) ([]render.Column, error) {
	if a.shape.fields == "" {
		for _, r := range record.Types() {
			if len(kinds) == 1 && r.Kind() == kinds[0] {
				return render.Columns(r), nil
			}
		}
	}
	paths, err := query.ParseFields(a.shape.fields, kinds...)
	if err != nil {
		return nil, usageError{hinted{fmt.Errorf("--fields: %w", err), fieldsHint}}
	}
	var out []render.Column
	for _, p := range paths {
		out = append(out, render.Column{Name: p.Name, Of: p.Of, Type: p.TypeIn, Omit: p.Omit})
	}
	return out, nil
}

func kindNames() []string {
	var out []string
	for _, r := range record.Types() {
		out = append(out, string(r.Kind()))
	}
	return out
}
