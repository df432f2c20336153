package queue

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestIndexIsTheWalk holds that the index tells for any lists what walking over
// them tells, also for a job whose list has changed since the snapshot.
func TestIndexIsTheWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.Custom(func(t *rapid.T) Line {
			l := Line{
				Pending: rapid.IntRange(0, 6).Draw(t, "pending"),
				Running: rapid.IntRange(0, 4).Draw(t, "running"),
			}
			l.Estimates = time.Duration(l.Pending*rapid.IntRange(0, 9).Draw(t, "mean")) * time.Second
			return l
		})
		walked := LaneSnapshot{Lines: rapid.SliceOfN(lines, 0, 40).Draw(t, "lines")}
		places := rapid.Permutation(numbers(len(walked.Lines))).Draw(t, "places")
		for i := range walked.Lines {
			walked.Lines[i].ID, walked.Lines[i].Place = uint32(i), int64(places[i])
		}
		indexed := walked
		indexed.index = newIndex(walked.Lines)
		for range 5 {
			s := Standing{
				Line:    uint32(rapid.IntRange(0, len(walked.Lines)).Draw(t, "line")),
				Index:   rapid.IntRange(0, 12).Draw(t, "index"),
				Running: rapid.IntRange(0, 4).Draw(t, "running"),
				Place:   int64(rapid.IntRange(-1, len(walked.Lines)).Draw(t, "place")),
			}
			if want, got := Position(walked, s), Position(indexed, s); got != want {
				t.Fatalf("%+v: position %d, walking %d", s, got, want)
			}
			now := time.Unix(0, 0)
			if want, got := ETA(walked, now, s, 0), ETA(indexed, now, s, 0); got != want {
				t.Fatalf("%+v: ETA %v, walking %v", s, got, want)
			}
		}
	})
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// crowd is a lane of n lists with 100 jobs each, more or less.
func crowd(n int) LaneSnapshot {
	r := rand.New(rand.NewPCG(1, 2))
	lane := LaneSnapshot{Lines: make([]Line, n)}
	for i := range lane.Lines {
		p := 1 + r.IntN(200)
		lane.Lines[i] = Line{ID: uint32(i), Pending: p, Running: r.IntN(3), Place: int64(r.IntN(math.MaxInt32)), Estimates: time.Duration(p) * time.Minute}
	}
	return lane
}

// BenchmarkPosition compares the two ways with many lists.
func BenchmarkPosition(b *testing.B) {
	for _, lists := range []int{10, 1_000, 10_000} {
		walked := crowd(lists)
		indexed := walked
		indexed.index = newIndex(walked.Lines)
		ask := func(b *testing.B, lane LaneSnapshot) {
			for i := 0; b.Loop(); i++ {
				Position(lane, Standing{Line: uint32(i % lists), Index: i % 100, Running: i % 3, Place: int64(i)})
			}
		}
		b.Run(fmt.Sprintf("lists=%d/walk", lists), func(b *testing.B) { ask(b, walked) })
		b.Run(fmt.Sprintf("lists=%d/index", lists), func(b *testing.B) { ask(b, indexed) })
		b.Run(fmt.Sprintf("lists=%d/build", lists), func(b *testing.B) {
			for b.Loop() {
				newIndex(walked.Lines)
			}
		})
	}
}
