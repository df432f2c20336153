package redisqueue

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The driver prints to standard error what it returns as an error anyway.
func init() { logging.Disable() }

const (
	// defaultDB is where CartoDB's tooling looks.
	defaultDB = 5
	// sentinelPort is where a sentinel listens by default.
	sentinelPort = "26379"
	// sentinelScheme is what a scheme ends in when its hosts are sentinels.
	sentinelScheme = "+sentinel"
)

// connect makes a client for the server, or for the sentinels, that a URL names.
// Its errors never show the URL, which may hold a password.
func connect(raw string) (*redis.Client, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("redisqueue: not a URL")
	}
	switch u.Scheme {
	case "redis", "rediss":
		o, err := serverOptions(u)
		if err != nil {
			return nil, err
		}
		return redis.NewClient(o), nil
	case "redis" + sentinelScheme, "rediss" + sentinelScheme:
		o, err := sentinelOptions(u)
		if err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(o), nil
	}
	return nil, fmt.Errorf("redisqueue: scheme %q, want redis://, rediss://, redis+sentinel:// or rediss+sentinel://", u.Scheme)
}

// Dialling many times for each command would only hide an outage from the
// caller: commands are sent again as a whole, which every script allows.
const dialerRetries = 1

// serverOptions reads the URL of one server.
func serverOptions(u *url.URL) (*redis.Options, error) {
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("redisqueue: %w", err)
	}
	if !namesDB(u) {
		o.DB = defaultDB
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = dialerRetries
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// sentinelOptions reads the URL of some sentinels. In the driver's own form of
// it the user and password are those of the sentinels, and all hosts but the
// first are parameters.
func sentinelOptions(u *url.URL) (*redis.FailoverOptions, error) {
	query := u.Query()
	if query.Get("master_name") == "" {
		return nil, errors.New("redisqueue: a URL of sentinels needs ?master_name=, the name under which they watch the primary")
	}
	for _, other := range []string{"replica_only", "route_by_latency", "route_randomly"} {
		if query.Has(other) {
			return nil, fmt.Errorf("redisqueue: %s would ask a replica, which may be behind", other)
		}
	}
	hosts := strings.Split(u.Host, ",")
	for i, host := range hosts {
		name := (&url.URL{Host: host}).Hostname()
		if name == "" {
			return nil, errors.New("redisqueue: a URL of sentinels has an empty host")
		}
		if port := (&url.URL{Host: host}).Port(); port == "" {
			hosts[i] = net.JoinHostPort(name, sentinelPort)
		}
	}
	username, password := query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	for _, host := range hosts[1:] {
		query.Add("addr", host)
	}
	plain := url.URL{
		Scheme:   strings.TrimSuffix(u.Scheme, sentinelScheme),
		User:     url.UserPassword(username, password),
		Host:     hosts[0],
		Path:     u.Path,
		RawQuery: query.Encode(),
	}
	o, err := redis.ParseFailoverURL(plain.String())
	if err != nil {
		return nil, fmt.Errorf("redisqueue: %w", err)
	}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	if !namesDB(u) {
		o.DB = defaultDB
	}
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each server goes by its own name
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = dialerRetries
	return o, nil
}

// namesDB reports whether a URL says which database.
func namesDB(u *url.URL) bool {
	return strings.Trim(u.Path, "/") != "" || u.Query().Has("db")
}
