package render

import (
	"bufio"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"sniff/record"
)

// Parquet writes records as Apache Parquet, a file for each kind in one
// folder, made when its first record comes. The columns are the record's
// fields with their types: times are TIMESTAMP in microseconds, lists LIST,
// objects groups. What a record does not have is null.
//
// Rows are held in memory until there are enough of them for a row group, so
// that memory is bounded however long the input is.
type Parquet struct {
	root  *os.Root
	style Style
	// columns returns the columns for records of a kind; none: no file.
	columns func(record.Record) []Column

	files map[record.Kind]*parquetFile
	order []*parquetFile
	held  int // bytes of rows that are not in a row group yet
}

// ErrFileExists says that there is a file already where one would be written.
var ErrFileExists = errors.New("it exists already, and nothing is overwritten")

// NewParquet returns a sink that writes to files in dir, which is made if
// there is none. A file that exists already is not overwritten. columns names
// the columns for records of a kind.
func NewParquet(dir string, style Style, columns func(record.Record) []Column) (*Parquet, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Parquet{root: root, style: style, columns: columns, files: map[record.Kind]*parquetFile{}}, nil
}

func (p *Parquet) Write(r record.Record) error {
	if p.style.Reveal {
		record.Reveal(r)
	}
	f, ok := p.files[r.Kind()]
	if !ok {
		var err error
		if f, err = p.open(r); err != nil {
			return err
		}
		p.files[r.Kind()] = f
	}
	if f == nil {
		return nil
	}
	n, err := f.write(r)
	if p.held += n; err != nil || p.held < maxHeld {
		return err
	}
	most := slices.MaxFunc(p.order, func(a, b *parquetFile) int { return cmp.Compare(a.held, b.held) })
	p.held -= most.held
	return most.group()
}

// open makes the file for the kind of a record, nil when it has no columns.
func (p *Parquet) open(r record.Record) (*parquetFile, error) {
	columns := p.columns(r)
	if len(columns) == 0 {
		return nil, nil
	}
	name := string(r.Kind()) + ".parquet"
	file, err := p.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		err = &fs.PathError{Op: "write", Path: p.root.Name() + "/" + name, Err: ErrFileExists}
	}
	if err != nil {
		return nil, err
	}
	f := newParquetFile(file, r, columns)
	p.order = append(p.order, f)
	return f, nil
}

// Close ends all files: without its foot, a file cannot be read.
func (p *Parquet) Close() error {
	var err error
	for _, f := range p.order {
		err = errors.Join(err, f.close())
	}
	return errors.Join(err, p.root.Close())
}

const (
	// maxHeld is about how many bytes of rows all files hold together. Past
	// it the file that holds most writes a row group.
	maxHeld = 24 << 20
	// rowBatch is how many rows are handed over at a time.
	rowBatch = 128
)

// parquetFile is the file of one kind.
type parquetFile struct {
	file    *os.File
	buffer  *bufio.Writer
	w       *parquet.GenericWriter[any]
	columns []Column
	shapes  []*parquetShape
	row     parquetRow
	batch   []parquet.Row
	held    int // bytes of rows since the last row group
}

func newParquetFile(file *os.File, r record.Record, columns []Column) *parquetFile {
	f := &parquetFile{file: file, buffer: bufio.NewWriterSize(file, 1<<16), columns: columns}
	root := parquetGroup{}
	leaves := 0
	for i := range columns {
		s := shapeOf(columns[i].Type(r), columns[i].Omit)
		s.place(leaves, 0)
		leaves += s.leaves
		f.shapes = append(f.shapes, s)
		root.add(columns[i].Name, s.node)
	}
	f.row.cells = make([][]parquet.Value, leaves)
	f.w = parquet.NewGenericWriter[any](f.buffer, parquet.NewSchema(string(r.Kind()), &root),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}),
		parquet.CreatedBy("sniff", "1", ""),
		parquet.PageBufferSize(32<<10),
		// What repeats little is not worth a dictionary.
		parquet.DictionaryMaxBytes(1<<20),
		// The first version of pages is the one that every reader knows.
		parquet.DataPageVersion(1),
	)
	return f
}

// write takes a record and returns about how many bytes it holds.
func (f *parquetFile) write(r record.Record) (n int, err error) {
	f.row.reset()
	for i, s := range f.shapes {
		f.row.shred(s, f.columns[i].Of(r), 0, 0)
	}
	f.batch = append(f.batch, f.row.take())
	f.held += f.row.size
	if len(f.batch) >= rowBatch {
		err = f.flush()
	}
	return f.row.size, err
}

// group writes what is held as a row group.
func (f *parquetFile) group() error {
	f.held = 0
	return errors.Join(f.flush(), f.w.Flush())
}

// flush hands the rows over.
func (f *parquetFile) flush() error {
	_, err := f.w.WriteRows(f.batch)
	clear(f.batch)
	f.batch = f.batch[:0]
	return err
}

func (f *parquetFile) close() error {
	err := f.flush()
	return errors.Join(err, f.w.Close(), f.buffer.Flush(), f.file.Close())
}
