package sqltext

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kinds names the kinds in a table, one short word each.
var kinds = map[Kind]string{
	Comment: "comment", Word: "word", Number: "number", Param: "param", String: "string", EscapeString: "escape",
	BitString: "bits", UnicodeString: "unicode", DollarString: "dollar", Identifier: "name", UnicodeIdentifier: "uname",
	Other: "other", Unclear: "unclear",
}

// described writes the tokens of a text as kind:text, without spaces; + before
// a kind is Continues, ! behind it is Open.
func described(sql string) []string {
	out := []string{}
	for _, t := range Scan(sql) {
		if t.Kind == Space {
			continue
		}
		kind := kinds[t.Kind]
		if t.Continues {
			kind = "+" + kind
		}
		if t.Open {
			kind += "!"
		}
		out = append(out, kind+":"+sql[t.Start:t.End])
	}
	return out
}

func TestScan(t *testing.T) {
	for _, tt := range []struct {
		sql  string
		want []string
	}{
		{"", nil},
		{"select a1,$2", []string{"word:select", "word:a1", "other:,", "param:$2"}},
		{"'it''s' \"a\"\"b\"", []string{"string:'it''s'", `name:"a""b"`}},
		{`'\'a E'\'a' e'\\'a`, []string{`string:'\'`, "word:a", `escape:E'\'a'`, `escape:e'\\'`, "word:a"}},
		{`N'\'n nE'\'`, []string{"word:N", `string:'\'`, "word:n", "word:nE", `string:'\'`}},
		{`B'0' x'1f' B'0''1'`, []string{"bits:B'0'", "bits:x'1f'", "bits:B'0'", "string:'1'"}},
		{`U&'a''' u&"b""" U & 'c'`, []string{"unicode:U&'a'''", `uname:u&"b"""`, "word:U", "other:&", "string:'c'"}},
		{"ü'é'", []string{"word:ü", "string:'é'"}},

		{"'a'\n'b'", []string{"string:'a'", "+string:'b'"}},
		{"E'a' -- c\r -- d\n\t'\\''", []string{"escape:E'a'", "comment:-- c", "comment:-- d", "+escape:'\\''"}},
		{"U&'a'\n'b'\n'c'", []string{"unicode:U&'a'", "+unicode:'b'", "+unicode:'c'"}},
		{"E'a' '\\'", []string{"escape:E'a'", "string:'\\'"}},
		{"E'a' /*\n*/ '\\'", []string{"escape:E'a'", "comment:/*\n*/", "string:'\\'"}},
		{"E'a'\n,\n'\\'", []string{"escape:E'a'", "other:,", "string:'\\'"}},
		{"E'a' -- c", []string{"escape:E'a'", "comment:-- c"}},
		{"$$a$$\n'b'", []string{"dollar:$$a$$", "string:'b'"}},
		{"\"a\"\n'b'", []string{`name:"a"`, "string:'b'"}},

		{"$$a'$b$ $ $$ $a$ $$ $A$ $a$", []string{"dollar:$$a'$b$ $ $$", "dollar:$a$ $$ $A$ $a$"}},
		{"$a$$a$b", []string{"dollar:$a$$a$", "word:b"}},
		{"a$$b $1$$c$$", []string{"word:a$$b", "param:$1", "dollar:$$c$$"}},
		{"$é1$'$é1$", []string{"dollar:$é1$'$é1$"}},
		{`$E'\''`, []string{"other:$", `escape:E'\''`}},

		{"a--b\nc", []string{"word:a", "comment:--b", "word:c"}},
		{"/*a/*b*/'*/c", []string{"comment:/*a/*b*/'*/", "word:c"}},
		{"+/*'*/+--'", []string{"other:+", "comment:/*'*/", "other:+", "comment:--'"}},
		{"/*/**/*/ */*x*/", []string{"comment:/*/**/*/", "other:*", "comment:/*x*/"}},
		{"/***/a", []string{"comment:/***/", "word:a"}},

		{"1.5e3 0xFF'", []string{"number:1", "other:.", "number:5e3", "unclear!:0xFF'"}},
		{`1'a' 12$$b$$`, []string{"number:1", "string:'a'", "number:12", "dollar:$$b$$"}},
		{`1E'a'`, []string{`unclear!:1E'a'`}},
		{`1e5$$a$$`, []string{`unclear!:1e5$$a$$`}},
		{`1U&'a'`, []string{`unclear!:1U&'a'`}},
		{`0xE"a"`, []string{"number:0xE", `name:"a"`}},

		{"a 'b", []string{"word:a", "string!:'b"}},
		{`E'a\'`, []string{`escape!:E'a\'`}},
		{`E'a\`, []string{`escape!:E'a\`}},
		{`"a""`, []string{`name!:"a""`}},
		{"/*/**/", []string{"comment!:/*/**/"}},
		{"/*/", []string{"comment!:/*/"}},
		{"$$a$", []string{"dollar!:$$a$"}},
		{"$a$b$A$", []string{"dollar!:$a$b$A$"}},
		{"$", []string{"other:$"}},
	} {
		if diff := cmp.Diff(append([]string{}, tt.want...), described(tt.sql)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.sql, diff)
		}
	}
}

// TestScanLosesNothing: a token begins where the one before it ends.
func TestScanLosesNothing(t *testing.T) {
	sql := strings.Repeat("select 'a\\' \n 'b', E'\\'', $x$ $$ $x$ /* /* */ */ -- c\n \"q\" $1 U&'x' ", 3)
	end := 0
	for _, token := range Scan(sql) {
		if token.Start != end || token.End <= token.Start {
			t.Fatalf("token %v after %d", token, end)
		}
		end = token.End
	}
	if end != len(sql) {
		t.Errorf("ends at %d of %d", end, len(sql))
	}
}
