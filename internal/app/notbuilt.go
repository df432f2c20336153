package app

import (
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
)

// notBuilt refuses settings that are documented but that this version does
// nothing about yet: better no start than a limit that everybody believes in and
// nobody keeps.
func notBuilt(c *config.Config) problem.List {
	d := config.Defaults()
	var problems problem.List
	refuse := func(set bool, path, instead string) {
		if set {
			problems.Add(path, "is not available in this version; %s", instead)
		}
	}
	refuse(!c.Cache.Compressed, "cache.compressed", "results are always stored compressed")
	refuse(c.Auth.Anonymous.TotalQueued != d.Auth.Anonymous.TotalQueued, "auth.anonymous.totalQueued", "leave it out")
	refuse(len(c.Server.CORSOrigins) > 0, "server.corsOrigins", "leave it out")
	refuse(c.Server.RateLimit != 0, "server.rateLimit", "leave it out")
	return problems.In(c.File)
}
