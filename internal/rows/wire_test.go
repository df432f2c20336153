package rows

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"
	"pgregory.net/rapid"

	"slashbatch/internal/testenv"
)

// However a stream is cut into reads, and however small they are asked for, what is
// short goes on as it was, in order, and something short stands for what is long.
func TestSkipper(t *testing.T) {
	const longest = 50
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []string
		for i := range rapid.IntRange(0, 12).Draw(t, "messages") {
			text := strings.Repeat(string(rune('a'+i)), rapid.SampledFrom([]int{0, 1, 20, 37, 60, 200, 3000}).Draw(t, "length"))
			var m pgproto3.BackendMessage
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				m = &pgproto3.DataRow{Values: [][]byte{[]byte(text)}}
			case 1:
				m = &pgproto3.ErrorResponse{Message: text}
			case 2:
				m = &pgproto3.NoticeResponse{Message: text}
			case 3:
				m = &pgproto3.CommandComplete{CommandTag: []byte(text)}
			}
			var err error
			before := len(stream)
			if stream, err = m.Encode(stream); err != nil {
				t.Fatal(err)
			}
			if len(stream)-before-headLength > longest {
				switch m.(type) {
				case *pgproto3.DataRow:
					text = ErrLongRow.Error()
				case *pgproto3.ErrorResponse:
					text = "the message of this error is too long to be told"
				default:
					continue
				}
			}
			want = append(want, text)
		}
		var source io.Reader = &chunks{stream, rapid.SliceOfN(rapid.IntRange(1, 300), 1, 20).Draw(t, "reads")}
		if rapid.Bool().Draw(t, "one byte at a time") {
			source = iotest.OneByteReader(source)
		}
		in := &skipper{r: source, longest: longest}
		var passed []byte
		for size := rapid.IntRange(1, 100).Draw(t, "asked for"); ; {
			p := make([]byte, size)
			n, err := in.Read(p)
			passed = append(passed, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		f := pgproto3.NewFrontend(strings.NewReader(string(passed)), io.Discard)
		for {
			m, err := f.Receive()
			if errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *pgproto3.DataRow:
				got = append(got, string(m.Values[0]))
			case *pgproto3.ErrorResponse:
				got = append(got, m.Message)
			case *pgproto3.NoticeResponse:
				got = append(got, m.Message)
			case *pgproto3.CommandComplete:
				got = append(got, string(m.CommandTag))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %.60q, want %.60q", got, want)
		}
	})
}

// chunks gives a text in pieces.
type chunks struct {
	left  []byte
	sizes []int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.sizes[0])], c.left)
	c.left, c.sizes = c.left[n:], append(c.sizes[1:], c.sizes[0])
	return n, nil
}

// Rows and messages of any length do not fill the memory, and how the statements have
// ended is known all the same.
func TestLongMessages(t *testing.T) {
	testenv.Unraced(t)
	p := open(t)
	s := session(t, p)
	const long = "repeat('x', 40 * 1024 * 1024)"
	var got collected
	e := s.Run(t.Context(), "INSERT INTO seen VALUES (1); SELECT "+long+"; SELECT pg_sleep(60)", &got)
	if KindOf(e.Err) != SinkFailed || !errors.Is(e.Err, ErrLongRow) || !e.Undone {
		t.Errorf("a row: %+v", e)
	}
	s = session(t, p)
	e = s.Run(t.Context(), "DO $$ BEGIN RAISE NOTICE '%', "+long+"; END $$; COPY (SELECT "+long+") TO STDOUT", &got)
	if e.Err != nil || e.Refused != nil {
		t.Errorf("a notice: %+v", e)
	}
	e = s.Run(t.Context(), "DO $$ BEGIN RAISE EXCEPTION '%', "+long+"; END $$", &got)
	if e.Err == nil || e.Err.Error() != "the message of this error is too long to be told" || !e.Undone {
		t.Errorf("an error: %+v", e)
	}
	if n := p.seen(t); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	_, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: "SELECT " + long}}, &got)
	if !errors.Is(err, ErrLongRow) || KindOf(err) != BadQuery {
		t.Errorf("a query: %v", err)
	}
	if _, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: "SELECT 1"}}, &got); err != nil {
		t.Error(err)
	}
}
