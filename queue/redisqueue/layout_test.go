package redisqueue

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestLayout reads the lists as CartoDB's tooling does: under the user's name,
// pushed on the left, taken and given back on the right, nothing but ids.
func TestLayout(t *testing.T) {
	url := testenv.Redis(t)
	q := open(t, url, Options{})
	c := client(t, url)
	defer c.Close()
	ctx := t.Context()
	p := q.keys.prefix
	messages := c.Subscribe(ctx, p+":users")
	defer messages.Close()
	if _, err := messages.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	ids := func(list string, want ...string) {
		t.Helper()
		got, err := c.LRange(ctx, p+":queue:"+list, 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
			t.Fatalf("list %s (-want +got):\n%s", list, diff)
		}
	}
	told := func(want string) {
		t.Helper()
		m, err := messages.ReceiveMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Payload != want {
			t.Fatalf("message %q, want %q", m.Payload, want)
		}
	}
	field := func(id, name, want string) {
		t.Helper()
		if got := c.HGet(ctx, p+":jobs:"+id, name).Val(); got != want {
			t.Errorf("%s of the job: %q, want %q", name, got, want)
		}
	}

	sql := submission("vizzuality")
	sql.Lane, sql.Kind = queue.LaneSQL, "sql"
	var want []string
	for range 3 {
		sql.ID = submission("").ID
		if _, err := q.Enqueue(ctx, sql); err != nil {
			t.Fatal(err)
		}
		want = append([]string{sql.ID}, want...)
		ids("vizzuality", want...)
		told("vizzuality")
	}
	oldest := want[2]
	field(oldest, "status", "pending")
	field(oldest, "definition", "{}")
	if ttl := c.TTL(ctx, p+":jobs:"+oldest).Val(); ttl >= 0 {
		t.Errorf("a pending job expires in %v", ttl)
	}

	claimed, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: "c", Worker: "w", Lane: queue.LaneSQL})
	if err != nil || claimed == nil || claimed.Job.ID != oldest {
		t.Fatalf("claimed %+v, %v; want %s", claimed, err, oldest)
	}
	ids("vizzuality", want[:2]...)
	field(oldest, "status", "running")
	if err := q.Release(ctx, queue.Holder{Job: oldest, Claim: "c"}); err != nil {
		t.Fatal(err)
	}
	ids("vizzuality", want...)
	told("vizzuality")
	if _, _, err := q.Cancel(ctx, want[1]); err != nil {
		t.Fatal(err)
	}
	ids("vizzuality", want[0], want[2])
	field(want[1], "status", "cancelled")
	if ttl := c.TTL(ctx, p+":jobs:"+want[1]).Val(); ttl <= 0 {
		t.Error("a cancelled job does not expire")
	}

	// Another lane has a list of its own, and odd names cannot meet others.
	export := enqueue(t, q, "vizzuality").ID
	ids("vizzuality:export", export)
	told("vizzuality")
	odd := enqueue(t, q, "vizzuality:export").ID
	ids("vizzuality%3Aexport:export", odd)
	ids("vizzuality:export", export)
	told("vizzuality%3Aexport")

	if got := c.Get(ctx, p+":layout").Val(); got != layoutVersion {
		t.Errorf("layout %q", got)
	}
}

func TestListName(t *testing.T) {
	for _, test := range []struct {
		user string
		lane queue.Lane
		want string
	}{
		{"alice", queue.LaneSQL, "alice"},
		{"alice", queue.LaneExport, "alice:export"},
		{"alice:export", queue.LaneSQL, "alice%3Aexport"},
		{"A.b_c~d-9", queue.LaneSQL, "A.b_c~d-9"},
		{"a b%{}", queue.LaneSQL, "a%20b%25%7B%7D"},
		{"é\x00+", queue.LaneExport, "%C3%A9%00%2B:export"},
		{"2001:db8::/64", queue.LaneSQL, "2001%3Adb8%3A%3A%2F64"},
	} {
		if got := listName(test.user, test.lane); got != test.want {
			t.Errorf("%q in %s: %q, want %q", test.user, test.lane, got, test.want)
		}
		user, lane, err := parseList(test.want)
		if user != test.user || lane != test.lane || err != nil {
			t.Errorf("%q: user %q, lane %s, %v", test.want, user, lane, err)
		}
	}
}
