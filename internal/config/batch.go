package config

// Batch is how requests become jobs, jobs run and results age.
type Batch struct {
	// Enabled gives every endpoint its /batch twin. Defaults to true.
	Enabled bool `yaml:"enabled"`

	// Path is the segment of the twins, with its leading slash. Defaults to
	// "/batch".
	Path string `yaml:"path"`

	// MaxWait is the longest _wait of a request. Defaults to 300s.
	MaxWait Duration `yaml:"maxWait"`

	// Process is the running of jobs.
	Process Process `yaml:"process"`

	// MaxAge is how long a result answers its request, for endpoints that do not
	// say. Defaults to Retention.Results.
	MaxAge Duration `yaml:"maxAge"`

	// MinFresh is how long after its publication a result answers whatever
	// MaxAge says, and the least time between two fresh runs of one request.
	// Defaults to 10m.
	MinFresh Duration `yaml:"minFresh"`

	// RetryHold is how long after its end a failed or cancelled request is not
	// queued again by GET. Defaults to 60s.
	RetryHold Duration `yaml:"retryHold"`

	// Limits hold for every user who has no others.
	Limits Limits `yaml:"limits"`

	// Retention is how long things are kept.
	Retention Retention `yaml:"retention"`
}

// Process is the running of jobs.
type Process struct {
	// Enabled lets this process run jobs; without it jobs are accepted and served
	// while another process works. Defaults to true.
	Enabled bool `yaml:"enabled"`

	// Workers are the slots of this process: how many jobs it runs at once.
	// Defaults to 4 for exports and 2 for SQL jobs.
	Workers Lanes `yaml:"workers"`

	// Retry is how many further attempts a failed export has, after pauses from a
	// second up to five minutes. Defaults to 0.
	Retry int `yaml:"retry"`

	// Crashes is how many times a job's worker may die before the job fails.
	// Defaults to 3.
	Crashes int `yaml:"crashes"`

	// Timeout is the most time between two sweeps of the queue, and the longest a job
	// waits for an idle worker when a notification got lost. At most a third of
	// Lease, because a sweep recovers nothing when it comes later than half a
	// lease after the one before. Defaults to 1s.
	Timeout Duration `yaml:"timeout"`

	// RetryInit is the time between attempts to reach a database that is down at
	// start. Defaults to 5s.
	RetryInit Duration `yaml:"retryInit"`

	// Lease is how long a job belongs to a worker that is not heard of; at least
	// 1s. Defaults to 30s.
	Lease Duration `yaml:"lease"`

	// Drain is how long running jobs may go on after SIGTERM; leases are kept
	// meanwhile. 0 gives everything back at once. Defaults to 30s.
	Drain Duration `yaml:"drain"`
}

// Lanes is a number for each lane. In a file it is a mapping, or a plain number
// that holds for each lane.
type Lanes struct {
	// Export is for exports and variants.
	Export int `yaml:"export"`
	// SQL is for SQL jobs.
	SQL int `yaml:"sql"`
}

// Limits are what one user may use.
type Limits struct {
	// Queued is how many jobs may be pending, per lane; at most 100000. Defaults
	// to 64 each.
	Queued Lanes `yaml:"queued"`

	// Running is how many jobs run at once over the fleet, per lane. Defaults to
	// 2 exports and 1 SQL job.
	Running Lanes `yaml:"running"`

	// PayloadBytes is the longest definition of a SQL job, as compact JSON.
	// Defaults to 16KiB.
	PayloadBytes Size `yaml:"payloadBytes"`

	// QueryTimeout ends a step of a job. Defaults to 12h.
	QueryTimeout Duration `yaml:"queryTimeout"`

	// ResultBytes ends a run whose uncompressed result is longer. Defaults to
	// 100GiB.
	ResultBytes Size `yaml:"resultBytes"`
}

// Retention is how long things are kept.
type Retention struct {
	// Jobs is how long the record of a finished job lives; at least 1m. Defaults
	// to 48h.
	Jobs Duration `yaml:"jobs"`

	// Results is how long a result lives after it was last read. Defaults to 168h.
	Results Duration `yaml:"results"`

	// MaxBytes is how much the store may hold before the results read longest ago
	// go. 0 means no limit. Defaults to 0.
	MaxBytes Size `yaml:"maxBytes"`
}
