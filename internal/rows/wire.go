package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
)

// longestMessage is how many bytes one message of a database may have, and so a row
// and the error of a statement: it is held in memory as a whole, several times.
const longestMessage = 32 << 20

// ErrLongRow says that a row is longer than this process takes.
var ErrLongRow = fmt.Errorf("a row is longer than %d MiB", longestMessage>>20)

// cutting reads messages and gives up at one that is too long.
func cutting(r io.Reader, w io.Writer) *pgproto3.Frontend {
	f := pgproto3.NewFrontend(r, w)
	f.SetMaxBodyLen(longestMessage)
	return f
}

// isLong reports whether an error is about a message that is too long.
func isLong(err error) bool {
	_, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err)
	return ok
}

// skipping reads messages, and reads past one that is too long, so that the connection
// can still be asked how its statements have ended.
func skipping(r io.Reader, w io.Writer) *pgproto3.Frontend {
	return pgproto3.NewFrontend(&skipper{r: r, longest: longestMessage}, w)
}

// skipper passes a stream of messages on. In the place of a row or an error that is too
// long stands an ErrorResponse that says so; nothing stands for other messages.
type skipper struct {
	r       io.Reader
	longest int
	// head holds the beginning of a message, as long as its length is not known.
	head []byte
	// pass and skip are how many more bytes of the message at hand go on, or do not.
	pass, skip int
	// out is what stands for a message that was too long, and goes on first.
	out []byte
}

const headLength = 5 // a type, and the length of itself and what follows

// Read implements io.Reader.
func (s *skipper) Read(p []byte) (int, error) {
	for {
		if n := copy(p, s.out); n > 0 {
			s.out = s.out[n:]
			return n, nil
		}
		in := p
		if len(p) < 2*headLength { // a head that was held back has to fit
			in = make([]byte, 2*headLength)
		}
		held := copy(in, s.head)
		n, err := s.r.Read(in[held:])
		s.head = nil
		n = s.walk(in[:held+n])
		if len(p) < len(in) {
			s.out = append(in[:n:n], s.out...)
			n = 0
		}
		if n > 0 || err != nil && len(s.out) == 0 {
			return n, err
		}
	}
}

// walk goes through what was read, and moves what is to go on to its beginning.
func (s *skipper) walk(in []byte) (n int) {
	for at := 0; at < len(in); {
		rest := in[at:]
		switch {
		case s.pass > 0:
			count := min(s.pass, len(rest))
			n += copy(in[n:], rest[:count])
			s.pass -= count
			at += count
		case s.skip > 0:
			count := min(s.skip, len(rest))
			s.skip -= count
			at += count
		case len(rest) < headLength:
			s.head = append([]byte(nil), rest...)
			return n
		default:
			length := int(int32(binary.BigEndian.Uint32(rest[1:]))) + 1 //nolint:gosec // as the protocol has it
			if length-headLength <= s.longest {
				s.pass = max(length, headLength) // a wrong length is for the frontend to refuse
				continue
			}
			s.skip = length
			kind := rest[0]
			after := s.walk(rest)
			s.out = slices.Concat(instead(kind), rest[:after], s.out)
			return n
		}
	}
	return n
}

// instead is what stands for a message that is too long.
func instead(kind byte) []byte {
	e := pgproto3.ErrorResponse{Severity: "ERROR", Code: "54000", Routine: longRow, Message: ErrLongRow.Error()}
	switch kind {
	case 'D':
	case 'E':
		e.Routine, e.Message = "", "the message of this error is too long to be told"
	default: // a notice, or the data of a COPY, which nobody takes
		return nil
	}
	message, err := e.Encode(nil)
	if err != nil {
		return nil
	}
	return message
}

// longRow marks, as the name of the routine, the error that stands for a row.
const longRow = "slashbatch: row"
