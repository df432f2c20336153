package queue

import "time"

// learnFrom is how many runs the moving average of a class looks back.
const learnFrom = 8

// Learn is the mean of a class after one more run that took this long, and the
// number of runs it comes from. The first run replaces what was configured; up to
// eight runs count alike, later ones an eighth each. Means are whole milliseconds.
// Backends do the same in their own language.
func Learn(mean time.Duration, runs int, took time.Duration) (time.Duration, int) {
	runs++
	mean += (took - mean) / time.Duration(min(runs, learnFrom))
	return max(mean, 0).Round(time.Millisecond), runs
}
