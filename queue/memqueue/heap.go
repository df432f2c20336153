package memqueue

import "container/heap"

// member is what an ordered set holds. place returns where the member keeps its
// own index plus one, 0 while it is outside, so that it can be found again
// without a search.
type member[T any] interface {
	before(T) bool
	slot() *int
}

// ordered is a heap whose members can be moved and taken out of the middle.
type ordered[T member[T]] []T

func (o ordered[T]) Len() int           { return len(o) }
func (o ordered[T]) Less(i, j int) bool { return o[i].before(o[j]) }

func (o ordered[T]) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	*o[i].slot(), *o[j].slot() = i+1, j+1
}

// Push is for container/heap only; see set.
func (o *ordered[T]) Push(x any) {
	v := x.(T)
	*o = append(*o, v)
	*v.slot() = len(*o)
}

// Pop is for container/heap only; see set.
func (o *ordered[T]) Pop() any {
	last := len(*o) - 1
	v := (*o)[last]
	var none T
	(*o)[last] = none
	*o = (*o)[:last]
	*v.slot() = 0
	return v
}

// set makes v a member or takes it out, and puts it where it belongs after its
// order has changed. O(log n).
func (o *ordered[T]) set(v T, in bool) {
	switch at := *v.slot(); {
	case in && at == 0:
		heap.Push(o, v)
	case in:
		heap.Fix(o, at-1)
	case at != 0:
		heap.Remove(o, at-1)
	}
}

// first returns the member before all others.
func (o ordered[T]) first() (v T, ok bool) {
	if len(o) == 0 {
		return v, false
	}
	return o[0], true
}

// fifo is a queue of things that end in the order in which they were added.
type fifo[T any] []T

func (f *fifo[T]) push(v T) { *f = append(*f, v) }

func (f *fifo[T]) pop() {
	var none T
	(*f)[0] = none // let go of what it points to
	*f = (*f)[1:]
}
