package queue

import (
	"cmp"
	"slices"
	"sort"
)

// index answers for one lane of a snapshot what is claimed before a job, without
// walking over all lists: thousands of status pages share one snapshot.
//
// The sum over the lists v of clamp(k - r + b, 0, p), with r running and p pending
// jobs of v, k the level of the job asked for and b 1 for those who stand before
// it (see Position), is taken apart so that every part is a difference of
// prefix sums. With e = r + p and x⁺ = max(x, 0) it is
//
//	Σ (k - r + b)⁺ - Σ (k - e)⁺ - Σ over those with b = 1 and e ≤ k of 1
//
// Sorted by running jobs, and among equals by place from the back, those with b = 1
// are a suffix: one number tells it. Only the last sum asks for two things at
// once, the suffix and e; a merge sort tree answers that in O(log² lists).
//
// All sums are taken twice: once counting jobs, once counting milliseconds, each job
// of a list at the mean of that list.
type index struct {
	lines []Line         // with pending jobs, sorted as above
	own   map[uint32]int // where a list is in lines
	byRun sums           // prefix sums over lines, with r
	byEnd sums           // prefix sums over the lines by e, with e
	tree  []level        // the last one is all lines by e
}

// tally is a number of jobs and the time they take, in milliseconds.
type tally struct{ jobs, millis float64 }

func (a tally) plus(b tally) tally    { return tally{a.jobs + b.jobs, a.millis + b.millis} }
func (a tally) minus(b tally) tally   { return tally{a.jobs - b.jobs, a.millis - b.millis} }
func (a tally) times(n float64) tally { return tally{a.jobs * n, a.millis * n} }
func perJob(l Line) tally             { return tally{1, float64(l.Estimates.Milliseconds()) / float64(l.Pending)} }
func (l Line) end() int               { return l.Running + l.Pending }

// servedFirst tells whether a list stands before one with so many running jobs at this
// place when both are at the same level: those have b = 1.
func servedFirst(running int, place int64) func(Line) bool {
	return func(l Line) bool { return l.Running > running || l.Running == running && l.Place < place }
}

// sums are prefix sums of weights, and of weights times a value.
type sums struct{ weight, product []tally }

func newSums(n int) sums {
	return sums{weight: make([]tally, 1, n+1), product: make([]tally, 1, n+1)}
}

func (s *sums) add(w tally, value int) {
	last := len(s.weight) - 1
	s.weight = append(s.weight, s.weight[last].plus(w))
	s.product = append(s.product, s.product[last].plus(w.times(float64(value))))
}

// below is the sum over [from, to) of weight × (k - value).
func (s sums) below(from, to, k int) tally {
	return s.weight[to].minus(s.weight[from]).times(float64(k)).minus(s.product[to].minus(s.product[from]))
}

// level is one level of the tree: the lines in chunks of 1 << its number, each
// chunk in the order of their ends.
type level struct {
	at     []int32 // which line
	ends   []int32
	weight []tally // prefix sums within the chunk, of each line and those before it
}

// upTo sums the weights of those in chunk [from, to) that end at k or before.
func (v level) upTo(from, to, k int) tally {
	n := sort.Search(to-from, func(i int) bool { return int(v.ends[from+i]) > k })
	if n == 0 {
		return tally{}
	}
	return v.weight[from+n-1]
}

func newIndex(lines []Line) *index {
	x := &index{own: map[uint32]int{}}
	for _, l := range lines {
		if l.Pending > 0 {
			x.lines = append(x.lines, l)
		}
	}
	slices.SortFunc(x.lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Running, b.Running), cmp.Compare(b.Place, a.Place))
	})
	x.byRun = newSums(len(x.lines))
	for i, l := range x.lines {
		x.own[l.ID] = i
		x.byRun.add(perJob(l), l.Running)
	}
	x.plant()
	top := x.tree[len(x.tree)-1]
	x.byEnd = newSums(len(x.lines))
	for i, at := range top.at {
		x.byEnd.add(perJob(x.lines[at]), int(top.ends[i]))
	}
	return x
}

// plant builds the tree, each level by merging pairs of chunks of the one below,
// up to one with a single chunk.
func (x *index) plant() {
	n := len(x.lines)
	bottom := level{make([]int32, n), make([]int32, n), make([]tally, n)}
	for i, l := range x.lines {
		bottom.at[i], bottom.ends[i], bottom.weight[i] = int32(i), int32(l.end()), perJob(l)
	}
	x.tree = []level{bottom}
	for size := 1; size < n; size *= 2 {
		below := x.tree[len(x.tree)-1]
		next := level{make([]int32, n), make([]int32, n), make([]tally, n)}
		for from := 0; from < n; from += 2 * size {
			i, middle := from, min(from+size, n)
			j, to := middle, min(from+2*size, n)
			var sum tally
			for out := from; out < to; out++ {
				pick := &i
				if i == middle || j < to && below.ends[j] < below.ends[i] {
					pick = &j
				}
				at := below.at[*pick]
				sum = sum.plus(x.tree[0].weight[at])
				next.at[out], next.ends[out], next.weight[out] = at, below.ends[*pick], sum
				*pick++
			}
		}
		x.tree = append(x.tree, next)
	}
}

// suffix sums the weights of those from line i on that end at k or before.
func (x *index) suffix(i, k int) (sum tally) {
	n := len(x.lines)
	for number, size := 0, 1; i < n; number, size = number+1, size*2 {
		if i&size != 0 || size >= n {
			to := min(i+size, n)
			sum = sum.plus(x.tree[number].upTo(i, to, k))
			i = to
		}
	}
	return sum
}

// before sums up the jobs of other lists that are claimed before the job at s.
func (x *index) before(s Standing) tally {
	k := s.Running + s.Index
	first := servedFirst(s.Running, s.Place)
	from := sort.Search(len(x.lines), func(i int) bool { return first(x.lines[i]) })
	to := max(from, sort.Search(len(x.lines), func(i int) bool { return x.lines[i].Running > k }))
	ends := x.tree[len(x.tree)-1].ends
	over := sort.Search(len(ends), func(i int) bool { return int(ends[i]) >= k })

	sum := x.byRun.below(0, from, k).
		plus(x.byRun.below(from, to, k+1)).
		minus(x.byEnd.below(0, over, k)).
		minus(x.suffix(from, k))
	if i, ok := x.own[s.Line]; ok { // it was summed up with the others
		own := x.lines[i]
		sum = sum.minus(perJob(own).times(float64(before(own, s))))
	}
	return sum
}
