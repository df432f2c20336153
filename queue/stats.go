package queue

import "time"

// Stats is what an operator wants to know of a queue.
type Stats struct {
	// Now is the backend's clock.
	Now    time.Time
	Paused bool
	Lanes  map[Lane]LaneStats
	// Sources with running jobs or a capacity, by name.
	Sources map[string]SourceStats
	// Workers has the slots of those that are alive, by id.
	Workers map[string]map[Lane]int
}

// LaneStats counts the jobs of one lane.
type LaneStats struct {
	// Lists is how many users have work. Pending jobs stand in a list, Delayed
	// ones wait for a retry, Running ones take a place: cancelled ones, too, until
	// their worker has stopped.
	Lists, Pending, Delayed, Running int
	// Oldest is when the job that waits longest at the head of a list was
	// submitted; zero when nothing is pending.
	Oldest time.Time
}

// SourceStats counts the jobs of one data source.
type SourceStats struct {
	Running int
	// Capacity is -1 when the source is not limited.
	Capacity int
}
