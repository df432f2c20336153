package rows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// BlockSize is how much plain text is compressed at a time: large enough that
// the compressor loses nothing, small enough that a range of the plain form
// starts near its block and that a handful fit in memory.
const BlockSize = 4 << 20

// A block begins small, for exports of a few rows, and becomes whole when it
// passes smallBlock. The slack is for the row that makes it full.
const (
	smallBlock = 256 << 10
	blockSlack = 64 << 10
)

// compression is where the compressor keeps up with the database.
const compression = flate.BestSpeed

// Block is where one block begins, in the compressed and in the plain form.
type Block struct {
	Offset, Plain int64
}

// BlockWriter writes a gzip file of blocks that are compressed each by itself,
// on other cores, and can be read each by itself. It also takes the SHA-256 of
// the plain form.
//
//	encoder ──block──▶ compressors (ahead, any order) ──▶ writer (in order)
//
// The file is one gzip member: a header, the blocks' deflate data, a trailer.
// A block ends on a byte (deflate's sync flush) and refers to nothing before
// it, so a plain deflate reader can begin at any of them. Several members, one
// after the other, would do as well by the letter of RFC 1952; but sent with
// Content-Encoding: gzip, curl and others take the end of the first member for
// the end of the file.
//
// It is used by one goroutine. At most Ahead+2 blocks exist at a time, so
// memory does not depend on how much passes through; a slow destination slows
// the encoder down.
type BlockWriter struct {
	out   io.Writer
	order chan *block
	free  chan *block
	ended chan struct{}
	stop  context.CancelFunc
	ctx   context.Context

	wg    sync.WaitGroup
	block *block
	begun bool // the header is on its way

	// written by the writing goroutine, read after ended
	blocks []Block
	plain  int64
	stored int64
	crc    uint32
	sum    hash.Hash
	err    error
}

// Ahead is how many blocks are compressed at the same time.
const Ahead = 2

// block is one block on its way: plain text, then compressed text too.
type block struct {
	plain  []byte
	packed bytes.Buffer
	err    error
	ready  chan struct{}
}

// gzip's header: deflate, no name, no time, compressed for speed, unknown
// system. The trailer is an empty final block, then CRC-32 and length.
var (
	gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}
	finalBlock = []byte{1, 0, 0, 0xff, 0xff}
)

// blocks and compressors are reused over all exports of a process, so that an
// export of a few rows costs no large allocation.
var (
	blocks      = sync.Pool{New: func() any { return &block{} }}
	compressors = sync.Pool{New: func() any {
		z, err := flate.NewWriter(io.Discard, compression)
		if err != nil {
			panic(err) // the level is a constant within range
		}
		return z
	}}
)

// NewBlockWriter starts writing to out. Exactly one of Close and Cancel must be called.
func NewBlockWriter(ctx context.Context, out io.Writer) *BlockWriter {
	w := &BlockWriter{
		out:   out,
		order: make(chan *block, Ahead),
		free:  make(chan *block, Ahead+2),
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
func (w *BlockWriter) Buffer() ([]byte, error) {
	if w.block == nil {
		select {
		case b := <-w.free:
			if b == nil {
				b = blocks.Get().(*block)
			}
			b.plain, b.err, b.ready = b.plain[:0], nil, make(chan struct{})
			b.packed.Reset()
			w.block = b
		case <-w.ctx.Done():
			return nil, w.failure()
		}
	}
	return w.block.plain, nil
}

// Append takes the slice that Buffer returned, with more at its end.
func (w *BlockWriter) Append(grown []byte) error {
	w.block.plain = grown
	if len(grown) >= BlockSize {
		return w.flush()
	}
	if len(grown) > smallBlock && cap(grown) < BlockSize {
		// No small export: take the whole block now, rather than by doublings
		// that end at nearly twice of it.
		w.block.plain = append(make([]byte, 0, BlockSize+blockSlack), grown...)
	}
	return nil
}

// flush sends the block on its way.
func (w *BlockWriter) flush() error {
	b := w.block
	w.block = nil
	if !w.begun {
		b.packed.Write(gzipHeader)
		w.begun = true
	}
	w.wg.Go(func() {
		defer close(b.ready)
		z := compressors.Get().(*flate.Writer)
		defer compressors.Put(z)
		z.Reset(&b.packed) // forgets what came before: the block stands by itself
		if _, b.err = z.Write(b.plain); b.err == nil {
			b.err = z.Flush()
		}
	})
	select {
	case w.order <- b:
		return nil
	case <-w.ctx.Done():
		return w.failure()
	}
}

// write takes blocks in order, until the channel is closed or something fails.
func (w *BlockWriter) write() {
	defer close(w.ended)
	defer w.stop()
	for {
		select {
		case b, more := <-w.order:
			if !more {
				w.err = w.put(w.trailer())
				return
			}
			<-b.ready // compressing waits for nothing, so neither does this
			if w.err = w.take(b); w.err != nil {
				return
			}
			w.free <- b // never blocks: there are as many places as blocks
		case <-w.ctx.Done():
			w.err = context.Cause(w.ctx)
			return
		}
	}
}

// take writes one block.
func (w *BlockWriter) take(b *block) error {
	if b.err != nil {
		return b.err
	}
	start := w.stored
	if start == 0 {
		start = int64(len(gzipHeader))
	}
	w.blocks = append(w.blocks, Block{Offset: start, Plain: w.plain})
	w.sum.Write(b.plain)
	w.crc = crc32.Update(w.crc, crc32.IEEETable, b.plain)
	w.plain += int64(len(b.plain))
	return w.put(b.packed.Bytes())
}

// trailer ends the file; of one without blocks it is all there is.
func (w *BlockWriter) trailer() []byte {
	var end []byte
	if w.stored == 0 {
		end = append(end, gzipHeader...)
	}
	end = append(end, finalBlock...)
	end = binary.LittleEndian.AppendUint32(end, w.crc)
	return binary.LittleEndian.AppendUint32(end, uint32(w.plain)) // modulo 2^32, as RFC 1952 has it
}

func (w *BlockWriter) put(p []byte) error {
	n, err := w.out.Write(p)
	w.stored += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// failure is why the writing goroutine stopped.
func (w *BlockWriter) failure() error {
	<-w.ended
	if w.err != nil {
		return w.err
	}
	return context.Cause(w.ctx)
}

// Written describes everything that went through a BlockWriter.
type Written struct {
	Blocks        []Block
	Plain, Stored int64
	// SHA256 of the plain form, in hex.
	SHA256 string
}

// Close writes what is left and waits for it.
func (w *BlockWriter) Close() (Written, error) {
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
		Blocks: w.blocks,
		Plain:  w.plain,
		Stored: w.stored,
		SHA256: hex.EncodeToString(w.sum.Sum(nil)),
	}, nil
}

// Cancel stops without writing what is left.
func (w *BlockWriter) Cancel() {
	w.stop()
	<-w.ended
	w.release()
}

// release gives the blocks back for other exports. Blocks that were on their
// way when something failed are left to the garbage collector.
func (w *BlockWriter) release() {
	w.stop()
	w.wg.Wait()
	for {
		select {
		case b := <-w.free:
			// One that a huge row has stretched is not kept.
			if b != nil && cap(b.plain) <= 2*BlockSize {
				blocks.Put(b)
			}
			continue
		default:
		}
		return
	}
}
