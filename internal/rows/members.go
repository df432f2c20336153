package rows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// MemberSize is how much plain text goes into one gzip member: large enough
// that the compressor loses nothing, small enough that a range of the plain
// form starts near its member and that a handful fit in memory.
const MemberSize = 4 << 20

// A block begins small, for exports of a few rows, and becomes whole when it
// passes smallBlock. The slack is for the row that makes it full.
const (
	smallBlock = 256 << 10
	blockSlack = 64 << 10
)

// gzipLevel 1 is where the compressor keeps up with the database.
const gzipLevel = gzip.BestSpeed

// Member is where one gzip member begins, in the compressed and in the plain form.
type Member struct {
	Offset, Plain int64
}

// MemberWriter compresses what it is given as a sequence of independent gzip
// members, on other cores, and writes them in order to an io.Writer. It also
// takes the SHA-256 of the plain form.
//
//	encoder ──block──▶ compressors (ahead, any order) ──▶ writer (in order)
//
// It is used by one goroutine. At most Ahead+2 blocks exist at a time, so
// memory does not depend on how much passes through; a slow destination slows
// the encoder down.
type MemberWriter struct {
	out   io.Writer
	order chan *member
	free  chan *member
	ended chan struct{}
	stop  context.CancelFunc
	ctx   context.Context

	wg    sync.WaitGroup
	block *member

	// written by the writing goroutine, read after ended
	members []Member
	plain   int64
	stored  int64
	sum     hash.Hash
	err     error
}

// Ahead is how many members are compressed at the same time.
const Ahead = 2

// member is one block on its way: plain text, then compressed text too.
type member struct {
	plain []byte
	gz    bytes.Buffer
	err   error
	ready chan struct{}
}

// blocks and compressors are reused over all exports of a process, so that an
// export of a few rows costs no large allocation.
var (
	blocks      = sync.Pool{New: func() any { return &member{} }}
	compressors = sync.Pool{New: func() any {
		z, err := gzip.NewWriterLevel(io.Discard, gzipLevel)
		if err != nil {
			panic(err) // the level is a constant within range
		}
		return z
	}}
)

// NewMemberWriter starts writing to out. Exactly one of Close and Cancel must be called.
func NewMemberWriter(ctx context.Context, out io.Writer) *MemberWriter {
	w := &MemberWriter{
		out:   out,
		order: make(chan *member, Ahead),
		free:  make(chan *member, Ahead+2),
		ended: make(chan struct{}),
		sum:   sha256.New(),
	}
	w.ctx, w.stop = context.WithCancel(ctx)
	for range Ahead + 2 {
		w.free <- nil // a right to a block; the block itself is made on first use
	}
	go w.write()
	return w
}

// Buffer returns the block to append to, which may hold earlier appends. The
// caller appends whole rows and hands the grown slice back with Append.
func (w *MemberWriter) Buffer() ([]byte, error) {
	if w.block == nil {
		select {
		case m := <-w.free:
			if m == nil {
				m = blocks.Get().(*member)
			}
			m.plain, m.err, m.ready = m.plain[:0], nil, make(chan struct{})
			m.gz.Reset()
			w.block = m
		case <-w.ctx.Done():
			return nil, w.failure()
		}
	}
	return w.block.plain, nil
}

// Append takes the slice that Buffer returned, with more at its end.
func (w *MemberWriter) Append(grown []byte) error {
	w.block.plain = grown
	if len(grown) >= MemberSize {
		return w.flush()
	}
	if len(grown) > smallBlock && cap(grown) < MemberSize {
		// No small export: take the whole block now, rather than by doublings
		// that end at nearly twice of it.
		w.block.plain = append(make([]byte, 0, MemberSize+blockSlack), grown...)
	}
	return nil
}

// flush sends the block on its way.
func (w *MemberWriter) flush() error {
	m := w.block
	w.block = nil
	w.wg.Go(func() {
		defer close(m.ready)
		z := compressors.Get().(*gzip.Writer)
		defer compressors.Put(z)
		z.Reset(&m.gz)
		if _, err := z.Write(m.plain); err != nil {
			m.err = err
			return
		}
		m.err = z.Close()
	})
	select {
	case w.order <- m:
		return nil
	case <-w.ctx.Done():
		return w.failure()
	}
}

// write takes members in order, until the channel is closed or something fails.
func (w *MemberWriter) write() {
	defer close(w.ended)
	defer w.stop()
	for {
		var m *member
		select {
		case next, more := <-w.order:
			if !more {
				return
			}
			m = next
		case <-w.ctx.Done():
			w.err = context.Cause(w.ctx)
			return
		}
		<-m.ready // compressing waits for nothing, so neither does this
		if w.err = m.err; w.err != nil {
			return
		}
		w.members = append(w.members, Member{Offset: w.stored, Plain: w.plain})
		w.sum.Write(m.plain)
		n, err := w.out.Write(m.gz.Bytes())
		w.stored += int64(n)
		w.plain += int64(len(m.plain))
		if err == nil && n < m.gz.Len() {
			err = io.ErrShortWrite
		}
		if w.err = err; err != nil {
			return
		}
		w.free <- m // never blocks: there are as many places as blocks
	}
}

// failure is why the writing goroutine stopped.
func (w *MemberWriter) failure() error {
	<-w.ended
	if w.err != nil {
		return w.err
	}
	return context.Cause(w.ctx)
}

// Written describes everything that went through a MemberWriter.
type Written struct {
	Members       []Member
	Plain, Stored int64
	// SHA256 of the plain form, in hex.
	SHA256 string
}

// Close writes what is left and waits for it.
func (w *MemberWriter) Close() (Written, error) {
	if w.block != nil && len(w.block.plain) > 0 {
		if err := w.flush(); err != nil {
			w.release()
			return Written{}, err
		}
	}
	close(w.order)
	<-w.ended
	w.release()
	if w.err != nil {
		return Written{}, w.err
	}
	return Written{
		Members: w.members,
		Plain:   w.plain,
		Stored:  w.stored,
		SHA256:  hex.EncodeToString(w.sum.Sum(nil)),
	}, nil
}

// Cancel stops without writing what is left.
func (w *MemberWriter) Cancel() {
	w.stop()
	<-w.ended
	w.release()
}

// release gives the blocks back for other exports. Blocks that were on their
// way when something failed are left to the garbage collector.
func (w *MemberWriter) release() {
	w.stop()
	w.wg.Wait()
	for {
		select {
		case m := <-w.free:
			if m != nil {
				blocks.Put(m)
			}
			continue
		default:
		}
		return
	}
}
