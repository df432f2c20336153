//go:build race

package testenv

// RaceDetector is on: everything takes several times as long.
const RaceDetector = true
