package assets

import (
	"fmt"
	"strings"

	"slashbatch/internal/problem"
)

// Posting is what a customer posts to a queue.
type Posting struct {
	Members []Member
	// Retention is nil if the posting has none of its own.
	Retention *Retention
}

// Rules are what members must keep to.
type Rules struct {
	// Most is how many members there may be; 0: any number.
	Most int
	// Priority: only images are taken.
	Priority bool
	// Facade is the last segment of the paths of exports: no asset's id, since its path
	// would be one of them.
	Facade string
	// Customer is whose assets these are: the number is a part of their ids, whose length
	// is bounded.
	Customer int64
}

// collection gathers the members of a posting.
type collection struct {
	rules    Rules
	posting  Posting
	problems problem.List
	// count is how many members there are; behind the most of them they are only counted.
	count int
}

// wants counts a member, and reports whether it is to be read.
func (c *collection) wants() bool {
	c.count++
	return c.rules.Most == 0 || c.count <= c.rules.Most
}

// add checks a member that was read.
func (c *collection) add(d *draft) {
	d.check(c.rules)
	c.posting.Members = append(c.posting.Members, d.Member)
}

// end is the posting, and what is wrong with it and with all its members. The problems of all
// together come first.
func (c *collection) end() (Posting, problem.List) {
	var whole problem.List
	if c.count == 0 {
		whole.Add("member", "Members cannot be empty")
	}
	if c.rules.Most > 0 && c.count > c.rules.Most {
		whole.Add("member", "Maximum assets in single batch is %d", c.rules.Most)
	}
	if twice := c.duplicates(); len(twice) > 0 {
		whole.Add("member", "Members contains %d duplicate Id(s): %s", len(twice), strings.Join(twice, ", "))
	}
	if problems := append(whole, c.problems...); len(problems) > 0 {
		return c.posting, problems
	}
	return c.posting, nil
}

// duplicates are the ids, in the form of the message about them, that several members have.
func (c *collection) duplicates() (twice []string) {
	type id struct {
		key   string
		space int
	}
	seen := make(map[id]int, len(c.posting.Members))
	for _, m := range c.posting.Members {
		if strings.TrimSpace(m.ID) == "" || m.Space == 0 {
			continue // which is told of it already
		}
		one := id{m.ID, m.Space}
		if seen[one]++; seen[one] == 2 {
			twice = append(twice, fmt.Sprintf("Id:%s,Space:%d", m.ID, m.Space))
		}
	}
	return twice
}
