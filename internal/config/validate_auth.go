package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func (l *loader) auth() {
	a := &l.cfg.Auth
	if a.UserFromHost != "" {
		if re, err := regexp.Compile(a.UserFromHost); err != nil {
			l.add("auth.userFromHost", "is not a regular expression: %v", err)
		} else if re.NumSubexp() == 0 {
			l.add("auth.userFromHost", `has no (group) for the user's name, as '^([^.]*)\.' has`)
		}
	}
	l.between("auth.anonymous.running", a.Anonymous.Running, 1, 1000)
	l.between("auth.anonymous.queued", a.Anonymous.Queued, 1, maxQueued)
	l.between("auth.anonymous.totalQueued", a.Anonymous.TotalQueued, 1, 10_000_000)
	if a.Anonymous.TotalQueued < a.Anonymous.Queued {
		l.add("auth.anonymous.totalQueued", "is %d, less than queued (%d)", a.Anonymous.TotalQueued, a.Anonymous.Queued)
	}
	names, keys := map[string]string{}, map[KeyHash]string{}
	for i, u := range a.Users {
		path := fmt.Sprintf("auth.users[%d]", i)
		if strings.TrimSpace(u.Name) == "" {
			l.add(path+".name", "is required")
		} else if l.name(path+".name", u.Name); names[u.Name] != "" {
			l.add(path+".name", "%q is the name of %s already", u.Name, names[u.Name])
		} else {
			names[u.Name] = path
		}
		l.userKeys(path, u.Keys, keys)
		l.userSource(path, u)
		if u.Limits != l.cfg.Batch.Limits { // else everybody's problems, told already
			l.limits(path+".limits", u.Limits)
		}
		l.between(path+".customer", u.Customer, 0, 1<<31-1)
	}
}

// userKeys checks keys; seen tells where each is.
func (l *loader) userKeys(user string, keys []Key, seen map[KeyHash]string) {
	for i, k := range keys {
		path := fmt.Sprintf("%s.keys[%d]", user, i)
		l.word(path+".type", k.Type, KeyMaster, KeyRegular, KeyDefault)
		switch {
		case k.SHA256 == KeyHash{}:
			l.add(path+".sha256", "is required")
		case k.SHA256 == HashKey(""):
			l.add(path+".sha256", "is the digest of an empty key")
		case seen[k.SHA256] != "":
			l.add(path+".sha256", "is the key of %s already", seen[k.SHA256])
		default:
			seen[k.SHA256] = path
		}
	}
}

func (l *loader) userSource(path string, u User) {
	_, known := l.cfg.DataSources[u.DataSource]
	switch {
	case u.DataSource == "" && u.SQL:
		l.add(path+".dataSource", "is required for sql: true; SQL jobs run as the user's own login role")
	case u.DataSource != "" && !known:
		message := fmt.Sprintf("no data source is called %q", u.DataSource)
		var names []string
		for name := range l.cfg.DataSources {
			names = append(names, name)
		}
		slices.Sort(names)
		if best := nearest(u.DataSource, names); best != "" {
			message += fmt.Sprintf(", did you mean %q?", best)
		}
		l.add(path+".dataSource", "%s", message)
	}
}
