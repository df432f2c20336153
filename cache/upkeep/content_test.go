package upkeep

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"slashbatch/cache"
)

func TestCheckContent(t *testing.T) {
	const rows = "id,label\n1,a\n"
	gz, sum := packed(rows)
	file := cache.Located{Object: "results/x", Stored: int64(len(gz)), Bytes: int64(len(rows)), SHA256: sum, Gzipped: true}
	plain := file
	plain.Gzipped, plain.Stored = false, plain.Bytes
	longer, _ := packed(rows + "more")
	shorter, _ := packed(rows[:5])
	other, _ := packed(strings.ToUpper(rows))
	for _, tt := range []struct {
		name, content string
		file          cache.Located
		want          string // in what is wrong; empty: nothing
	}{
		{"whole", string(gz), file, ""},
		{"whole, plain", rows, plain, ""},
		{"empty", "", file, "not a gzip file"},
		{"plain instead of gzip", rows, file, "not a gzip file"},
		{"cut short", string(gz[:len(gz)-3]), file, "cannot be inflated"},
		{"a bit turned", string(gz[:12]) + string(gz[12]^0x10) + string(gz[13:]), file, "damaged"},
		{"something after it", string(gz) + "x", file, "cannot be inflated"},
		{"another gzip file after it", string(gz) + string(gz), file, "longer than"},
		{"an empty gzip file after it", string(gz) + func() string { e, _ := packed(""); return string(e) }(), file, "bytes, not"},
		{"longer", string(longer), file, "longer than"},
		{"shorter", string(shorter), file, "has 5 bytes"},
		{"as long, and other rows", string(other), file, "damaged"},
		{"other rows, plain", strings.ToUpper(rows), plain, "its SHA-256 is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := checkContent(iotest.OneByteReader(strings.NewReader(tt.content)), tt.file)
			_, damaged := errors.AsType[*DamagedError](err)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (!damaged || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want it to be damaged: %s", err, tt.want)
			}
		})
	}
	t.Run("the store breaks off", func(t *testing.T) {
		for n := range gz {
			body := io.MultiReader(strings.NewReader(string(gz[:n])), iotest.ErrReader(errBroken))
			if err := checkContent(body, file); !errors.Is(err, cache.ErrUnavailable) {
				t.Fatalf("after %d bytes: %v, want the store's own error", n, err)
			}
		}
	})
}
