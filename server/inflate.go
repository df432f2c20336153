package server

import (
	"context"
	"io"
	"sort"

	"slashbatch/cache"

	"github.com/klauspost/compress/gzip"
)

// inflate opens the plain form of a result from an offset on. It begins at the
// gzip member that holds the offset, so that a range near the end of a large
// file does not inflate all of it.
func (s *Server) inflate(ctx context.Context, e cache.Entry, at int64) (io.ReadCloser, error) {
	var from cache.Member
	if at > 0 {
		_, members, err := s.Catalog.Details(ctx, e.Result)
		if err != nil {
			return nil, err
		}
		from = memberAt(members, at)
	}
	body, _, err := s.Store.Open(ctx, e.File.Object, from.Offset, -1)
	if err != nil {
		return nil, err
	}
	plain, err := gzip.NewReader(body)
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, plain, at-from.Plain); err != nil {
		_ = body.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{plain, body}, nil
}

// memberAt returns the last member that begins at or before a plain offset;
// the start of the file when none is known.
func memberAt(members []cache.Member, at int64) cache.Member {
	i := sort.Search(len(members), func(i int) bool { return members[i].Plain > at })
	if i == 0 {
		return cache.Member{}
	}
	return members[i-1]
}
