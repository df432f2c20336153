package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"slashbatch/internal/problem"
	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// fileFormat is a form of the files of twins and links.
type fileFormat struct {
	// word is its name in _format, and what the names of its files end in.
	word string
	// format is that of a rows.Form.
	format string
	// packed: the gzip file itself, rather than what is in it.
	packed bool
}

// fileFormats are those that there are, in the order to tell them. What is stored as gzip
// can also be had so, by its name.
var fileFormats = func() (list []fileFormat) {
	for _, format := range []string{rows.FormatCSV, rows.FormatNDJSON, rows.FormatJSON, rows.FormatParquet, rows.FormatXLSX} {
		list = append(list, fileFormat{word: format, format: format})
		if (rows.Form{Format: format}).Gzipped() {
			list = append(list, fileFormat{word: format + ".gz", format: format, packed: true})
		}
	}
	return list
}()

func (f fileFormat) mediaType() string {
	if f.packed {
		return "application/gzip"
	}
	return rows.Form{Format: f.format}.ContentType()
}

// form is the form of a file in this format, with those of the options that it has.
func (f fileFormat) form(c endpoint.Control) rows.Form {
	form := rows.Form{Format: f.format}
	if f.format == rows.FormatCSV {
		form.CSV = rows.CSVOptions{BOM: c.BOM, Safe: c.Safe}
		if c.Delimiter != ',' {
			form.CSV.Delimiter = c.Delimiter
		}
	}
	return form
}

// refuse says which of the options a file in this format cannot have: those that change a
// CSV file change no other.
func (f fileFormat) refuse(c endpoint.Control) (problems problem.List) {
	if f.format == rows.FormatCSV {
		return nil
	}
	for _, option := range []struct {
		name  string
		given bool
	}{{"_bom", c.BOM}, {"_delimiter", c.Delimiter != 0 && c.Delimiter != ','}, {"_safe", c.Safe}} {
		if option.given {
			problems.Add(option.name, "is for files of CSV, and this one is %s", f.word)
		}
	}
	return problems
}

// csvOptions are the names of the parameters that only CSV has.
var csvOptions = []string{"_bom", "_delimiter", "_safe"}

// options are the parameters about how a file in this format is written, but for _format.
func (f fileFormat) options(c endpoint.Control) url.Values {
	options := url.Values{}
	if f.format != rows.FormatCSV {
		return options
	}
	for name, values := range c.Values() {
		if slices.Contains(csvOptions, name) {
			options[name] = values
		}
	}
	return options
}

// offeredFiles are the formats of files that an endpoint's twin offers.
func offeredFiles(spec *endpoint.Spec) (list []fileFormat) {
	for _, f := range fileFormats {
		if len(spec.Batch.Formats) == 0 || slices.Contains(spec.Batch.Formats, f.format) {
			list = append(list, f)
		}
	}
	return list
}

// usualFile is the format of a file that is asked for without _format.
func usualFile(spec *endpoint.Spec) fileFormat {
	f, _ := fileByWord(fileFormats, spec.Batch.Format())
	return f
}

func fileByWord(list []fileFormat, word string) (fileFormat, bool) {
	i := slices.IndexFunc(list, func(f fileFormat) bool { return f.word == word })
	if i < 0 {
		return fileFormat{}, false
	}
	return list[i], true
}

func fileWords(list []fileFormat) []string {
	words := []string{}
	for _, f := range list {
		words = append(words, f.word)
	}
	return words
}

// checkFile refuses a format of files that the endpoint's twin does not offer, and options
// that the format does not have. Accept never chooses a file: one URL is one file.
func (a ask) checkFile() error {
	offered := offeredFiles(a.Endpoint.Spec)
	if word := a.Control.Format; word != "" {
		if _, ok := fileByWord(offered, word); !ok {
			return &httpError{Status: http.StatusNotAcceptable, Detail: "exports of this endpoint come as " + strings.Join(fileWords(offered), ", ")}
		}
	}
	if problems := a.file().refuse(a.Control); len(problems) > 0 {
		return badParameters(problems)
	}
	return nil
}

// file is the format of the file that the request asks for, or, where its _format is that of
// an interactive answer, the usual one.
func (a ask) file() fileFormat {
	if f, ok := fileByWord(offeredFiles(a.Endpoint.Spec), a.Control.Format); ok {
		return f
	}
	return usualFile(a.Endpoint.Spec)
}

// form is the form of file that the request asks for.
func (a ask) form() rows.Form { return a.file().form(a.Control) }

// as is the request for its file in another format.
func (a ask) as(f fileFormat) ask {
	request := *a.Request
	request.Control.Format = f.word
	a.Request = &request
	return a
}

// fileValues are the parameters of the request and of its file: they are in every URL of the
// twin, but in no key.
func (a ask) fileValues() url.Values {
	values := a.Values()
	f := a.file()
	if a.Control.Format == f.word {
		values.Set("_format", f.word)
	}
	for name, value := range f.options(a.Control) {
		values[name] = value
	}
	return values
}
