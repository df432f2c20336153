package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// How often progress is told.
const (
	drawEvery = 100 * time.Millisecond
	jsonEvery = time.Second
	lineEvery = 10 * time.Second
)

// progress shows how far a long command is: as a bar on a terminal, as a line now and
// then elsewhere, and as JSON for scripts, one document a line. The first two go to
// standard error, JSON to standard output. One goroutine at a time may call it.
type progress struct {
	doing string // in the words of a line: "copied"
	lines io.Writer
	json  *json.Encoder
	bar   *progressbar.ProgressBar
	asBar bool
	began time.Time
	last  time.Time
	now   amount
	told  amount
}

// amount is how far something is.
type amount struct {
	Files   int   `json:"files"`
	OfFiles int   `json:"ofFiles"`
	Bytes   int64 `json:"bytes"`
	OfBytes int64 `json:"ofBytes"`
}

// newProgress prepares the progress of a command that has so far done nothing.
func newProgress(e env, doing string, asJSON bool) *progress {
	p := &progress{doing: doing, lines: e.stderr, began: time.Now(), last: time.Now()}
	if asJSON {
		p.json = json.NewEncoder(e.stdout)
		p.last = time.Time{} // the first one at once
	} else if f, ok := e.stderr.(*os.File); ok {
		info, err := f.Stat()
		p.asBar = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// show tells how far it is.
func (p *progress) show(a amount) {
	p.now = a
	switch {
	case p.asBar && time.Since(p.last) >= drawEvery:
		p.draw()
	case p.asBar:
	case p.json != nil && time.Since(p.last) >= jsonEvery, p.json == nil && time.Since(p.last) >= lineEvery:
		p.tell()
	}
}

// draw moves the bar. Its total may grow while it moves.
func (p *progress) draw() {
	if p.now.OfBytes == 0 {
		return // a bar of nothing cannot be drawn
	}
	p.last = time.Now()
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(
			p.now.OfBytes,
			progressbar.OptionSetWriter(p.lines), progressbar.OptionSetWidth(30),
			progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true), progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.bar.Describe(fmt.Sprintf("%s %d of %d files", p.doing, p.now.Files, p.now.OfFiles))
	if p.bar.GetMax64() != p.now.OfBytes {
		p.bar.ChangeMax64(p.now.OfBytes)
	}
	_ = p.bar.Set64(p.now.Bytes) // a bar that cannot be drawn is no reason to stop
}

// tell prints where it is.
func (p *progress) tell() {
	p.last, p.told = time.Now(), p.now
	if p.json != nil {
		_ = p.json.Encode(struct {
			Event string `json:"event"`
			amount
		}{"progress", p.now}) // who listens no longer need not be told
		return
	}
	line := fmt.Sprintf("%s %d of %d files, %s of %s", p.doing, p.now.Files, p.now.OfFiles, size(p.now.Bytes), size(p.now.OfBytes))
	if took := time.Since(p.began).Seconds(); p.now.Bytes > 0 && took > 0 {
		rate := float64(p.now.Bytes) / took
		left := time.Duration(float64(p.now.OfBytes-p.now.Bytes) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s/s, about %s left", size(int64(rate)), left.Round(time.Second))
	}
	fmt.Fprintln(p.lines, line)
}

// end takes the bar away. Scripts hear where it ended.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	if p.json != nil && (p.told != p.now || p.last.IsZero()) {
		p.tell()
	}
}

// say prints something among the progress.
func (p *progress) say(w io.Writer, format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(w, format+"\n", args...)
}

// size is a number of bytes for people.
func size(n int64) string {
	const step = 1024
	f, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < step {
			break
		}
		f, unit = f/step, next
	}
	if unit == "B" {
		return fmt.Sprint(n, " B")
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
