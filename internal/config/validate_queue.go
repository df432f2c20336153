package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var queuePrefix = regexp.MustCompile(`^[A-Za-z0-9._~{}:-]{1,64}$`)

func (l *loader) queue() {
	q := &l.cfg.Queue
	schemes := []string{"redis", "rediss", "redis+sentinel", "rediss+sentinel", "postgres", "postgresql", "memory"}
	if p, ok := l.url("queue", q.URL, schemes...); ok {
		redis := strings.HasPrefix(p.Scheme, "redis")
		switch {
		case redis:
			l.redis(p)
		case p.Scheme == "memory" && strings.TrimSuffix(string(q.URL), "//") != "memory:":
			l.add("queue.url", `"memory:" stands alone: the queue lives in this process`)
		case strings.HasPrefix(p.Scheme, "postgres") && q.URL != CatalogQueue && (p.Opaque != "" || p.Host == "" && p.Path == ""):
			l.add("queue.url", "expected %q alone, for the catalogue's database, or postgres://user:password@host:5432/database", CatalogQueue.Reveal())
		}
		if !redis && q.Replicas > 0 {
			l.add("queue.replicas", "only Redis has replicas to wait for")
		}
	}
	if !queuePrefix.MatchString(q.Prefix) {
		l.add("queue.prefix", "expected at most 64 letters, digits and . _ ~ - : { }")
	}
	l.between("queue.replicas", q.Replicas, 0, 100)
}

// redis checks the URL of a Redis server, or of the sentinels of one.
func (l *loader) redis(p *url.URL) {
	db := strings.Trim(p.Path, "/")
	n, err := strconv.Atoi(db)
	sentinel := strings.HasSuffix(p.Scheme, "+sentinel")
	switch {
	case p.Host == "" && sentinel:
		l.add("queue.url", "expected %s://host:26379,host:26379/5?master_name=…", p.Scheme)
	case p.Host == "":
		l.add("queue.url", "expected %s://host:6379/5", p.Scheme)
	case db != "" && (err != nil || n < 0):
		l.add("queue.url", "expected the number of a Redis database as the path, such as /5")
	case sentinel && p.Query().Get("master_name") == "":
		l.add("queue.url", "sentinels watch several servers: ?master_name=… is the name of this one")
	}
}

// CatalogQueue is the Queue.URL that means the catalogue's database.
const CatalogQueue URL = "postgres:"

// Database is the URL of the PostgreSQL database in which the queue is, if it is
// in one.
func (q Queue) Database(catalog URL) (URL, bool) {
	switch {
	case q.URL == CatalogQueue:
		return catalog, true
	case q.URL.Scheme() == "postgres", q.URL.Scheme() == "postgresql":
		return q.URL, true
	}
	return "", false
}
