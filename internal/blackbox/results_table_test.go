package blackbox

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"
)

// fileTypes are the words of the formats of files, and their media types.
var fileTypes = map[string]string{
	"csv": "text/csv; charset=utf-8", "csv.gz": "application/gzip",
	"ndjson": "application/x-ndjson", "ndjson.gz": "application/gzip",
	"json": "application/json", "json.gz": "application/gzip",
	"parquet": "application/vnd.apache.parquet",
	"xlsx":    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// plus is a request with one parameter more.
func plus(request, parameter string) string {
	if strings.Contains(request, "?") {
		return request + "&" + parameter
	}
	return request + "?" + parameter
}

// waited is the file of a request in a format, as a program that waits for it gets it.
func (s *service) waited(request, word string, with ...func(*http.Request)) answer {
	s.t.Helper()
	return s.get(plus(twin(request), "_format="+word+"&_wait=30"), with...).wantCode(s.t, http.StatusOK)
}

// table is what a file of any format says, as texts; a missing value is "∅".
func table(t *testing.T, word, file string) (head []string, rows [][]string) {
	t.Helper()
	if plain, packed := strings.CutSuffix(word, ".gz"); packed {
		return table(t, plain, inflated(t, file))
	}
	switch word {
	case "csv":
		all, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all[0], all[1:]
	case "ndjson":
		for line := range strings.Lines(file) {
			var row []string
			if head, row = object(t, line); row != nil {
				rows = append(rows, row)
			}
		}
		return head, rows
	case "json":
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(file), &list); err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			var row []string
			head, row = object(t, string(one))
			rows = append(rows, row)
		}
		return head, rows
	case "parquet":
		return parquetTable(t, file)
	case "xlsx":
		book, err := excelize.OpenReader(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		all, err := book.GetRows(book.GetSheetName(0))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range all[1:] {
			for len(row) < len(all[0]) {
				row = append(row, "")
			}
			rows = append(rows, row)
		}
		return all[0], rows
	}
	t.Fatalf("no format %s", word)
	return nil, nil
}

// object is a JSON object as names and texts, in its order.
func object(t *testing.T, text string) (names, values []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		var value any
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		names = append(names, name.(string))
		if value == nil {
			value = "∅"
		}
		values = append(values, fmt.Sprint(value))
	}
	return names, values
}

func parquetTable(t *testing.T, file string) (head []string, rows [][]string) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader([]byte(file)), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range f.Schema().Columns() {
		head = append(head, strings.Join(column, "."))
	}
	r := parquet.NewReader(f)
	defer r.Close()
	buffer := make([]parquet.Row, 16)
	for {
		n, err := r.ReadRows(buffer)
		for _, row := range buffer[:n] {
			var texts []string
			for _, v := range row {
				if v.IsNull() {
					texts = append(texts, "∅")
				} else {
					texts = append(texts, v.String())
				}
			}
			rows = append(rows, texts)
		}
		if errors.Is(err, io.EOF) {
			return head, rows
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
