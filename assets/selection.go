package assets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Selection is a named query with its arguments: what is nil is not asked for. Batches and
// Manifests that are not nil are not empty, and an asset matches any of them.
type Selection struct {
	// Space is the number of a space, SpaceName its name. At most one of them is asked for.
	Space     *int64
	SpaceName *string
	// Strings are string1 to string3, Numbers number1 to number3.
	Strings [3]*string
	Numbers [3]*int64
	// Batches are different positive numbers.
	Batches   []int64
	Manifests []string
	// Order is empty if the template has none.
	Order []Term
}

// ArgumentError says why a named query cannot be run with its arguments.
type ArgumentError struct{ Reason string }

func (e *ArgumentError) Error() string { return e.Reason }

// Select puts arguments into a template. They are decoded elements of a path; empty ones are
// dropped. Arguments may be missing at the end: then their field is not asked for, but for
// batches, without which every asset would be selected. More arguments than the template
// uses are passed over. The error is an *ArgumentError.
func (t *Template) Select(arguments []string) (Selection, error) {
	all := make([]string, 0, len(arguments)+len(t.appended))
	for _, argument := range slices.Concat(arguments, t.appended) {
		if argument != "" {
			all = append(all, argument)
		}
	}
	s := Selection{Order: slices.Clone(t.order)}
	for _, field := range templateFields {
		o, asked := t.operands[field]
		if !asked {
			continue
		}
		value := o.literal
		if o.argument > 0 {
			var err error
			if value, err = argument(field, o.argument, all); err != nil {
				return Selection{}, err
			}
		}
		s.set(field, value)
	}
	if s.Space != nil {
		s.SpaceName = nil // the number is the more exact of the two
	}
	return s, nil
}

// argument is the value of a field from the n-th of all arguments, counted from 1; nil if it
// is missing and may be.
func argument(field templateField, n int, all []string) (any, error) {
	switch {
	case len(all) == 0:
		return nil, &ArgumentError{"Named query must have at least 1 argument"}
	case n > len(all) && field == fieldBatch:
		return nil, &ArgumentError{fmt.Sprintf("Argument %d is missing: it says which batches, and without them the query would select every asset", n)}
	case n > len(all):
		return nil, nil
	}
	value, err := parseOperandValue(field, all[n-1])
	if err != nil {
		return nil, &ArgumentError{fmt.Sprintf("Argument %d (%s): %v", n, field, err)}
	}
	return value, nil
}

// parseOperandValue reads a value of a field: an int64, a string, or a list of either.
func parseOperandValue(field templateField, text string) (any, error) {
	if reason := unstorable(text); reason != "" {
		return nil, fmt.Errorf("%s %s", brief(text), reason)
	}
	switch field {
	case fieldSpace:
		n, err := parseNumber(text)
		if err == nil && (n < 0 || n > math.MaxInt32) {
			return nil, fmt.Errorf("there is no space %d: expected a number from 1 to %d", n, math.MaxInt32)
		}
		return n, err
	case fieldN1, fieldN2, fieldN3:
		return parseNumber(text)
	case fieldBatch:
		return parseBatches(text)
	case fieldManifest:
		manifests := betweenCommas(text)
		if len(manifests) == 0 {
			return nil, errors.New("expected names of manifests, separated by commas")
		}
		return manifests, nil
	}
	return text, nil
}

// parseBatches reads the numbers of one batch or more, each once.
func parseBatches(text string) ([]int64, error) {
	parts := betweenCommas(text)
	batches := make([]int64, 0, len(parts))
	seen := make(map[int64]bool, len(parts))
	for _, part := range parts {
		n, err := parseNumber(part)
		if err != nil {
			return nil, err
		}
		if n < 1 {
			return nil, fmt.Errorf("there is no batch %d: expected numbers from 1 on", n)
		}
		if !seen[n] {
			seen[n] = true
			batches = append(batches, n)
		}
	}
	if len(batches) == 0 {
		return nil, errors.New("expected numbers of batches, separated by commas: without them the query would select every asset")
	}
	return batches, nil
}

// betweenCommas are the elements of a list that are not empty.
func betweenCommas(text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// parseNumber reads a whole number, which may have blanks around it and a sign.
func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%s has more than 64 bits", brief(text))
	}
	if err != nil {
		return 0, fmt.Errorf("%s is not a number: expected a whole one such as 10", brief(text))
	}
	return n, nil
}

// set asks for a value of a field; nil asks for nothing.
func (s *Selection) set(field templateField, value any) {
	switch v := value.(type) {
	case []int64:
		s.Batches = slices.Clone(v)
	case []string:
		s.Manifests = slices.Clone(v)
	case int64:
		if field == fieldSpace {
			s.Space = &v
		} else {
			s.Numbers[field[1]-'1'] = &v
		}
	case string:
		if field == fieldSpaceName {
			s.SpaceName = &v
		} else {
			s.Strings[field[1]-'1'] = &v
		}
	}
}
