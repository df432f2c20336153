package server

import (
	"context"
	"io"
	"sort"

	"slashbatch/cache"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// inflate opens the plain form of a result from an offset on. It begins at the
// block that holds the offset, so that a range near the end of a large file
// does not inflate all of it. Read from the start, the file's checksum is
// checked at its end.
func (s *Server) inflate(ctx context.Context, d served, at int64) (io.ReadCloser, error) {
	var from cache.Block
	if at > 0 {
		blocks, err := s.Catalog.Blocks(ctx, d.entry.Result, d.form)
		if err != nil {
			return nil, err
		}
		from = blockAt(blocks, at)
	}
	body, _, err := s.Store.Open(ctx, d.file.Object, from.Offset, -1)
	if err != nil {
		return nil, err
	}
	var plain io.Reader
	if from.Offset == 0 {
		plain, err = gzip.NewReader(body)
	} else {
		plain = flate.NewReader(body)
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, plain, at-from.Plain)
	}
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{plain, body}, nil
}

// blockAt returns the last block that begins at or before a plain offset; the
// start of the file when none is known.
func blockAt(blocks []cache.Block, at int64) cache.Block {
	i := sort.Search(len(blocks), func(i int) bool { return blocks[i].Plain > at })
	if i == 0 {
		return cache.Block{}
	}
	return blocks[i-1]
}
