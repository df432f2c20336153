package rows

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// parquetFile makes a parquet file: rows are gathered by column, and go on in row groups
// that are bounded in bytes.
type parquetFile struct {
	out     *counted
	buffer  *bufio.Writer
	tail    *tail
	w       *parquet.GenericWriter[any]
	columns []parquetColumn

	rows    int64 // all of them
	batch   int   // rows in the columns' values
	batches int   // rows that a batch may have
	arena   []byte
	flushed int64 // bytes up to the last row group
}

type parquetColumn struct {
	name   string
	value  parquetValue
	values []parquet.Value
	writer *parquet.ColumnWriter
}

const (
	// groupSize is how many bytes a row group may come to in memory, mostly compressed.
	groupSize = 12 << 20
	// pagesSize is how many bytes of values wait to become pages, over all columns.
	pagesSize = 4 << 20
	// batchSize is how many bytes of values, and batchValues how many values, are handed
	// over together.
	batchSize   = 256 << 10
	batchValues = 32 << 10
)

func newParquet(columns []Column, out io.Writer) (maker, error) {
	p := &parquetFile{out: newCounted(out), columns: make([]parquetColumn, len(columns))}
	p.buffer = bufio.NewWriterSize(p.out, 256<<10)
	p.tail = &tail{out: p.buffer}
	p.batches = min(max(batchValues/len(columns), 16), 1024)

	codec, err := newPageCodec()
	if err != nil {
		return nil, err
	}
	page := min(max(pagesSize/len(columns), 4<<10), 256<<10)
	options := []parquet.WriterOption{
		parquet.Compression(codec),
		parquet.DataPageVersion(1), // the one that every reader knows
		parquet.DataPageStatistics(false),
		parquet.PageBufferSize(page),
		parquet.ColumnPageBuffers(parquet.NewChunkBufferPool(page / 8)),
		parquet.WriteBufferSize(0),
	}
	root := ordered{Group: parquet.Group{}}
	for i, name := range uniqueNames(columns) {
		k := parquetKindOf(columns[i])
		root.fields = append(root.fields, field{Node: parquet.Optional(encoded(k.node)), name: name})
		p.columns[i] = parquetColumn{name: name, value: k.value}
		if k.unbounded {
			options = append(options, parquet.SkipPageBounds(name))
		}
	}
	p.w = parquet.NewGenericWriter[any](p.tail, append(options, parquet.NewSchema("schema", root))...)
	for i, w := range p.w.ColumnWriters() {
		p.columns[i].writer = w
	}
	return p, nil
}

// encoded writes integers by their differences, which makes numbers and times that follow
// each other very short. Dictionaries of the other values would make the file no smaller
// beside compression, and take megabytes for each column.
func encoded(node parquet.Node) parquet.Node {
	if k := node.Type().Kind(); k == parquet.Int32 || k == parquet.Int64 {
		return parquet.Encoded(node, &parquet.DeltaBinaryPacked)
	}
	return parquet.Encoded(node, &parquet.Plain)
}

func (p *parquetFile) row(values [][]byte) error {
	for i, v := range values {
		c := &p.columns[i]
		if v == nil {
			c.values = append(c.values, parquet.NullValue().Level(0, 0, i))
			continue
		}
		value, arena, wrong := c.value(p.arena, v)
		if wrong != "" {
			return misfit(p.rows, "column %q: %s %s; other formats can have it", c.name, shown(v), wrong)
		}
		p.arena = arena
		c.values = append(c.values, value.Level(0, 1, i))
	}
	p.rows++
	if p.batch++; p.batch < p.batches && len(p.arena) < batchSize {
		return nil
	}
	return p.flush()
}

// flush hands the batch over, and ends the row group that is full.
func (p *parquetFile) flush() error {
	for i := range p.columns {
		c := &p.columns[i]
		if _, err := c.writer.WriteRowValues(c.values); err != nil {
			return err
		}
		c.values = c.values[:0]
	}
	p.batch, p.arena = 0, p.arena[:0]
	if p.w.Size()-p.flushed < groupSize {
		return nil
	}
	return p.group()
}

// group ends a row group.
func (p *parquetFile) group() error {
	err := p.w.Flush()
	if errors.Is(err, parquet.ErrTooManyRowGroups) {
		return misfit(p.rows, "a parquet file has no more than %d row groups; take csv or ndjson", parquet.MaxRowGroups)
	}
	p.flushed = p.w.Size()
	return err
}

func (p *parquetFile) close() (Made, error) {
	if err := p.flush(); err != nil {
		return Made{}, err
	}
	if err := p.group(); err != nil {
		return Made{}, err
	}
	if err := p.footer(); err != nil {
		return Made{}, err
	}
	if err := p.buffer.Flush(); err != nil {
		return Made{}, err
	}
	return p.out.made(), nil
}

func (p *parquetFile) cancel() {}

// footer ends the file. The library would write an index of pages before it, which is wrong
// for columns without bounds, and for uuids of pages that are all NULL; readers that use it
// then miss rows. So the file has none, like those of most writers.
func (p *parquetFile) footer() error {
	if p.rows == 0 {
		return p.w.Close() // there are no pages
	}
	p.tail.off = true
	if err := p.w.Close(); err != nil {
		return err
	}
	p.tail.off = false
	meta := *p.w.File().Metadata()
	for _, group := range meta.RowGroups {
		for i := range group.Columns {
			c := &group.Columns[i]
			c.ColumnIndexOffset, c.ColumnIndexLength, c.OffsetIndexOffset, c.OffsetIndexLength = 0, 0, 0, 0
		}
	}
	return writeFooter(p.buffer, &meta)
}

func writeFooter(out io.Writer, meta *format.FileMetaData) error {
	var text bytes.Buffer
	protocol := new(thrift.CompactProtocol)
	if err := thrift.NewEncoder(protocol.NewWriter(&text)).Encode(meta); err != nil {
		return err
	}
	end := binary.LittleEndian.AppendUint32(nil, uint32(text.Len())) //nolint:gosec // as the format has it
	if _, err := text.WriteTo(out); err != nil {
		return err
	}
	_, err := out.Write(append(end, "PAR1"...))
	return err
}

// tail passes writes on until it is off.
type tail struct {
	out io.Writer
	off bool
}

func (t *tail) Write(b []byte) (int, error) {
	if t.off {
		return len(b), nil
	}
	return t.out.Write(b)
}

// pageCodec is zstd with a window of a page, for one goroutine. The library's own takes many
// times the memory.
type pageCodec struct {
	parquetzstd.Codec
	encoder *zstd.Encoder
}

func newPageCodec() (*pageCodec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithLowerEncoderMem(true))
	return &pageCodec{encoder: encoder}, err
}

// Encode implements compress.Codec.
func (p *pageCodec) Encode(dst, src []byte) ([]byte, error) {
	return p.encoder.EncodeAll(src, dst[:0]), nil
}
