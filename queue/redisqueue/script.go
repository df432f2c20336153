package redisqueue

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

//go:embed lua/*.lua lua/prelude/*.lua
var lua embed.FS

// The scripts, one for each operation.
var (
	enqueueScript    = newScript("enqueue")
	joinScript       = newScript("join")
	waitsScript      = newScript("waits")
	leaveScript      = newScript("leave")
	cancelScript     = newScript("cancel")
	claimScript      = newScript("claim")
	beatScript       = newScript("beat")
	sealScript       = newScript("seal")
	finishScript     = newScript("finish")
	failScript       = newScript("fail")
	releaseScript    = newScript("release")
	getScript        = newScript("get")
	byKeyScript      = newScript("bykey")
	listScript       = newScript("list")
	capacitiesScript = newScript("capacities")
	pauseScript      = newScript("pause")
	sweepScript      = newScript("sweep")
)

// prelude is what scripts share, each file after those that it needs.
var prelude = []string{"names", "lists", "places", "jobs", "waiters", "ends"}

// newScript puts the parts of the prelude that a script needs between its first
// line, which holds its flags and must stay the first, and its body. Redis
// creates every function anew at each call; leaving out those that are not
// called makes small scripts several times faster. What only a rare branch calls
// is created there: where that begins a line "-- rarely: a b" names it.
func newScript(name string) *redis.Script {
	flags, body, _ := strings.Cut(source(name), "\n")
	var shared strings.Builder
	for _, part := range prelude {
		shared.WriteString(source("prelude/" + part))
	}
	return redis.NewScript(flags + "\n" + compose(definitions(shared.String()), body))
}

// definition is a top-level definition of the prelude: the names it defines and
// its text.
type definition struct {
	names []string
	text  string
}

var (
	identifier = regexp.MustCompile(`[A-Za-z_]\w*`)
	defined    = regexp.MustCompile(`^local (?:function )?(\w+(?:, \w+)*)`)
	comment    = regexp.MustCompile(`(?m)(^| )--.*$`)
	rarely     = regexp.MustCompile(`(?m)^ *-- rarely: (.*)\n`)
)

// definitions cuts the prelude before every line that begins with "local".
func definitions(prelude string) []definition {
	var all []definition
	for line := range strings.Lines(comment.ReplaceAllString(prelude, "")) {
		if m := defined.FindStringSubmatch(line); m != nil {
			all = append(all, definition{names: strings.Split(m[1], ", ")})
		}
		if len(all) > 0 && strings.TrimSpace(line) != "" {
			all[len(all)-1].text += line
		}
	}
	return all
}

// compose puts the definitions that a body needs before it, and those that only
// its rare branch needs there.
func compose(all []definition, body string) string {
	mentioned := mentions(comment.ReplaceAllString(body, ""))
	at := rarely.FindStringSubmatchIndex(body)
	if at == nil {
		return needed(all, mentioned, nil) + body
	}
	rare := mentions(body[at[2]:at[3]])
	for name := range rare {
		delete(mentioned, name)
	}
	first := needed(all, mentioned, nil)
	return first + body[:at[0]] + needed(all, rare, mentioned) + body[at[1]:]
}

// mentions is the set of names in a text.
func mentions(text string) map[string]bool {
	names := map[string]bool{}
	for _, name := range identifier.FindAllString(text, -1) {
		names[name] = true
	}
	return names
}

// needed is the text of the definitions of the names mentioned, and of those that
// they mention in turn, which it adds to these. A definition mentions only
// earlier ones. Those that are there already are left out.
func needed(all []definition, mentioned, there map[string]bool) string {
	var text string
	for _, d := range slices.Backward(all) {
		in := func(names map[string]bool) bool {
			return slices.ContainsFunc(d.names, func(name string) bool { return names[name] })
		}
		if in(mentioned) && !in(there) {
			maps.Copy(mentioned, mentions(d.text))
			text = d.text + text
		}
	}
	return text
}

func source(name string) string {
	text, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // they are part of the binary
	}
	return string(text)
}

// run calls a script; a nil answer is nil and no error.
func (q *Queue) run(ctx context.Context, s *redis.Script, args ...any) (any, error) {
	answer, err := s.Run(ctx, q.client, []string{q.keys.seq()}, args...).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return answer, unavailable(ctx, err)
}

// unavailable makes an error of the contract of one that is not an answer. All
// are: a lost connection, a server that is loading, full, read-only or without
// its primary, even a failed script, for none tells whether something happened.
// An expired context can be told from the rest.
func unavailable(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	cause := ctx.Err()
	// The connection's own deadline is the context's and may strike first.
	if deadline, ok := ctx.Deadline(); cause == nil && ok && !time.Now().Before(deadline) {
		cause = context.DeadlineExceeded
	}
	if cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w (%w)", queue.ErrUnavailable, cause, err)
	}
	return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
}

// malformed is the error for an answer that no script gives.
func malformed(answer any) error {
	return fmt.Errorf("%w: unexpected answer %v", queue.ErrUnavailable, answer)
}

// flag passes a yes or no to scripts.
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// millis passes a duration to scripts.
func millis(d time.Duration) int64 { return max(d.Milliseconds(), 0) }
