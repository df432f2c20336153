package redisqueue

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"slashbatch/queue"
)

// The layout of the data, version 2. P is the prefix, {user} the user's name
// with everything but [A-Za-z0-9._~-] percent-encoded, {list} a user's list in
// one lane: "{user}" for sql, "{user}:export" for export. Names and sides of
// the first three are those of CartoDB's batch API, so that its tooling can
// read them. All times are milliseconds of the server's clock.
//
//	P:jobs:{id}         hash    list status kind key order created definition,
//	                            and class if it has one;
//	                            due while it waits for a retry;
//	                            once claimed attempt started claim sealed
//	                            crashes failures progress steps;
//	                            at the end ended error outcome.
//	                            Expires after the retention, when final and no
//	                            longer held
//	P:queue:{list}      list    pending ids and nothing else: LPUSH new, RPOP
//	                            claimed, RPUSH given back
//	P:users             channel user name, when there is something to claim
//	P:changes           channel "id state", when a job has come to a state, or
//	                            into another list
//
//	P:index             hash    list → "pending running delayed cap place head
//	                            next sum from upto slot source" (see load in
//	                            prelude/lists.lua); only lists with work
//	P:table:{lane}      string  the same lists as records of 24 bytes, little
//	                            endian, at their slot: pending u32, running u32,
//	                            place u64, estimates of the pending jobs u64
//	P:free:{lane}       list    slots to be used again
//	P:holes:{list}      zset    "number estimate" of jobs taken out of the
//	                            middle, by number; absent as a rule
//	P:gaps:{list}       hash    sums of those estimates (see add_gap)
//	P:ready:{lane}:{source} zset  lists that may start their head job, which is
//	                            for this source; score running * 2^41 + place
//	P:open:{lane}       zset    sources with a ready list and free capacity;
//	                            score of their best list
//	P:sources           hash    running:{source} jobs running now,
//	                            capacity:{source} if limited
//
//	P:delayed           zset    id → when its retry is due; these jobs are pending
//	                            and in no list
//	P:running           zset    id → end of the lease
//	P:runs              hash    claim → "id started estimate list worker", for
//	                            claims that take a place
//	P:spent:{claim}     string  "how id": how a claim ended; expires after a lease
//
//	P:keys:{digest}     string  last id of a request key; expires with the job
//	P:waiters:{id}      hash    user → "joined cap" of who waits, once it is not
//	                            only the list's owner (see prelude/waiters.lua);
//	                            expires with the job
//	P:mine:{user}       zset    ids of what the user waits or waited for, by order
//	P:histories         zset    user → when Sweep next looks through P:mine:{user}
//	                            for what is gone; whoever has one is in it
//	P:estimates         hash    class → "runs mean": what was learned
//
//	P:seq               integer counts changes: orders, places and the version
//	P:paused            string  there while nothing is claimed
//	P:workers           hash    id → "expires sql=2 export=4"
//	P:swept             integer time of the last sweep
//	P:layout            string  version of the layout
//
// A job's field order is "number total estimate seq retry cap digest source":
// number in its list, sum of the estimates of all jobs numbered before it (both
// change when it is given back or comes into another list), then estimate, order
// and retries as in the contract, the running cap of who submitted it, digest of
// its key or "-". While it waits for a retry number and total mean nothing.
//
// A record in which no field is over 64 bytes takes half the memory: it stays one
// compact block as long as the definition, too, is within the server's
// hash-max-listpack-value.
//
// Go code names a key only through the methods below, scripts through the
// functions in prelude/names.lua.
const layoutVersion = "2"

// keys builds the names of keys and channels.
type keys struct{ prefix string }

func (k keys) seq() string                  { return k.prefix + ":seq" }
func (k keys) layout() string               { return k.prefix + ":layout" }
func (k keys) runs() string                 { return k.prefix + ":runs" }
func (k keys) workers() string              { return k.prefix + ":workers" }
func (k keys) paused() string               { return k.prefix + ":paused" }
func (k keys) index() string                { return k.prefix + ":index" }
func (k keys) sources() string              { return k.prefix + ":sources" }
func (k keys) pending(list string) string   { return k.prefix + ":queue:" + list }
func (k keys) table(lane queue.Lane) string { return k.prefix + ":table:" + string(lane) }
func (k keys) job(id string) string         { return k.prefix + ":jobs:" + id }
func (k keys) users() string                { return k.prefix + ":users" }   // channel
func (k keys) changes() string              { return k.prefix + ":changes" } // channel

// encodeUser makes a user's name safe in keys. No two names share a code.
func encodeUser(user string) string {
	var b strings.Builder
	for _, c := range []byte(user) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("._~-", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func decodeUser(code string) (string, error) { return url.PathUnescape(code) }

// listName names the list of a user in a lane.
func listName(user string, lane queue.Lane) string {
	if lane == queue.LaneSQL {
		return encodeUser(user)
	}
	return encodeUser(user) + ":" + string(lane)
}

// parseList is the opposite of listName.
func parseList(list string) (user string, lane queue.Lane, err error) {
	code, name, ok := strings.Cut(list, ":")
	if !ok {
		name = string(queue.LaneSQL)
	}
	user, err = decodeUser(code)
	return user, queue.Lane(name), err
}

// noDigest stands for "no request key".
const noDigest = "-"

// digest shortens a request key to 22 characters, for the name of its pointer.
func digest(key string) string {
	if key == "" {
		return noDigest
	}
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
