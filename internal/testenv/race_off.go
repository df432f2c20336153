//go:build !race

package testenv

// RaceDetector is off.
const RaceDetector = false
