package assets

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"slashbatch/internal/problem"
)

// good is a member that nothing is wrong with, with more properties.
func good(more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"id":"a","space":1,"origin":"https://x/a.jpg","mediaType":"image/jpeg"` + more + `}`
}

// with is good with other properties in place of its own.
func with(properties string) string {
	return `{"id":"a","space":1,"origin":"o","mediaType":"image/jpeg",` + properties + `}`
}

func posted(members ...string) string { return `{"member":[` + strings.Join(members, ",") + `]}` }

// messages are problems as "path: message".
func messages(problems problem.List) (list []string) {
	for _, p := range problems {
		list = append(list, p.String())
	}
	return list
}

// The members of test batches are checked by these, unless told otherwise.
var four = Rules{Most: 4}

// wantProblems checks the problems of a posting in JSON: each begins as wanted.
func wantProblems(t *testing.T, body string, rules Rules, want ...string) {
	t.Helper()
	_, problems := ParseMembers([]byte(body), rules)
	checkProblems(t, body, problems, want)
}

func checkProblems(t *testing.T, body string, problems problem.List, want []string) {
	t.Helper()
	got := messages(problems)
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("%s (-want +got):\n%s", body, cmp.Diff(want, got))
	}
}

func TestP039(t *testing.T) {
	for _, body := range []string{`{}`, `{"member":null}`, `{"members":[{}]}`, `{"@type":"Collection"}`} {
		wantProblems(t, body, four, "member: Members cannot be empty")
	}
}

func TestP040(t *testing.T) {
	wantProblems(t, posted(), four, "member: Members cannot be empty")
}

func distinct(n int) (members []string) {
	for i := range n {
		members = append(members, fmt.Sprintf(`{"id":"m%d","space":1,"origin":"o","mediaType":"image/jpeg"}`, i))
	}
	return members
}

func TestP041(t *testing.T) {
	wantProblems(t, posted(distinct(5)...), four, "member: Maximum assets in single batch is 4")
	wantProblems(t, posted(distinct(251)...), Rules{Most: 250}, "member: Maximum assets in single batch is 250")
	wantProblems(t, posted(append(distinct(4), `{}`, `5`)...), four, "member: Maximum assets in single batch is 4")
}

func TestP042(t *testing.T) {
	wantProblems(t, posted(distinct(4)...), four)
	wantProblems(t, posted(distinct(250)...), Rules{Most: 250})
	wantProblems(t, posted(distinct(300)...), Rules{})
}

func identified(ids ...string) string {
	var members []string
	for _, id := range ids {
		key, space, _ := strings.Cut(id, "/")
		members = append(members, fmt.Sprintf(`{"id":%q,"space":%s,"origin":"o","mediaType":"image/jpeg"}`, key, space))
	}
	return posted(members...)
}

func TestP043(t *testing.T) {
	wantProblems(t, identified("foo/2", "bar/2", "foo/2", "foo/3"), four, "member: Members contains 1 duplicate Id(s): Id:foo,Space:2")
	wantProblems(t, identified("foo/2", "bar/1", "foo/2", "bar/1", "foo/2"), Rules{}, "member: Members contains 2 duplicate Id(s): Id:foo,Space:2, Id:bar,Space:1")
}

func TestP044(t *testing.T) {
	wantProblems(t, identified("foo/10", "bar/10", "foo/20"), four)
}

func TestP045(t *testing.T) {
	wantProblems(t, posted(with(`"id2":0`), `{"id":" ","space":1,"origin":"o","mediaType":"x"}`), four, "member[1].id: Asset Id cannot be empty")
}

func TestP046(t *testing.T) {
	wantProblems(t, `{"member":[{"id":"a","space":0,"origin":"o","mediaType":"x"},{"id":"b","origin":"o","mediaType":"x"},{"id":"c","space":null,"origin":"o","mediaType":"x"},{"id":"d","space":-7,"origin":"o","mediaType":"x"}]}`, four,
		"member[0].space: Space cannot be empty", "member[1].space: Space cannot be empty", "member[2].space: Space cannot be empty", "member[3].space: there is no space -7: expected 1 or more")
}

func TestP047(t *testing.T) {
	for _, value := range []string{`null`, `""`, `" "`} {
		wantProblems(t, `{"member":[{"id":"a","space":1,"origin":"o","mediaType":`+value+`}]}`, four, "member[0].mediaType: Media type must be specified")
	}
	wantProblems(t, `{"member":[{"id":"one","origin":"vid.mp4","space":1}]}`, four, "member[0].mediaType: Media type must be specified")
}

// P-048 to P-053, P-055 and P-060.
func TestForbiddenProperties(t *testing.T) {
	for _, value := range []string{`"10"`, `10`, `{"x":1}`, `0`} {
		for _, name := range []string{"batch", "width", "height", "duration", "finished", "created"} {
			wantProblems(t, posted(good(fmt.Sprintf("%q:%s", name, value))), four, "member[0]."+name+": Should not include "+name)
		}
		for _, name := range []string{"imageOptimisationPolicy", "thumbnailPolicy"} {
			wantProblems(t, posted(good(fmt.Sprintf("%q:%s", name, value))), four, "member[0]."+name+": '"+name+"' is deprecated. Use 'deliveryChannels' instead.")
		}
	}
	wantProblems(t, posted(good(`"batch":null,"width":null,"thumbnailPolicy":null`)), four)
}

func TestP057(t *testing.T) {
	for _, value := range []string{`null`, `""`, `" "`} {
		wantProblems(t, `{"member":[{"id":"a","space":1,"mediaType":"image/jpeg","origin":`+value+`}]}`, four, "member[0].origin: Asset Origin must be supplied.")
	}
}

func TestP059(t *testing.T) {
	for id, found := range map[string]string{`some\\id`: `'\\'`, `some Id`: `' '`, `a\tb`: `'\t'`, `\u00a0a`: `'\u00a0'`, `a\u007f`: `'\x7f'`, `a\u0085`: `'\u0085'`} {
		body := `{"member":[{"id":"` + id + `","space":1,"origin":"o","mediaType":"x"}]}`
		wantProblems(t, body, four, "member[0].id: Asset Id contains "+found+": expected no backslashes, blanks or control characters")
	}
	wantProblems(t, identified("maps/1", "a-b_c.d:ä😀/1"), four)
}

func TestP061(t *testing.T) {
	body := posted(`{"space":1,"origin":"o","mediaType":"video/mp4"}`, `{"id":"","space":1,"origin":"o","mediaType":"video/mp4"}`,
		`{"id":"someId","space":1,"origin":"o","mediaType":"video/mp4"}`, `{"id":null,"space":1,"origin":"o","mediaType":"video/mp4"}`)
	posting, problems := ParseMembers([]byte(body), four)
	if problems != nil {
		t.Fatal(problems)
	}
	seen := map[string]bool{}
	for i, m := range posting.Members {
		if _, err := uuid.Parse(m.ID); (err != nil) != (i == 2) || seen[m.ID] {
			t.Errorf("member %d has the id %q", i, m.ID)
		}
		seen[m.ID] = true
	}
	if posting.Members[2].ID != "someId" {
		t.Error(posting.Members[2].ID)
	}
}

func TestIDLength(t *testing.T) {
	id := func(n int) string {
		return posted(strings.Replace(good(""), `"a"`, `"`+strings.Repeat("ä", n)+`"`, 1))
	}
	rules := Rules{Customer: 99}
	wantProblems(t, id(500-len("99/1/")), rules)
	wantProblems(t, id(500-len("99/1/")+1), rules, "member[0].id: Asset Id is too long: with customer and space it has 501 characters, and may have 500")
}

func TestDeliveryChannels(t *testing.T) {
	for value, want := range map[string]string{
		`[]`:                              "'deliveryChannels' cannot be an empty array",
		`"iiif-img"`:                      `expected a list such as [{"channel": "iiif-img"}], got a text`,
		`["iiif-img"]`:                    `element 0: expected an object such as {"channel": "iiif-img", "policy": "default"}, got a text`,
		`[{"channel":"x"},{}]`:            "element 1: has no channel: expected its name, such as iiif-img",
		`[{"channel":" "}]`:               "element 0: has no channel",
		`[{"channel":5}]`:                 "element 0: channel: expected a text, got a number",
		`[{"channel":"x","policy":[]}]`:   "element 0: policy: expected a text, got a list",
		`[{"channel":"x","channel":"y"}]`: "element 0: channel: is given twice",
	} {
		wantProblems(t, posted(good(`"deliveryChannels":`+value)), four, "member[0].deliveryChannels: "+want)
	}
	posting, problems := ParseMembers([]byte(posted(good(`"deliveryChannels":[{"@type":"x","channel":"iiif-img","policy":null},{"policy":"p","channel":"file","x":1e999999}]`))), four)
	if problems != nil || string(posting.Members[0].DeliveryChannels) != `[{"channel":"iiif-img"},{"channel":"file","policy":"p"}]` {
		t.Error(problems, posting)
	}
}

func TestPriority(t *testing.T) {
	priority := Rules{Priority: true}
	media := func(media, more string) string {
		return `{"id":"a","space":1,"origin":"o","mediaType":"` + media + `"` + more + `}`
	}
	for _, image := range []string{
		media("image/jpeg", ""), media("Image/PNG", ""), media("x", `,"family":"I"`),
		media("x", `,"deliveryChannels":[{"channel":"file"},{"channel":"iiif-img"}]`), media("x", `,"deliveryChannels":[{"channel":"thumbs"}]`),
	} {
		wantProblems(t, posted(image), priority)
	}
	for _, other := range []string{media("video/mp4", ""), media("x", `,"family":"T"`), media("ximage/", `,"deliveryChannels":[{"channel":"file"}]`)} {
		wantProblems(t, posted(good(""), strings.Replace(other, `"a"`, `"b"`, 1)), priority, "member[1]: Priority queue only supports image assets")
		wantProblems(t, posted(other), four)
	}
	wantProblems(t, posted(media("x", `,"family":5`)), priority, "member[0].family: expected a text")
}

// TestWrongTypes: each is told once, with what would be right, and not as missing besides.
func TestWrongTypes(t *testing.T) {
	bits := func(n int, got string) string {
		return fmt.Sprintf("expected a whole number of %d bits, written without a point or an exponent, got %s", n, got)
	}
	for property, want := range map[string]string{
		`"mediaType":5`:                       "mediaType: expected a text, got a number",
		`"origin":[]`:                         "origin: expected a text, got a list",
		`"id":7`:                              "id: expected a text, got a number",
		`"id":"a\u0000"`:                      "id: has a NUL character, which cannot be stored",
		`"space":"1"`:                         "space: expected a whole number, got a text",
		`"space":2147483648`:                  "space: " + bits(32, "2147483648"),
		`"space":1.0`:                         "space: " + bits(32, "1.0"),
		`"number1":3.0`:                       "number1: " + bits(64, "3.0"),
		`"number2":1e2`:                       "number2: " + bits(64, "1e2"),
		`"number3":9223372036854775808`:       "number3: " + bits(64, "9223372036854775808"),
		`"number1":true`:                      "number1: expected a whole number, got true",
		`"number1":"5"`:                       "number1: expected a whole number, got a text",
		`"maxUnauthorised":2147483648`:        "maxUnauthorised: " + bits(32, "2147483648"),
		`"string1":5`:                         "string1: expected a text, got a number",
		`"string2":{}`:                        "string2: expected a text, got an object",
		`"string3":"\ud800x"`:                 `string3: has half a character: a \ud800 without its \udc00`,
		"\"string1\":\"\xff\"":                "string1: is not valid UTF-8",
		`"string1":"\u0000"`:                  "string1: has a NUL character, which cannot be stored",
		`"family":"X"`:                        "family: expected I (image), T (timebased) or F (file), got 'X'",
		`"family":""`:                         "family: expected I (image), T (timebased) or F (file), got ''",
		`"tags":"a,b"`:                        "tags: expected a list of texts, got a text",
		`"roles":["a",5,6]`:                   "roles: element 1: expected a text, got a number",
		`"manifests":[null]`:                  "manifests: element 0: expected a text, got null",
		"\"tags\":[\"\xff\"]":                 "tags: element 0: is not valid UTF-8",
		`"number1":1,"number1":2,"number1":3`: "number1: is given twice: expected it once",
	} {
		// The property in question stands instead of the good one, if there is one.
		base := map[string]string{"id": `"a"`, "space": `1`, "origin": `"o"`, "mediaType": `"x"`}
		name, _, _ := strings.Cut(strings.TrimPrefix(property, `"`), `"`)
		delete(base, name)
		body := "{" + property
		for key, value := range base {
			body += fmt.Sprintf(",%q:%s", key, value)
		}
		wantProblems(t, posted(body+"}"), four, "member[0]."+want)
	}
}

// TestAllAtOnce: every problem of every member, and of all together.
func TestAllAtOnce(t *testing.T) {
	wantProblems(t, `{"retention":{"completed":"x"},"member":[`+good("")+`,{"id":"b c","width":1,"number1":"x"},7,`+good(`"family":"Q"`)+`]}`, four,
		"member: Members contains 1 duplicate Id(s): Id:a,Space:1",
		"retention.completed: expected a duration", "member[1].width: Should not include width", "member[1].number1: expected a whole number",
		"member[1].mediaType: Media type", "member[1].id: Asset Id contains", "member[1].space: Space cannot", "member[1].origin: Asset Origin",
		"member[2]: expected an object, got a number", "member[3].family: expected I")
}

func TestBodies(t *testing.T) {
	const want = "expected a JSON object with a list of assets as its member: "
	for body, reason := range map[string]string{
		"":                       want + "there is nothing",
		" \n":                    want + "there is nothing",
		"id,space\na,1":          want + "this is not JSON, at byte 1: ",
		`{"member":[{"id":"a"}`:  want + "this is not JSON, at byte 21: ",
		posted(good("")) + "{}":  want + "this is not JSON, at byte ",
		`[]`:                     want + "got a list",
		`null`:                   want + "got null",
		`{"member":{}}`:          "member: expected a list of assets, got an object",
		`{"member":"x"}`:         "member: expected a list of assets, got a text",
		strings.Repeat("[", 1e5): want + "this is not JSON, at byte ",
	} {
		wantProblems(t, body, four, reason)
	}
	wantProblems(t, `{"member":[`+good("")+`],"member":[]}`, four, "member: is given twice")
	wantProblems(t, "\uFEFF"+posted(good(""))+"\n", four)
}

// What clients send back of what they were given is passed over.
func TestPassedOver(t *testing.T) {
	body := `{"@context":"x","@type":"Collection","totalItems":1,"pageSize":[],"member":[` +
		good(`"@id":"https://x","@type":"vocab:Image","@context":5,"imageService":"s","ingesting":true,"error":"","error":"x"`) + `]}`
	wantProblems(t, body, four)
}

// A member in JSON has what was given and nothing else: what is left out, or null, is kept
// by an asset that is there already.
func TestMemberJSON(t *testing.T) {
	for sent, want := range map[string]string{
		`"string1":null,"tags":null,"family":null`: `{"id":"a","space":1,"origin":"o","mediaType":"image/jpeg"}`,
		`"string1":"","tags":[],"manifests":[]`:    `{"id":"a","space":1,"origin":"o","mediaType":"image/jpeg","string1":"","tags":[],"manifests":[]}`,
		`"family":"T","string2":"ä😀\ud83d\ude00","string3":"\\ud800","number1":-9223372036854775808,"number2":0,"number3":9223372036854775807,"roles":["r"],"tags":["a,b",""],"maxUnauthorised":-1,"deliveryChannels":[{"channel":"file"}]`: `{"id":"a","space":1,"origin":"o","mediaType":"image/jpeg","family":"T","string2":"ä😀😀","string3":"\\ud800","number1":-9223372036854775808,"number2":0,"number3":9223372036854775807,"tags":["a,b",""],"roles":["r"],"maxUnauthorised":-1,"deliveryChannels":[{"channel":"file"}]}`,
	} {
		posting, problems := ParseMembers([]byte(posted(with(sent))), four)
		if problems != nil {
			t.Fatal(sent, problems)
		}
		got, err := json.Marshal(posting.Members[0])
		if err != nil || string(got) != want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
}

func TestPostingRetention(t *testing.T) {
	posting, problems := ParseMembers([]byte(`{"retention":{"completed":"30d"},"member":[`+good("")+`]}`), four)
	if problems != nil || posting.Retention == nil || posting.Retention.Completed != 30*day {
		t.Error(problems, posting.Retention)
	}
	posting, problems = ParseMembers([]byte(`{"retention":null,"member":[`+good("")+`]}`), four)
	if problems != nil || posting.Retention != nil {
		t.Error(problems, posting.Retention)
	}
	wantProblems(t, `{"retention":5,"member":[`+good("")+`]}`, four, "retention: expected an object such as")
}

// FuzzMembers: nothing makes it panic, and what is accepted keeps to the rules.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		posted(good(`"tags":["a"],"deliveryChannels":[{"channel":"x"}]`)), `{"member":[{"id":"\ud800","space":1e3,"family":[]},null]}`,
		`{"member":[],"retention":{"completed":"1d1h","keepLast":-1}}`, `{"member":`, posted(good(""), good("")), "\uFEFF{}", `{"member":[{"id":"\u0000"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		posting, problems := ParseMembers(body, four)
		accepted(t, body, posting, problems)
	})
}

// accepted checks what holds for any posting and its problems.
func accepted(t *testing.T, body []byte, posting Posting, problems problem.List) {
	t.Helper()
	n := len(posting.Members)
	if n == 0 && len(problems) == 0 || n > four.Most {
		t.Fatalf("%q: %d members, %v", body, n, problems)
	}
	if len(problems) > 0 {
		return // the members are there for what else is to be told about them
	}
	for _, m := range posting.Members {
		if m.ID == "" || m.Space < 1 || m.Origin == "" || m.MediaType == "" || strings.ContainsFunc(m.ID, restricted) {
			t.Fatalf("%q: %+v", body, m)
		}
	}
	// What was accepted is accepted again, and the same.
	sent, err := json.Marshal(map[string]any{"member": posting.Members, "retention": posting.Retention})
	if err != nil || strings.Contains(string(sent), `\u0000`) && !strings.Contains(string(sent), `\\u0000`) {
		t.Fatalf("%q: %s %v", body, sent, err)
	}
	again, problems := ParseMembers(sent, four)
	if diff := cmp.Diff(posting, again); problems != nil || diff != "" {
		t.Fatalf("%q: %v %s", body, problems, diff)
	}
}
