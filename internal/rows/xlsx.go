package rows

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/flate"
	"github.com/xuri/excelize/v2"
)

// What a sheet holds.
const (
	xlsxRows    = 1<<20 - 1 // below the header
	xlsxColumns = 1 << 14
	xlsxText    = 1<<15 - 1 // UTF-16 code units of a cell
	xlsxSheet   = math.MaxUint32
)

// FitsXLSX reports, as a *FormError, that a sheet cannot hold so many rows or columns.
func FitsXLSX(rows int64, columns int) error {
	switch {
	case rows > xlsxRows:
		return &FormError{Reason: fmt.Sprintf("%d rows do not fit a sheet, which holds %d below its header; take csv, ndjson, json or parquet, or fewer rows", rows, xlsxRows)}
	case columns > xlsxColumns:
		return &FormError{Reason: fmt.Sprintf("%d columns do not fit a sheet, which holds %d; take csv, ndjson, json or parquet, or fewer columns", columns, xlsxColumns)}
	}
	return nil
}

// xlsxFile makes a workbook of one sheet. The library makes all of it but the rows. These go
// into the file as they come: its own StreamWriter would gather them in a temporary file, and
// then the whole workbook in memory.
type xlsxFile struct {
	out   *counted
	zip   *zip.Writer
	sheet io.Writer
	cells *xlsxCells
	end   []byte // of the sheet, behind its rows

	buffer []byte // rows that are not yet in the sheet
	rows   int64
	size   int64 // plain bytes of the sheet
}

func newXLSX(columns []Column, out io.Writer) (maker, error) {
	if err := FitsXLSX(0, len(columns)); err != nil {
		return nil, err
	}
	book, styles, err := workbook(columns)
	if err != nil {
		return nil, err
	}
	x := &xlsxFile{out: newCounted(out), cells: newXLSXCells(columns, styles)}
	x.zip = zip.NewWriter(x.out)
	x.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, compression) })
	if err := x.begin(book); err != nil {
		return nil, err
	}
	x.buffer, err = x.cells.header(x.buffer)
	return x, err
}

// begin copies what the library has made, up to the rows of the sheet.
func (x *xlsxFile) begin(book []byte) error {
	in, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		return err
	}
	var sheet []byte
	for _, part := range in.File {
		if part.Name != sheetPart {
			if err := x.zip.Copy(part); err != nil {
				return err
			}
			continue
		}
		r, err := part.Open()
		if err != nil {
			return err
		}
		if sheet, err = io.ReadAll(r); err != nil {
			return err
		}
	}
	const data = "<sheetData>"
	before, after, ok := bytes.Cut(sheet, []byte(data+"</sheetData>"))
	if !ok {
		return fmt.Errorf("the empty workbook has no rows to fill in %s", sheetPart)
	}
	x.buffer = append(append(x.buffer, before...), data...)
	x.end = append([]byte("</sheetData>"), after...)
	x.sheet, err = x.zip.Create(sheetPart)
	return err
}

func (x *xlsxFile) row(values [][]byte) (err error) {
	if x.rows++; x.rows > xlsxRows {
		return FitsXLSX(x.rows, 0)
	}
	if x.buffer, err = x.cells.row(x.buffer, values, x.rows); err != nil {
		return err
	}
	if len(x.buffer) < 64<<10 {
		return nil
	}
	return x.flush()
}

func (x *xlsxFile) flush() error {
	// Beyond this the file would need an extension of the format that Excel does not take.
	if x.size += int64(len(x.buffer)); x.size+int64(len(x.end)) > xlsxSheet {
		return misfit(x.rows-1, "up to here the sheet has 4 GiB, which is all that a workbook can hold; take csv, ndjson, json or parquet, or fewer rows")
	}
	_, err := x.sheet.Write(x.buffer)
	x.buffer = x.buffer[:0]
	return err
}

func (x *xlsxFile) close() (Made, error) {
	x.buffer = append(x.buffer, x.end...)
	if err := x.flush(); err != nil {
		return Made{}, err
	}
	if err := x.zip.Close(); err != nil {
		return Made{}, err
	}
	return x.out.made(), nil
}

func (x *xlsxFile) cancel() {}

const (
	sheetName = "Sheet1"
	sheetPart = "xl/worksheets/sheet1.xml"
)

// xlsxStyles are the numbers of the styles of cells.
type xlsxStyles struct {
	header, date, seconds, millis int
}

// workbook makes the file without its rows: styles, widths, and a header that stays in view.
func workbook(columns []Column) (book []byte, styles xlsxStyles, err error) {
	f := excelize.NewFile()
	defer f.Close()
	for _, s := range []struct {
		number *int
		style  excelize.Style
	}{
		{&styles.header, excelize.Style{Font: &excelize.Font{Bold: true}}},
		{&styles.date, numberStyle("yyyy-mm-dd")},
		{&styles.seconds, numberStyle("yyyy-mm-dd hh:mm:ss")},
		{&styles.millis, numberStyle("yyyy-mm-dd hh:mm:ss.000")},
	} {
		if *s.number, err = f.NewStyle(&s.style); err != nil {
			return nil, styles, err
		}
	}
	for i, c := range columns {
		width := 0.0 // the default, in which dates would show as ####
		switch c.OID {
		case OIDDate:
			width = 11
		case OIDTimestamp, OIDTimestamptz:
			width = 23
		default:
			continue
		}
		name := columnName(i)
		if err := f.SetColWidth(sheetName, name, name, width); err != nil {
			return nil, styles, err
		}
	}
	if err := f.SetPanes(sheetName, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, styles, err
	}
	var text bytes.Buffer
	err = f.Write(&text)
	return text.Bytes(), styles, err
}

func numberStyle(format string) excelize.Style { return excelize.Style{CustomNumFmt: &format} }

// columnName is A for 0, Z for 25, AA for 26.
func columnName(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return columnName(i/26-1) + string(rune('A'+i%26))
}
