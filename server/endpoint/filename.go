package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// mostFileNameBytes bounds the stem of a file name.
const mostFileNameBytes = 120

// FileName returns the name for a download: path and parameters in ASCII
// letters, digits, - . _ and =, the rest as -, then the extension ("csv.gz").
// A long one is cut and ends in a digest; one with sensitive values shows none.
func (r *Request) FileName(extension string) string {
	stem := r.fileStem()
	if extension = strings.Trim(plain(extension), "."); extension == "" {
		return stem
	}
	return stem + "." + extension
}

func (r *Request) fileStem() string {
	sum := sha256.Sum256([]byte(r.Key()))
	digest := hex.EncodeToString(sum[:6])
	if r.Sensitive() {
		return plain(r.Endpoint.Spec.Name) + "-" + digest
	}
	var parts []string
	for _, seg := range r.Endpoint.Spec.segments {
		text := seg.text
		if seg.variable {
			text = r.vars[seg.text].shown
		}
		parts = append(parts, plain(text))
	}
	stem := strings.Join(parts, "_")
	for _, p := range r.pairs() {
		stem += "_" + plain(strings.TrimPrefix(p.name, "_")) + "=" + plain(p.value)
	}
	// A leading dot would hide the file.
	stem = strings.TrimLeft(stem, ".")
	if len(stem) > mostFileNameBytes {
		stem = stem[:mostFileNameBytes-len(digest)-1] + "-" + digest
	}
	return stem
}

// plain replaces every run of bytes that a file system or header might mind by -.
func plain(s string) string {
	var b strings.Builder
	replaced := false
	for i := range len(s) {
		c := s[i]
		if ok := c < 0x80 && c != '$' && wordByte(c) || c == '-' || c == '.' || c == '='; ok {
			b.WriteByte(c)
			replaced = false
		} else if !replaced {
			b.WriteByte('-')
			replaced = true
		}
	}
	return b.String()
}
