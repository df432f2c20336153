package assets

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gocarina/gocsv"

	"slashbatch/internal/problem"
)

// line is a member in CSV. Every column is text first, so that what is wrong with all of them
// can be told.
type line struct {
	ID                      string `csv:"id"`
	Space                   string `csv:"space"`
	Origin                  string `csv:"origin"`
	MediaType               string `csv:"mediaType"`
	Family                  string `csv:"family"`
	String1                 string `csv:"string1"`
	String2                 string `csv:"string2"`
	String3                 string `csv:"string3"`
	Number1                 string `csv:"number1"`
	Number2                 string `csv:"number2"`
	Number3                 string `csv:"number3"`
	Tags                    string `csv:"tags"`
	Roles                   string `csv:"roles"`
	Manifests               string `csv:"manifests"`
	MaxUnauthorised         string `csv:"maxUnauthorised"`
	DeliveryChannels        string `csv:"deliveryChannels"`
	Width                   string `csv:"width"`
	Height                  string `csv:"height"`
	Duration                string `csv:"duration"`
	Batch                   string `csv:"batch"`
	Finished                string `csv:"finished"`
	Created                 string `csv:"created"`
	ImageOptimisationPolicy string `csv:"imageOptimisationPolicy"`
	ThumbnailPolicy         string `csv:"thumbnailPolicy"`
}

// memberColumns are the columns a member may have, in the order in which they are told.
var memberColumns = []string{
	"id", "space", "origin", "mediaType", "family", "string1", "string2", "string3", "number1", "number2", "number3",
	"tags", "roles", "manifests", "maxUnauthorised", "deliveryChannels",
}

// ParseMembersCSV reads a posting of which each line is a member, and the first one names the
// columns as JSON names the properties. An empty cell is as if it were left out. A list has
// commas between its elements, or is JSON: ["a, b"]. Otherwise it is as ParseMembers.
func ParseMembersCSV(body []byte, rules Rules) (Posting, problem.List) {
	c := collection{rules: rules}
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\uFEFF"))))
	decoder, err := gocsv.NewUnmarshaller(reader, line{})
	if errors.Is(err, io.EOF) {
		return c.end()
	}
	if err != nil {
		c.problems.Add("line 1", "expected the names of columns, separated by commas: %v", csvReason(err))
		return Posting{}, c.problems
	}
	if c.checkColumns(decoder.Headers); len(c.problems) > 0 {
		return Posting{}, c.problems // lines cannot be read without knowing what they have
	}
	for {
		one, err := decoder.Read()
		if errors.Is(err, io.EOF) {
			return c.end()
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			place := fmt.Sprintf("line %d", broken.StartLine)
			if wanted := c.wants(); errors.Is(err, csv.ErrFieldCount) {
				if wanted {
					c.problems.Add(place, "expected %d values, as many as there are columns", len(decoder.Headers))
				}
				continue
			}
			// Where the next line begins is anybody's guess.
			c.problems.Add(place, "cannot be read, and so cannot what follows: %v", csvReason(err))
			break
		}
		if err != nil {
			c.problems.Add("", "the CSV cannot be read: %v", err)
			break
		}
		if !c.wants() {
			continue
		}
		number, _ := reader.FieldPos(0)
		c.readLine(number, one.(line))
	}
	return c.end()
}

// csvReason is what is wrong with CSV, without the place.
func csvReason(err error) string {
	broken, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("%v in line %d, column %d; a value with quotes in it is put in quotes, and they are doubled", broken.Err, broken.Line, broken.Column)
}

// checkColumns tells of columns that nobody knows and of those that are there twice.
func (c *collection) checkColumns(columns []string) {
	for i, column := range columns {
		name := strings.TrimSpace(column)
		place := fmt.Sprintf("line 1: column %d", i+1)
		if !memberProperty(name) {
			c.problems.Add(place, "there is no column %s; known, separated by commas: %s", brief(name), strings.Join(memberColumns, ", "))
			continue
		}
		if slices.ContainsFunc(columns[:i], func(earlier string) bool { return strings.TrimSpace(earlier) == name }) {
			c.problems.Add(place, "%s is there twice: expected it once", brief(name))
		}
	}
}

// readLine reads one member.
func (c *collection) readLine(number int, l line) {
	place := fmt.Sprintf("line %d", number)
	d := &draft{problems: &c.problems, place: place, prefix: place + ": "}
	for _, cell := range []struct{ name, text string }{
		{"id", l.ID},
		{"space", l.Space},
		{"origin", l.Origin},
		{"mediaType", l.MediaType},
		{"family", l.Family},
		{"string1", l.String1},
		{"string2", l.String2},
		{"string3", l.String3},
		{"number1", l.Number1},
		{"number2", l.Number2},
		{"number3", l.Number3},
		{"tags", l.Tags},
		{"roles", l.Roles},
		{"manifests", l.Manifests},
		{"maxUnauthorised", l.MaxUnauthorised},
		{"deliveryChannels", l.DeliveryChannels},
		{"width", l.Width},
		{"height", l.Height},
		{"duration", l.Duration},
		{"batch", l.Batch},
		{"finished", l.Finished},
		{"created", l.Created},
		{"imageOptimisationPolicy", l.ImageOptimisationPolicy},
		{"thumbnailPolicy", l.ThumbnailPolicy},
	} {
		if cell.text != "" {
			d.readCell(cell.name, cell.text)
		}
	}
	c.add(d)
}

// readCell takes one property.
func (d *draft) readCell(name, text string) {
	if reason := unstorable(text); reason != "" {
		d.wrong(name, "%s", reason)
		return
	}
	list, isJSON := jsonList(text)
	switch {
	case d.readForbidden(name):
	case d.readNumber(name, strings.TrimSpace(text)):
	case d.requiredProperty(name) != nil:
		*d.requiredProperty(name) = text
	case d.textProperty(name) != nil:
		*d.textProperty(name) = &text
	case name == "deliveryChannels" && isJSON:
		d.readChannels(list)
	case name == "deliveryChannels":
		channels := []deliveryChannel{}
		for _, channel := range betweenCommas(text) {
			channels = append(channels, deliveryChannel{Channel: strings.TrimSpace(channel)})
		}
		d.setChannels(channels)
	case isJSON:
		*d.listProperty(name) = d.readList(name, list)
	default:
		values := []string{} // a cell with nothing but commas is an empty list
		*d.listProperty(name) = append(values, betweenCommas(text)...)
	}
}

// jsonList is the text of a cell if it is a list in JSON.
func jsonList(text string) (json.RawMessage, bool) {
	text = strings.TrimSpace(text)
	return json.RawMessage(text), strings.HasPrefix(text, "[") && json.Valid([]byte(text))
}
