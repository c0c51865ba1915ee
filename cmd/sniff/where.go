package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sniff/query"
	"sniff/record"
)

// choice is what the user said about which records to show.
type choice struct {
	where string
	kinds []string
	sort  string
	limit int

	expr *query.Where
	by   *query.Path
}

// choiceFlags are the flags that pick and order records.
func (a *app) choiceFlags(cmd *cobra.Command) {
	a.listFlags(cmd, "records (table and text: sessions with a record)")
	cmd.Flags().StringSliceVar(&a.choice.kinds, "kind", nil, "only records of this `KIND`, such as smtp.message; several with commas")
}

// pickFlags are those of them that every command over records has.
func (a *app) pickFlags(cmd *cobra.Command, what string) {
	f := cmd.Flags()
	f.StringVarP(&a.choice.where, "where", "Y", "", "only "+what+" for which this `EXPR` over their fields is true, such as 'protocol == \"smtp\" && cidr(client, \"10.0.0.0/8\")'")
	f.StringVar(&a.choice.sort, "sort", "", "order them by this `FIELD`; -FIELD: the largest first")
	f.IntVar(&a.choice.limit, "limit", 0, "show the first `N` only")
}

// listFlags are those of a list of records.
func (a *app) listFlags(cmd *cobra.Command, what string) {
	a.pickFlags(cmd, what)
	cmd.Flags().StringVar(&a.shape.fields, "fields", "", "columns of csv and parquet, or members of jsonl: a `LIST` of fields with commas, such as time,client,code")
}

// prepare checks and compiles the choice.
func (c *choice) prepare() error {
	for _, k := range c.kinds {
		if err := query.KnownKind(k); err != nil {
			return usageError{fmt.Errorf("--kind: %w", err)}
		}
	}
	if c.where != "" {
		w, err := query.Compile(c.where)
		if err != nil {
			return usageError{hinted{fmt.Errorf("--where: %w", err), fieldsHint}}
		}
		c.expr = w
	}
	if c.limit < 0 {
		return usageError{fmt.Errorf("--limit %d is less than nothing", c.limit)}
	}
	if c.sort != "" {
		p, err := query.ParsePath(strings.TrimPrefix(c.sort, "-"))
		if err != nil {
			return usageError{hinted{fmt.Errorf("--sort: %w", err), fieldsHint}}
		}
		c.by = p
	}
	return nil
}

const fieldsHint = "sniff schema describes the fields of all records"

// chosen returns the kinds that records can have behind the choice, by its
// form; nil when it does not say.
func (c *choice) chosen() []record.Kind {
	var out []record.Kind
	for _, k := range c.kinds {
		out = append(out, record.Kind(k))
	}
	if c.expr == nil || c.expr.Kinds() == nil {
		return out
	}
	if out == nil {
		return c.expr.Kinds()
	}
	return slices.DeleteFunc(out, func(k record.Kind) bool { return !slices.Contains(c.expr.Kinds(), k) })
}

// before puts the choice in front of a renderer.
func (c *choice) before(next record.Sink) record.Sink {
	switch {
	case c.by != nil:
		next = &sorter{next: next, choice: c}
	case c.limit > 0:
		next = &limiter{next: next, left: c.limit}
	}
	if c.expr == nil && c.kinds == nil {
		return next
	}
	return &chooser{next: next, choice: c}
}

// take reports whether the record is among the chosen ones.
func (c *choice) take(r record.Record) (bool, error) {
	if c.kinds != nil && !slices.Contains(c.kinds, string(r.Kind())) {
		return false, nil
	}
	if c.expr == nil {
		return true, nil
	}
	yes, err := c.expr.Match(r)
	if err != nil {
		err = fmt.Errorf("--where: %w", err)
	}
	return yes, err
}

// order compares two records as --sort says.
func (c *choice) order(a, b record.Record) int {
	if strings.HasPrefix(c.sort, "-") {
		return c.by.Compare(b, a)
	}
	return c.by.Compare(a, b)
}

// chooser passes the chosen records on.
type chooser struct {
	next   record.Sink
	choice *choice
}

func (c *chooser) Write(r record.Record) error {
	yes, err := c.choice.take(r)
	if err != nil || !yes {
		return err
	}
	return c.next.Write(r)
}

func (c *chooser) Close() error { return c.next.Close() }

// limiter passes the first records on.
type limiter struct {
	next record.Sink
	left int
}

func (l *limiter) Write(r record.Record) error {
	if l.left == 0 {
		return nil
	}
	l.left--
	return l.next.Write(r)
}

func (l *limiter) Close() error { return l.next.Close() }

// maxSorted bounds the records that --sort keeps.
const maxSorted = 1_000_000

// sorter keeps records until the end and passes them on in order.
type sorter struct {
	next   record.Sink
	choice *choice
	list   []record.Record
}

func (s *sorter) Write(r record.Record) error {
	s.list = append(s.list, r)
	if limit := s.choice.limit; limit > 0 && len(s.list) >= 2*limit+1000 {
		s.cut()
	}
	if len(s.list) > maxSorted {
		return usageError{hinted{fmt.Errorf("--sort: more than %d records", maxSorted), "narrow them with --where, or add --limit"}}
	}
	return nil
}

// cut puts what was kept in order and forgets what is past the limit.
func (s *sorter) cut() {
	slices.SortStableFunc(s.list, s.choice.order)
	if limit := s.choice.limit; limit > 0 && len(s.list) > limit {
		clear(s.list[limit:])
		s.list = s.list[:limit]
	}
}

func (s *sorter) Close() error {
	s.cut()
	for _, r := range s.list {
		if err := s.next.Write(r); err != nil {
			return errors.Join(err, s.next.Close())
		}
	}
	return s.next.Close()
}
