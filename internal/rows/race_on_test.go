//go:build race

package rows

// raceDetector: everything takes several times as long.
const raceDetector = true
