package redisqueue

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

//go:embed lua/*.lua
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
	sweepScript      = newScript("sweep")
)

// newScript puts the parts of the prelude that a script needs between its first
// line, which holds its flags and must stay the first, and its body. Redis
// creates every function anew at each call; leaving out those that are not
// called makes small scripts several times faster.
func newScript(name string) *redis.Script {
	flags, body, _ := strings.Cut(source(name), "\n")
	return redis.NewScript(flags + "\n" + needed(definitions(source("prelude")), body) + body)
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

// needed is the text of the definitions that a body mentions, and of those that
// they mention in turn. A definition mentions only earlier ones.
func needed(all []definition, body string) string {
	mentioned := map[string]bool{}
	mention := func(text string) {
		for _, name := range identifier.FindAllString(text, -1) {
			mentioned[name] = true
		}
	}
	mention(comment.ReplaceAllString(body, ""))
	var text string
	for _, d := range slices.Backward(all) {
		if slices.ContainsFunc(d.names, func(name string) bool { return mentioned[name] }) {
			mention(d.text)
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
