package s3store

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestPartSize(t *testing.T) {
	tests := []struct {
		n      int
		size   int64
		before int64 // bytes in all parts before this one
		window int64
	}{
		{0, 0, 0, 0},
		{1, 8 * mib, 0, 16 * mib},
		{2, 8 * mib, 8 * mib, 16 * mib},
		{1_000, 8 * mib, 7_992 * mib, 16 * mib},
		{1_001, 16 * mib, 8_000 * mib, 32 * mib},
		{4_000, 16 * mib, 55_984 * mib, 32 * mib},
		{4_001, 32 * mib, 56_000 * mib, 64 * mib},
		{10_000, 32 * mib, 247_968 * mib, 64 * mib},
		{10_001, 0, 248_000 * mib, 0},
	}
	for _, tt := range tests {
		if got := partSize(tt.n); got != tt.size {
			t.Errorf("partSize(%d) = %d MiB, want %d", tt.n, got/mib, tt.size/mib)
		}
		if got := window(tt.n); got != tt.window {
			t.Errorf("window(%d) = %d MiB, want %d", tt.n, got/mib, tt.window/mib)
		}
		before := int64(0)
		for n := 1; n < tt.n; n++ {
			before += partSize(n)
		}
		if before != tt.before {
			t.Errorf("before part %d there are %d MiB, want %d", tt.n, before/mib, tt.before/mib)
		}
	}

	total := int64(0)
	for n := 1; n <= maxParts; n++ {
		size := partSize(n)
		total += size
		switch {
		case size < 5*mib || size > 5<<30:
			t.Errorf("part %d has %d bytes, outside of what the protocol allows", n, size)
		case size%chunkSize != 0:
			t.Errorf("part %d is not made of whole chunks", n)
		case n > 1 && size < partSize(n-1):
			t.Errorf("part %d is smaller than the one before", n)
		case window(n) < 2*size || window(n) > 64*mib:
			t.Errorf("the window of part %d is %d MiB", n, window(n)/mib)
		}
	}
	if want := int64(150 << 30); total < want || total < 3*maxParts*firstPart {
		t.Errorf("all parts hold %d GiB, want at least 150 and three times what parts of the first size hold", total>>30)
	}
}

func TestPart(t *testing.T) {
	var free chunks
	p := new(part)
	want := make([]byte, 3*chunkSize-5)
	rand.NewChaCha8([32]byte{}).Read(want)
	for rest := want; len(rest) > 0; {
		if p.room() == 0 {
			p.chunks = append(p.chunks, free.get())
		}
		n := p.append(rest[:min(len(rest), 70_001)])
		rest = rest[n:]
	}
	if len(p.chunks) != 3 || p.room() != 5 {
		t.Errorf("%d chunks with room for %d, want 3 and 5", len(p.chunks), p.room())
	}
	if err := iotest.TestReader(p.reader(), want); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(p.reader()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the part holds something else (%v)", err)
	}
	if _, err := p.reader().Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek before the beginning succeeded")
	}

	empty := new(part)
	if got := empty.checksum(); got != "AAAAAA==" {
		t.Errorf("the CRC-32 of nothing is %s", got)
	}
	digits := &part{chunks: []*[chunkSize]byte{free.get()}}
	digits.append([]byte("123456789"))
	if got := digits.checksum(); got != "y/Q5Jg==" { // 0xcbf43926, the check value of CRC-32
		t.Errorf("the CRC-32 of 123456789 is %s", got)
	}
}
