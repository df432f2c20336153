package rows

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"
)

// generated is the plain CSV of so many rows, made while it is read.
type generated struct {
	rows, next int64
	csv        *CSV
	line       []byte
	left       []byte
	values     [][]byte
}

var generatedColumns = []Column{
	{Name: "id", OID: OIDInt8},
	{Name: "code", OID: OIDInt4},
	{Name: "at", OID: OIDTimestamptz},
	{Name: "day", OID: OIDDate},
	{Name: "label", OID: OIDText},
	{Name: "country", OID: OIDText},
	{Name: "price", OID: OIDNumeric, Mod: 10<<16 + 2 + 4},
	{Name: "weight", OID: OIDFloat8},
	{Name: "ok", OID: OIDBool},
	{Name: "ref", OID: OIDUUID},
}

func newGenerated(rows int64) *generated {
	g := &generated{rows: rows, csv: NewCSV(generatedColumns, CSVOptions{}), values: make([][]byte, len(generatedColumns))}
	g.left = g.csv.AppendHeader(nil, generatedColumns)
	return g
}

func (g *generated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(g.left) == 0 {
			if g.next == g.rows {
				break
			}
			g.row()
		}
		copied := copy(p[n:], g.left)
		n, g.left = n+copied, g.left[copied:]
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (g *generated) row() {
	i := g.next
	g.next++
	mixed := uint64(i) * 0x9E3779B97F4A7C15 >> 8
	for c, text := range []string{
		fmt.Sprint(i),
		fmt.Sprint(mixed % 1_000_000),
		time.UnixMicro(1_700_000_000_000_000 + i*137_001).UTC().Format("2006-01-02 15:04:05.999999+00"),
		time.Unix(int64(mixed%2_000_000_000), 0).UTC().Format("2006-01-02"),
		fmt.Sprintf("Sample, number \"%x\" of the series", mixed%100_000),
		[]string{"Österreich", "Chile", "Japan", "Kenya"}[mixed%4],
		fmt.Sprintf("%d.%02d", mixed%100_000, mixed%100),
		fmt.Sprint(float64(mixed) / 3),
		[]string{"t", "f"}[mixed%2],
		fmt.Sprintf("%08x-0000-4000-8000-%012x", mixed&0xffffffff, mixed>>8),
	} {
		g.values[c] = append(g.values[c][:0], text...)
	}
	g.left = g.csv.AppendRow(g.line[:0], g.values)
	g.line = g.left[:0]
}

var allForms = []Form{
	{Format: FormatCSV, CSV: CSVOptions{Delimiter: ';', BOM: true, Safe: true}},
	{Format: FormatNDJSON},
	{Format: FormatJSON},
	{Format: FormatParquet},
	{Format: FormatXLSX},
}

// BenchmarkConvert tells how many bytes of plain CSV become each form in a second, and what
// the file is beside them.
func BenchmarkConvert(b *testing.B) {
	plain, err := io.ReadAll(newGenerated(200_000))
	if err != nil {
		b.Fatal(err)
	}
	for _, form := range allForms {
		b.Run(form.Format, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				made, err := Convert(b.Context(), &again{text: plain}, generatedColumns, form, io.Discard, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(made.Stored)/float64(len(plain)), "stored/plain")
			}
		})
	}
}

// again is a text as a reader.
type again struct {
	text []byte
}

func (a *again) Read(p []byte) (int, error) {
	n := copy(p, a.text)
	if a.text = a.text[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func BenchmarkCSVReader(b *testing.B) {
	plain, err := io.ReadAll(newGenerated(200_000))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewCSVReader(&again{text: plain}, generatedColumns)
		if _, err := r.ReadHeader(); err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Read(); err != nil {
				break
			}
		}
	}
}

// BenchmarkConvertMemory tells the most heap that was in use, garbage included, while two
// million rows became each form.
func BenchmarkConvertMemory(b *testing.B) {
	for _, form := range allForms {
		b.Run(form.Format, func(b *testing.B) {
			rows := int64(2_000_000)
			if form.Format == FormatXLSX {
				rows = xlsxRows
			}
			for b.Loop() {
				most := peak(b.Context(), func() {
					if _, err := Convert(b.Context(), newGenerated(rows), generatedColumns, form, io.Discard, nil); err != nil {
						b.Error(err)
					}
				})
				b.ReportMetric(float64(most)/(1<<20), "peak-MiB")
			}
		})
	}
}

// peak returns the most heap that was in use while f ran.
func peak(ctx context.Context, f func()) uint64 {
	runtime.GC()
	ctx, stop := context.WithCancel(ctx)
	var most uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		var m runtime.MemStats
		for ctx.Err() == nil {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	f()
	stop()
	<-done
	return most
}
