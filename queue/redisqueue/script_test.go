package redisqueue

import "testing"

func TestNeeded(t *testing.T) {
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
	for _, test := range []struct{ name, body, want string }{
		{"nothing", "return 1\n", ""},
		{"a comment is no call", "return 1 -- not one\n", ""},
		{"what a function calls", "return one(2)\n", "local call = redis.call\nlocal A, B = 'a', 'b'\nlocal function one(x)\n  local y = call(x, A)\n  return y\nend\n"},
		{"either of two names", "two()\n", "local A, B = 'a', 'b'\nlocal function two() return B end\n"},
	} {
		if got := needed(definitions(prelude), test.body); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}
