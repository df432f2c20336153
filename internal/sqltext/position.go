package sqltext

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// position is a place in a text as people count it. It is moved on from problem
// to problem, so that the text is counted once and not once for each of them.
type position struct {
	// offset is in bytes; lines and columns are those passed, columns in characters.
	offset, lines, columns int
}

// move goes to an offset that lies ahead, or from the start to one behind.
func (p *position) move(sql string, to int) {
	if to < p.offset {
		*p = position{}
	}
	between := sql[p.offset:to]
	if end := strings.LastIndexByte(between, '\n'); end >= 0 {
		p.lines += strings.Count(between, "\n")
		p.columns, between = 0, between[end+1:]
	}
	p.columns += utf8.RuneCountInString(between)
	p.offset = to
}

func (p position) String() string {
	return fmt.Sprintf("line %d, column %d", p.lines+1, p.columns+1)
}
