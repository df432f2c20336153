package s3store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"
)

const (
	mib = 1 << 20

	// chunkSize is the unit of memory: a writer of a small object takes little.
	chunkSize = mib

	// maxParts is the limit of the protocol.
	maxParts = 10_000

	// firstPart is the most that goes in one PutObject.
	firstPart = 8 * mib
)

// partSize returns the size of the n-th part, counted from 1, in bytes, or 0
// past the last one. Early parts are small, so that usual objects take little
// memory and begin to travel early; late ones are large, so that the limit on
// their number allows an object of 242 GiB:
//
//	parts 1–1,000       8 MiB each, 7.8 GiB together
//	parts 1,001–4,000  16 MiB each, 54.6 GiB with those before
//	parts 4,001–10,000 32 MiB each, 242.1 GiB with those before
func partSize(n int) int64 {
	switch {
	case n < 1 || n > maxParts:
		return 0
	case n <= 1_000:
		return firstPart
	case n <= 4_000:
		return 16 * mib
	default:
		return 32 * mib
	}
}

// window returns how many bytes a writer may hold while it fills the n-th part:
// one part can travel while the next is filled.
func window(n int) int64 { return 2 * partSize(n) }

// chunks is the free list of all writers of a store. It gives memory back when
// nobody writes.
type chunks struct{ pool sync.Pool }

func (c *chunks) get() *[chunkSize]byte {
	if chunk, ok := c.pool.Get().(*[chunkSize]byte); ok {
		return chunk
	}
	return new([chunkSize]byte)
}

func (c *chunks) put(list []*[chunkSize]byte) {
	for _, chunk := range list {
		c.pool.Put(chunk)
	}
}

// part is a piece of an object in memory: full chunks, and a last one that may
// not be full.
type part struct {
	chunks []*[chunkSize]byte
	size   int64
	crc    uint32
}

// room reports how many bytes fit before another chunk is needed.
func (p *part) room() int {
	return len(p.chunks)*chunkSize - int(p.size)
}

// append copies as much of b into the last chunk as fits.
func (p *part) append(b []byte) int {
	if p.room() == 0 {
		return 0
	}
	n := copy(p.chunks[len(p.chunks)-1][chunkSize-p.room():], b)
	p.crc = crc32.Update(p.crc, crc32.IEEETable, b[:n])
	p.size += int64(n)
	return n
}

// checksum is the CRC-32 as the protocol writes it. It is computed here, and
// not by the SDK, so that it travels in a header: the trailer that the SDK
// prefers over TLS is not understood by every service.
func (p *part) checksum() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, p.crc))
}

// reader returns the bytes of the part. The SDK seeks it to repeat a request.
func (p *part) reader() io.ReadSeeker { return &partReader{part: p} }

type partReader struct {
	part *part
	at   int64
}

// Read implements io.Reader.
func (r *partReader) Read(p []byte) (int, error) {
	if r.at >= r.part.size {
		return 0, io.EOF
	}
	in := r.at % chunkSize
	end := min(chunkSize, in+r.part.size-r.at)
	n := copy(p, r.part.chunks[r.at/chunkSize][in:end])
	r.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (r *partReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.part.size
	}
	if offset < 0 {
		return 0, errors.New("s3 store: seek before the beginning of a part")
	}
	r.at = offset
	return offset, nil
}
