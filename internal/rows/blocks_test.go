package rows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// feed appends rows of the sizes to the writer, and to want.
func feed(w *BlockWriter, want *bytes.Buffer, sizes ...int) error {
	for i, size := range sizes {
		row := bytes.Repeat(fmt.Appendf(nil, "%09d\n", i), size/10+1)[:size]
		buffer, err := w.Buffer()
		if err != nil {
			return err
		}
		want.Write(row)
		if err := w.Append(append(buffer, row...)); err != nil {
			return err
		}
	}
	return nil
}

func inflate(t *testing.T, gz []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false) // the whole file is one member, see BlockWriter
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// What comes out inflates to what went in, as a whole and block by block, and
// is described as it is.
func TestBlocks(t *testing.T) {
	many := make([]int, 30_000)
	for i := range many {
		many[i] = rand.IntN(1000)
	}
	for name, sizes := range map[string][]int{
		"one row":                        {20},
		"empty rows":                     {0, 0, 0},
		"a row that fills a block":       {BlockSize},
		"a row one byte short of that":   {BlockSize - 1},
		"rows around the small block":    {smallBlock, 1, smallBlock, smallBlock + 1},
		"rows larger than a block":       {3 * BlockSize, 5, 2*BlockSize + 1},
		"many rows":                      many,
		"as many blocks as fit, exactly": {BlockSize, BlockSize, BlockSize, BlockSize, BlockSize, BlockSize},
	} {
		t.Run(name, func(t *testing.T) {
			var out, want bytes.Buffer
			w := NewBlockWriter(t.Context(), &out)
			if err := feed(w, &want, sizes...); err != nil {
				t.Fatal(err)
			}
			got, err := w.Close()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(inflate(t, out.Bytes()), want.Bytes()) {
				t.Error("the whole inflates to something else")
			}
			if sum := sha256.Sum256(want.Bytes()); got.SHA256 != hex.EncodeToString(sum[:]) {
				t.Error("another SHA-256")
			}
			if got.Plain != int64(want.Len()) || got.Stored != int64(out.Len()) {
				t.Errorf("%d plain, %d stored bytes, want %d and %d", got.Plain, got.Stored, want.Len(), out.Len())
			}
			for i, m := range got.Blocks {
				end, plainEnd := got.Stored, got.Plain
				if i+1 < len(got.Blocks) {
					end, plainEnd = got.Blocks[i+1].Offset, got.Blocks[i+1].Plain
				}
				alone := make([]byte, plainEnd-m.Plain)
				if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(out.Bytes()[m.Offset:end])), alone); err != nil || !bytes.Equal(alone, want.Bytes()[m.Plain:plainEnd]) {
					t.Errorf("block %d does not hold what it says", i)
				}
			}
		})
	}
}

// breaking fails at its n-th write, counting from 1; short, it writes half and
// keeps silent about it.
type breaking struct {
	n     int
	short bool
}

var errBroken = errors.New("broken")

func (b *breaking) Write(p []byte) (int, error) {
	if b.n--; b.n > 0 {
		return len(p), nil
	}
	if b.short {
		return len(p) / 2, nil
	}
	return 0, errBroken
}

// A destination that fails ends the writer with its error, whenever that is and
// whichever call meets it; both ways of ending return.
func TestBlocksBroken(t *testing.T) {
	const blocks = Ahead + 3
	for n := 1; n <= blocks+1; n++ { // the last write is the trailer
		for _, short := range []bool{false, true}[:1+n%2] {
			for _, cancel := range []bool{false, true} {
				t.Run(fmt.Sprintf("write %d, short %v, cancel %v", n, short, cancel), func(t *testing.T) {
					wanted := errBroken
					if short {
						wanted = io.ErrShortWrite
					}
					w := NewBlockWriter(t.Context(), &breaking{n: n, short: short})
					err := feed(w, new(bytes.Buffer), blocksOf(blocks)...)
					if err != nil && !errors.Is(err, wanted) {
						t.Errorf("writing: %v", err)
					}
					within(t, "the end", func() {
						if cancel {
							w.Cancel()
						} else if _, err := w.Close(); !errors.Is(err, wanted) {
							t.Errorf("close: %v", err)
						}
					})
				})
			}
		}
	}
}

// gate is a destination that stands still until it is opened or ctx ends.
type gate struct {
	ctx  context.Context
	open chan struct{}
}

func (g gate) Write(p []byte) (int, error) {
	select {
	case <-g.open:
		return len(p), nil
	case <-g.ctx.Done():
		return 0, context.Cause(g.ctx)
	}
}

// A destination that stands still slows the encoder down, and neither loses
// blocks when it goes on nor holds anybody when the context ends.
func TestBlocksStalled(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	for _, tt := range []struct {
		name   string
		blocks int // handed over before what happens happens
		end    bool
	}{
		{"ends with an empty writer", 0, true},
		{"ends with one block on its way", 1, true},
		{"ends with everything full", Ahead + 1, true},
		{"ends with the encoder waiting", Ahead + 3, true},
		{"goes on with the encoder waiting", Ahead + 3, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			g := gate{ctx, make(chan struct{})}
			w := NewBlockWriter(ctx, g)
			fed := make(chan error, 1)
			go func() {
				fed <- feed(w, new(bytes.Buffer), blocksOf(tt.blocks)...)
			}()
			select {
			case err := <-fed:
				if err != nil || tt.blocks > Ahead+2 {
					t.Fatalf("nothing holds the encoder back: %v", err)
				}
				fed <- nil
			case <-time.After(50 * time.Millisecond):
			}
			if tt.end {
				cancel(errBroken)
			} else {
				close(g.open)
			}
			within(t, "the encoder", func() {
				if err := <-fed; err != nil && !errors.Is(err, errBroken) {
					t.Errorf("writing: %v", err)
				}
			})
			within(t, "the end", func() {
				if !tt.end {
					if got, err := w.Close(); err != nil || len(got.Blocks) != tt.blocks {
						t.Errorf("%d blocks, %v", len(got.Blocks), err)
					}
				} else if tt.blocks == 0 {
					w.Cancel()
				} else if _, err := w.Close(); !errors.Is(err, errBroken) {
					t.Errorf("close: %v", err)
				}
			})
		})
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// blocksOf returns n sizes of whole blocks.
func blocksOf(n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = BlockSize
	}
	return sizes
}

func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s hangs:\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}
