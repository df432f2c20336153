package config

// Assets are customers' batches of assets.
type Assets struct {
	// MaxMembers is how many members a batch may have. Defaults to 250.
	MaxMembers int `yaml:"maxMembers"`

	// PageSize is the length of a page of a collection when the request does not
	// say, at most 500. Defaults to 100.
	PageSize int `yaml:"pageSize"`

	// Deadline is how long a member of a batch may wait for its outcome before it
	// becomes an error. Defaults to 24h.
	Deadline Duration `yaml:"deadline"`

	// Lease is how long a member from the work list is one ingester's. Defaults to 5m.
	Lease Duration `yaml:"lease"`

	// Cleanup is the policy for customers and batches that have none of their own.
	Cleanup Cleanup `yaml:"cleanup"`
}

// Cleanup is when the recorded members of finished batches go. It removes
// history that named queries can ask for, so nothing goes unless told.
type Cleanup struct {
	// Completed is how long after its outcome a completed member is kept. 0 means
	// for ever. Defaults to 0.
	Completed Duration `yaml:"completed"`

	// Errors is the same for members in error. Defaults to 0.
	Errors Duration `yaml:"errors"`

	// Superseded is the same for members whose asset has a newer outcome in
	// another batch. Defaults to 0.
	Superseded Duration `yaml:"superseded"`

	// KeepLast is how many records of each asset, newest first, are kept whatever
	// their age. Defaults to 0.
	KeepLast int `yaml:"keepLast"`
}

// NamedQueries are customers' stored queries over their assets.
type NamedQueries struct {
	// Public lets anybody run them without the customer's key. Defaults to false.
	Public bool `yaml:"public"`

	// EmptyIs404 answers 404 when nothing matches, instead of an empty list.
	// Defaults to false.
	EmptyIs404 bool `yaml:"emptyIs404"`
}
