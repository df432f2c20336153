package assets

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func wantCSVProblems(t *testing.T, body string, rules Rules, want ...string) {
	t.Helper()
	_, problems := ParseMembersCSV([]byte(body), rules)
	checkProblems(t, body, problems, want)
}

func TestCSV(t *testing.T) {
	body := "\uFEFF" + `id,space,origin,mediaType,family,string1,number1,tags,manifests,roles,maxUnauthorised,deliveryChannels` + "\r\n" +
		`one,1,"https://x/""1"",a",image/jpeg,I,"two` + "\n" + `lines",-5,"a,b","m1,,m2",,-1,"iiif-img, thumbs"` + "\r\n" +
		"\n" +
		`two, 2 ,o,video/mp4,,,,"[""a,b"",""c""]",",","[x],[y]",,"[{""channel"":""file"",""policy"":""p""}]"`
	posting, problems := ParseMembersCSV([]byte(body), four)
	if problems != nil {
		t.Fatal(problems)
	}
	inJSON, problems := ParseMembers([]byte(posted(
		`{"id":"one","space":1,"origin":"https://x/\"1\",a","mediaType":"image/jpeg","family":"I","string1":"two\nlines","number1":-5,"tags":["a","b"],"manifests":["m1","m2"],"maxUnauthorised":-1,"deliveryChannels":[{"channel":"iiif-img"},{"channel":"thumbs"}]}`,
		`{"id":"two","space":2,"origin":"o","mediaType":"video/mp4","tags":["a,b","c"],"manifests":[],"roles":["[x]","[y]"],"deliveryChannels":[{"channel":"file","policy":"p"}]}`,
	)), four)
	if diff := cmp.Diff(inJSON, posting); problems != nil || diff != "" {
		t.Error(problems, diff)
	}
}

func TestCSVColumns(t *testing.T) {
	wantCSVProblems(t, "id,space,colour,id,origin\na,1", four,
		"line 1: column 3: there is no column 'colour'; known, separated by commas: id, space, origin, mediaType, family,", "line 1: column 4: 'id' is there twice")
	wantCSVProblems(t, "id;space;origin;mediaType\na;1;o;x", four, "line 1: column 1: there is no column 'id;space;origin;mediaType'; known, separated by commas")
	wantCSVProblems(t, "ID,space,,member", four, "line 1: column 1: there is no column 'ID'", "line 1: column 3: there is no column ''", "line 1: column 4: there is no column 'member'")
}

func TestCSVProblems(t *testing.T) {
	wantCSVProblems(t, "", four, "member: Members cannot be empty")
	wantCSVProblems(t, "id,space,origin,mediaType\n", four, "member: Members cannot be empty")
	wantCSVProblems(t, "id,space,origin,mediaType\n,,,\n\n\"a\nb\",x,o,x\n"+`some\id,1,o,x`+"\na,1\n a,0, ,y\n", Rules{},
		"line 2: mediaType: Media type must be specified", "line 2: space: Space cannot be empty", "line 2: origin: Asset Origin must be supplied.",
		"line 4: space: expected a whole number of 32 bits", `line 4: id: Asset Id contains '\n'`,
		`line 6: id: Asset Id contains '\\'`, "line 7: expected 4 values, as many as there are columns",
		"line 8: id: Asset Id contains ' '", "line 8: space: Space cannot be empty", "line 8: origin: Asset Origin must be supplied.",
	)
	wantCSVProblems(t, "id,space,origin,mediaType\na,1,o,x\nb,2,o,x\na,1,o,x\n", four, "member: Members contains 1 duplicate Id(s): Id:a,Space:1")
	wantCSVProblems(t, "id,space,origin,mediaType\na,1,o,x\nb,2,\"o,x\nc,3,o,x", four, `line 3: cannot be read, and so cannot what follows: extraneous or missing " in quoted-field in line 4, column`)
	wantCSVProblems(t, "id,space,origin,mediaType\na,1,o\",x\nc,3,o,x", four, `line 2: cannot be read, and so cannot what follows: bare " in non-quoted-field in line 2, column`)
	wantCSVProblems(t, "id,\"space\na,1", four, `line 1: expected the names of columns, separated by commas: extraneous or missing " in quoted-field`)
	wantCSVProblems(t, "id,space,origin,mediaType,width,batch,created,thumbnailPolicy,number1,string1,tags,deliveryChannels\na,1,o,x,1,2,3,4,1e3,\xff,a\x00,\",\"", four,
		"line 2: string1: is not valid UTF-8", "line 2: number1: expected a whole number of 64 bits, written without a point or an exponent, got 1e3", "line 2: tags: has a NUL",
		"line 2: width: Should not include width", "line 2: batch: Should not include batch", "line 2: created: Should not include created",
		"line 2: thumbnailPolicy: 'thumbnailPolicy' is deprecated. Use 'deliveryChannels' instead.", "line 2: deliveryChannels: 'deliveryChannels' cannot be an empty array")
	wantCSVProblems(t, "space,origin,mediaType\n1,o,video/mp4\n", Rules{Priority: true}, "line 2: Priority queue only supports image assets")
}

// Lines behind the most are only counted, whatever is in them.
func TestCSVMost(t *testing.T) {
	header := "space,origin,mediaType\n"
	wantCSVProblems(t, header+strings.Repeat("1,o,x\n", 4), four)
	wantCSVProblems(t, header+strings.Repeat("1,o,x\n", 4)+"0,,\n1,2,3,4\n", four, "member: Maximum assets in single batch is 4")
}

func TestCSVMinted(t *testing.T) {
	posting, problems := ParseMembersCSV([]byte("id,space,origin,mediaType\n,1,o,x\n,1,o,x\n"), four)
	if problems != nil || len(posting.Members) != 2 || len(posting.Members[0].ID) != 36 || posting.Members[0].ID == posting.Members[1].ID {
		t.Error(problems, posting)
	}
}

// FuzzMembersCSV: nothing makes it panic, and what is accepted would be accepted as JSON.
func FuzzMembersCSV(f *testing.F) {
	for _, seed := range []string{
		"id,space,origin,mediaType,tags,deliveryChannels\na,1,o,image/jpeg,\"a,b\",thumbs\n", "\uFEFFid\n\"", "space, origin ,mediaType,roles\n1,o,x,\"[\"\"a\"\"]\"\n1,2\n",
		"id,id\n", "\u200bid,space,origin,mediaType\na,1,o,x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		posting, problems := ParseMembersCSV(body, four)
		accepted(t, body, posting, problems)
	})
}
