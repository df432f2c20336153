package redisqueue

import "testing"

func TestCompose(t *testing.T) {
	prelude := `-- About.
local call = redis.call
local A, B = 'a', 'b' -- two names

-- one is not called by two, whatever this comment says of two.
local function one(x)
  local y = call(x, A)
  return y
end
local function two() return B end
local unused = 0
`
	const (
		call  = "local call = redis.call\n"
		names = "local A, B = 'a', 'b'\n"
		one   = "local function one(x)\n  local y = call(x, A)\n  return y\nend\n"
		two   = "local function two() return B end\n"
	)
	for _, test := range []struct{ name, body, want string }{
		{"nothing", "return 1\n", "return 1\n"},
		{"a comment is no call", "return 1 -- not one\n", "return 1 -- not one\n"},
		{"what a function calls", "return one(2)\n", call + names + one + "return one(2)\n"},
		{"either of two names", "two()\n", names + two + "two()\n"},
		{
			"what a rare branch calls",
			"f(A)\nif x then\n  -- rarely: one two\n  return one(two())\nend\n",
			names + "f(A)\nif x then\n" + call + one + two + "  return one(two())\nend\n",
		},
	} {
		if got := compose(definitions(prelude), test.body); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}
