package endpoint

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"slashbatch/internal/sqltext"
)

func (l *linter) limits() {
	s := l.spec
	positive := true
	for _, limit := range []struct {
		name  string
		value int64
	}{{"softLimit", s.SoftLimit}, {"hardLimit", s.HardLimit}} {
		if l.present[limit.name] && limit.value < 1 {
			l.refuse(limit.name, "expected a number above 0")
			positive = false
		}
	}
	if positive && s.SoftLimit > s.HardLimit {
		l.refuse("softLimit", "%d is more than hardLimit %d", s.SoftLimit, s.HardLimit)
	}
}

func (l *linter) formats() {
	l.formatWords("formats", l.spec.Formats, func(f Format) bool { return f.Interactive })
	l.formatWords("batch.formats", l.spec.Batch.Formats, func(f Format) bool { return f.Batch })
}

func (l *linter) formatWords(at string, words []string, fits func(Format) bool) {
	var known []string
	for _, f := range formats {
		if fits(f) {
			known = append(known, f.Word)
		}
	}
	for i, word := range words {
		place := fmt.Sprintf("%s[%d]", at, i)
		f, ok := formatByWord(word)
		switch {
		case !ok:
			l.refuse(place, "unknown format %q%s; known: %s", shown(word), didYouMean(word, known), strings.Join(known, ", "))
		case !fits(f):
			l.refuse(place, "%s is not offered here; known: %s", word, strings.Join(known, ", "))
		case slices.Contains(words[:i], word):
			l.refuse(place, "%s is named twice", word)
		}
	}
}

func (l *linter) scope() {
	s := l.spec
	for i, user := range s.Access.Users {
		if user == "" {
			l.refuse(fmt.Sprintf("access[%d]", i), "is empty")
		}
	}
	switch s.Scope {
	case ScopeUser:
		if s.Access.Public {
			l.refuse("access", "public and scope: user exclude each other; say authenticated or name users")
		}
		own := slices.Contains(s.Sources(), UserSource)
		if s.query != nil && !own && !slices.Contains(s.query.params, UserParameter) {
			l.warn("scope", "user, but neither {_user} nor dataSource: user makes the rows depend on the user")
		}
	case ScopeShared:
	default:
		l.refuse("scope", "expected shared or user, got %q", shown(s.Scope))
	}
	l.source("dataSource", l.present["dataSource"], s.DataSource)
	l.source("batch.dataSource", l.batchPresent["dataSource"], s.Batch.DataSource)
	l.source("batch.stepsDataSource", l.batchPresent["stepsDataSource"], s.Batch.StepsDataSource)
}

func (l *linter) source(at string, present bool, name string) {
	switch {
	case !present, l.spec.Own != nil:
	case !sourceName.MatchString(name):
		l.refuse(at, "expected the name of a data source, got %q", shown(name))
	case name == UserSource && l.spec.Scope != ScopeUser:
		l.refuse(at, "user needs scope: user, else callers would share each other's rows")
	}
}

func (l *linter) batch() {
	b := &l.spec.Batch
	if media, _, err := mime.ParseMediaType(b.ContentType); err == nil {
		b.ContentType = media
	}
	format, ok := formatByWord(b.Format())
	switch {
	case !ok || !format.Batch:
		var known []string
		for _, f := range formats {
			if f.Batch {
				known = append(known, f.MediaType)
			}
		}
		l.refuse("batch.contentType", "unknown media type %q; known: %s", shown(b.ContentType), strings.Join(known, ", "))
	case len(b.Formats) > 0 && !slices.Contains(b.Formats, format.Word):
		l.refuse("batch.contentType", "%s is not among batch.formats", format.Word)
	}
	if b.Estimate <= 0 {
		l.refuse("batch.estimate", "expected a duration above 0")
	}
	if b.Retry != nil && (*b.Retry < 0 || *b.Retry > 100) {
		l.refuse("batch.retry", "expected a number from 0 to 100, got %d", *b.Retry)
	}
	for _, step := range []struct {
		name, sql string
		values    []string
	}{{"onsuccess", b.OnSuccess, sqltext.OnSuccess}, {"onerror", b.OnError, sqltext.OnError}} {
		if l.batchPresent[step.name] && strings.TrimSpace(step.sql) == "" {
			l.refuse("batch."+step.name, "is empty")
		}
		if _, err := sqltext.Parse(step.sql, step.values...); err != nil {
			l.refuse("batch."+step.name, "%v", err)
		}
	}
}
