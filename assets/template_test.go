package assets

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// templateCase is a template with arguments, and what it selects or what is wrong, the
// beginning of it.
type templateCase struct {
	name, template, arguments string
	want                      Selection
	// refused when it is saved, or when it is run.
	save, run string
}

func (c templateCase) check(t *testing.T) {
	t.Helper()
	template, err := ParseTemplate(c.template)
	if c.save != "" {
		var refused *TemplateError
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), c.save) {
			t.Fatalf("%q is saved with %v, want %s", c.template, err, c.save)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q cannot be saved: %v", c.template, err)
	}
	var arguments []string
	if c.arguments != "" {
		arguments = strings.Split(c.arguments, "/")
	}
	got, err := template.Select(arguments)
	if c.run != "" {
		var refused *ArgumentError
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), c.run) {
			t.Fatalf("%q with %q: %v, want %s", c.template, c.arguments, err, c.run)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q with %q: %v", c.template, c.arguments, err)
	}
	if diff := cmp.Diff(c.want, got); diff != "" {
		t.Errorf("%q with %q (-want +got):\n%s", c.template, c.arguments, diff)
	}
}

func checkTemplates(t *testing.T, cases []templateCase) {
	t.Helper()
	for i, c := range cases {
		t.Run(fmt.Sprintf("%d %s", i, c.name), c.check)
	}
}

const (
	noArgument  = "Named query must have at least 1 argument"
	notParsed   = "Could not parse template element parameter '"
	noTemplate  = "A template is required"
	notNumber   = "'not-an-int' is not a number"
	wouldBeAll  = "would select every asset"
	stringOne   = "string-1"
	missingPart = "is missing: it says which batches, and without them the query " + wouldBeAll
)

func (s Selection) space(n int64) Selection         { s.Space = &n; return s }
func (s Selection) spaceName(v string) Selection    { s.SpaceName = &v; return s }
func (s Selection) text(i int, v string) Selection  { s.Strings[i-1] = &v; return s }
func (s Selection) number(i int, n int64) Selection { s.Numbers[i-1] = &n; return s }
func (s Selection) batches(n ...int64) Selection    { s.Batches = n; return s }
func (s Selection) manifests(v ...string) Selection { s.Manifests = v; return s }
func (s Selection) order(terms ...Term) Selection   { s.Order = terms; return s }
func ascending(property string) Term                { return Term{Property: property} }
func descending(property string) Term               { return Term{Property: property, Descending: true} }

var anything Selection

func TestP139(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-139 nothing", save: noTemplate},
		{name: "P-139 a blank", template: " ", save: noTemplate},
		{name: "P-139 a line", template: "\n", save: noTemplate},
	})
}

func TestP140(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-140", template: "s1=p1&space=p2", run: noArgument},
		{name: "P-140 with literals", template: "s1=p1&space=2", run: noArgument},
		{name: "P-140 empty elements", template: "s1=p1", arguments: "///", run: noArgument},
		{name: "P-140 a batch", template: "batch=p1", run: noArgument},
	})
}

func TestP142(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-142 p1x", template: "space=p1x", arguments: "1", save: notParsed + "space=p1x'"},
		{name: "P-142 param", template: "space=param", arguments: "1", save: notParsed + "space=param'"},
		{name: "P-142 pa2", template: "space=p1&s1=pa2&#=1", save: notParsed + "s1=pa2'"},
		{name: "P-142 p0", template: "s1=p0", save: notParsed + "s1=p0'"},
		{name: "P-142 negative", template: "s1=p-1", save: notParsed + "s1=p-1'"},
		{name: "P-142 signed", template: "s1=p+1", save: notParsed + "s1=p+1'"},
		{name: "P-142 far", template: "s1=p101", save: notParsed + "s1=p101'"},
		{name: "P-142 64 bits", template: "s1=p18446744073709551617", save: notParsed},
		{name: "P-142 all of them", template: "s1=px&s2=py", save: notParsed + "s1=px': expected p and a number from 1 to 100; text that begins with a p is put in quotes. " + notParsed + "s2=py'"},
	})
}

func TestP143(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-143 n1", template: "n1=p1", arguments: "not-an-int", run: "Argument 1 (n1): " + notNumber},
		{name: "P-143 n1 appended", template: "n1=p1&#=not-an-int", run: "Argument 1 (n1): " + notNumber},
		{name: "P-143 batch", template: "batch=p1", arguments: "not-an-int", run: "Argument 1 (batch): " + notNumber},
		{name: "P-143 bars", template: "batch=p1", arguments: "1|2|3", run: "Argument 1 (batch): '1|2|3' is not a number"},
		{name: "P-143 batch appended", template: "batch=p1&#=not-an-int", run: "Argument 1 (batch): " + notNumber},
		{name: "P-143 one of many", template: "batch=p1", arguments: "1,x,3", run: "Argument 1 (batch): 'x' is not a number"},
		{name: "P-143 literal", template: "n1=not-an-int", save: "n1: " + notNumber},
		{name: "P-143 literal batch", template: "batch=1,not-an-int", save: "batch: " + notNumber},
		{name: "P-143 point", template: "n2=p1", arguments: "1.0", run: "Argument 1 (n2): '1.0' is not a number"},
	})
}

func TestP144(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-144 argument", template: "space=p1", arguments: "10", want: anything.space(10)},
		{name: "P-144 literal", template: "space=5", want: anything.space(5)},
		{name: "P-144 appended", template: "space=p1&#=10", want: anything.space(10)},
		{name: "P-144 32 bits", template: "space=p1", arguments: "2147483647", want: anything.space(2147483647)},
		{name: "P-144 more", template: "space=p1", arguments: "2147483648", run: "Argument 1 (space): there is no space 2147483648"},
		{name: "P-144 wrapped", template: "space=p1", arguments: "4294967297", run: "Argument 1 (space): there is no space 4294967297"},
		{name: "P-144 negative", template: "space=-1", save: "space: there is no space -1"},
		{name: "P-144 blanks and sign", template: "space=p1", arguments: " +10 ", want: anything.space(10)},
	})
}

func TestP145(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-145", template: "batch=p1&#=10", want: anything.batches(10)},
		{name: "P-145 literal", template: "batch=656721", want: anything.batches(656721)},
		{name: "P-145 blanks, signs, 64 bits, empty ones, again", template: "batch=p1", arguments: " 10 ,,+20,9223372036854775807,20,", want: anything.batches(10, 20, 9223372036854775807)},
		{name: "P-145 too large", template: "batch=p1", arguments: "9223372036854775808", run: "Argument 1 (batch): '9223372036854775808' has more than 64 bits"},
		{name: "P-145 negative", template: "batch=p1", arguments: "-1", run: "Argument 1 (batch): there is no batch -1"},
		{name: "P-145 zero", template: "batch=0", save: "batch: there is no batch 0"},
		{name: "P-145 quoted", template: "batch='10,20'", want: anything.batches(10, 20)},
	})
}

func TestP146(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-146", template: "manifest=p1&#=foo-bar", want: anything.manifests("foo-bar")},
		{name: "P-146 several", template: "manifest=p1", arguments: "foo,,bar", want: anything.manifests("foo", "bar")},
		{name: "P-146 commas", template: "manifest=p1", arguments: ",", run: "Argument 1 (manifest): expected names of manifests"},
		{name: "P-146 literal commas", template: "manifest=,,", save: "manifest: expected names of manifests"},
		{name: "P-146 missing", template: "s1=p1&manifest=p2", arguments: "x", want: anything.text(1, "x")},
	})
}

func TestP147(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-147", template: "spacename=p1", arguments: "10", want: anything.spaceName("10")},
		{name: "P-166 the number wins", template: "spacename=p1&space=p2", arguments: "maps/7", want: anything.space(7)},
		{name: "P-166 without it", template: "spacename=p1&space=p2", arguments: "maps", want: anything.spaceName("maps")},
	})
}

func TestP148(t *testing.T) {
	checkTemplates(t, []templateCase{
		{
			name: "P-148", template: "canvas=n2&s1=p1&n1=p2&space=p3&#=1", arguments: "string-1/40",
			want: anything.text(1, stringOne).number(1, 40).space(1).order(ascending("number2")),
		},
	})
}

func TestP149(t *testing.T) {
	checkTemplates(t, []templateCase{
		{
			name: "P-149", template: "sequence=n1&canvas=n2&s1=p1&n1=p2&space=p3&#=1", arguments: "string-1/40/10/100",
			want: anything.text(1, stringOne).number(1, 40).space(10).order(ascending("number2")),
		},
	})
}

func TestP151(t *testing.T) {
	checkTemplates(t, []templateCase{
		{
			name: "P-151", template: "canvas=n2&s1=p1&n1=p2&batch=p3&manifest=p4&space=p5&#=1", arguments: "string-1/40/10,20,30/foo,bar",
			want: anything.text(1, stringOne).number(1, 40).batches(10, 20, 30).manifests("foo", "bar").space(1).order(ascending("number2")),
		},
	})
}

func TestP152(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-152 batch", template: "batch=p1", arguments: "10,20,40", want: anything.batches(10, 20, 40)},
		{name: "P-152 manifest", template: "manifest=p1", arguments: "foo,bar", want: anything.manifests("foo", "bar")},
	})
}

// What only concerns a PDF is passed over.
func TestP153(t *testing.T) {
	all := anything.text(1, stringOne).number(1, 40)
	checkTemplates(t, []templateCase{
		{
			name: "P-153", template: "redactedmessage=you cannot view&canvas=s1&s1=p1&n1=p2&space=p3&#=1", arguments: "string-1/40",
			want: all.space(1).order(ascending("string1")),
		},
		{name: "P-154", template: "s1=p1&n1=p2&space=p3&#=1", arguments: "string-1/40/10/100", want: all.space(10)},
		{
			name: "P-155", template: "unknown=s1&&n3=&canvas=n2&=10&s1=p1&n1=p2&space=p3&#=1", arguments: "string-1/40",
			want: all.space(1).order(ascending("number2")),
		},
		{name: "P-156", template: "coverpage=https://{s3}&objectname={s3}_{n1}.pdf&n1=p1&s3=p2&#=foo", arguments: "10", want: anything.number(1, 10).text(3, "foo")},
		{name: "P-156 literal", template: "coverpage=https://{s3}&objectname={s3}_{n1}.pdf&n1=p1&s3=foo", arguments: "10", want: anything.number(1, 10).text(3, "foo")},
		{name: "P-156 only", template: "objectname={s3}_{n1}.pdf&s3=foo", want: anything.text(3, "foo")},
		{name: "P-158", template: "n1=p1&n2=p2&s1=p3&#=foo", arguments: "1/2/3/4", want: anything.number(1, 1).number(2, 2).text(1, "3")},
		{name: "P-158 appended", template: "n1=p1&n2=p2&s1=p3&#=foo", arguments: "1/2", want: anything.number(1, 1).number(2, 2).text(1, "foo")},
	})
}

func TestP157(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-157", template: "assetOrder=n2;s1 desc", want: anything.order(ascending("number2"), descending("string1"))},
		{name: "plus, asc, capitals, empty terms", template: "assetOrder=;n1;n2 DESC;s3+asc;", want: anything.order(ascending("number1"), descending("number2"), ascending("string3"))},
		{name: "a property again", template: "assetOrder=n1 desc;n1;n3", want: anything.order(descending("number1"), ascending("number3"))},
		{name: "the last one counts", template: "assetOrder=n1&canvas=s2 desc", want: anything.order(descending("string2"))},
		{name: "empty", template: "assetOrder=n1&assetOrder=", want: anything.order(ascending("number1"))},
		{name: "misspelt key", template: "assetOrdering=n1"},
		{name: "P-158 roles", template: "roles=clickthrough"},
		{name: "unknown field", template: "assetOrder=n4", save: "'n4' is no order"},
		{name: "unknown direction", template: "assetOrder=n1 up", save: "'n1 up' is no order"},
		{name: "too many words", template: "canvas=n1 desc asc", save: "'n1 desc asc' is no order"},
		{name: "all terms", template: "assetOrder=n1;x;s1 down;N2", save: "'x' is no order: expected s1, s2, s3, n1, n2 or n3, then nothing, or a blank and asc or desc. 's1 down' is no order: expected s1, s2, s3, n1, n2 or n3, then nothing, or a blank and asc or desc. 'N2' is no order"},
	})
}

// Without its batches a query would select everything.
func TestP160(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-160", template: "s1=p1&batch=p2", arguments: "x", run: "Argument 2 " + missingPart},
		{name: "P-160 commas", template: "batch=p1", arguments: ",", run: "Argument 1 (batch): expected numbers of batches"},
		{name: "P-160 more commas", template: "s1=p1&batch=p2", arguments: "x/,,,", run: "Argument 2 (batch): expected numbers of batches"},
		{name: "P-160 empty", template: "s1=p1&batch=p2", arguments: "x/", run: "Argument 2 " + missingPart},
		{name: "P-160 blank", template: "batch=p1", arguments: " ", run: "Argument 1 (batch): ' ' is not a number"},
		{name: "P-160 empty appended", template: "batch=p1&#=''", run: noArgument},
		{name: "P-160 commas appended", template: "batch=p1&#=,", run: "Argument 1 (batch): expected numbers of batches"},
		{name: "P-160 no value", template: "batch=", save: "batch has no value"},
		{name: "P-160 bare", template: "batch", save: "batch has no value"},
		{name: "P-160 literal commas", template: "batch=,", save: "batch: expected numbers of batches"},
		{name: "P-160 misspelt", template: "Batches=p1", save: "'Batches' is no field of a template"},
		{name: "P-160 encoded", template: "batch%3Dp1", save: "'batch%3Dp1' is no field of a template"},
		{name: "P-160 quoted nothing", template: `batch=""`, save: "batch has an empty value"},
		{name: "P-160 taken back", template: "batch=p1&batch=", save: "batch has no value"},
		{name: "P-160 capitals", template: "Batch=p1", save: "'Batch' is no field of a template: write batch"},
		{name: "P-160 blank before", template: " batch=p1", save: "' batch' is no field of a template: write batch"},
		{name: "P-160 others may be missing", template: "batch=p1&s1=p2&n1=p3&space=p4", arguments: "5", want: anything.batches(5)},
	})
}

func TestP162(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-162", template: "s1=paris", save: notParsed + "s1=paris': expected p and a number from 1 to 100; text that begins with a p is put in quotes"},
		{name: "P-162 quoted", template: `s1="paris"`, want: anything.text(1, "paris")},
		{name: "P-162 other quotes", template: `s1='p1'`, want: anything.text(1, "p1")},
		{name: "P-162 single p", template: "s1=p", want: anything.text(1, "p")},
		{name: "P-162 capital", template: "s1=Paris", want: anything.text(1, "Paris")},
		{name: "P-162 coverpage", template: "coverpage=https://x?a=b&s1=x", want: anything.text(1, "x")},
		{name: "P-162 a value with =", template: "s1=a=b==", want: anything.text(1, "a=b==")},
		{name: "P-162 appended with =", template: "s1=p1&#=a=b", want: anything.text(1, "a=b")},
		{name: "quotes within", template: `s1="a"b"`, want: anything.text(1, `a"b`)},
		{name: "a quote behind", template: `s1=a"`, want: anything.text(1, `a"`)},
		{name: "open quote", template: `s1="a&b"`, save: `s1 begins with a quote that is not closed: '"a'`},
		{name: "a quote alone", template: `s1="`, save: "s1 begins with a quote"},
		{name: "mixed quotes", template: `s1="a'`, save: "s1 begins with a quote"},
		{name: "quoted empty", template: `s2=""`, save: "s2 has an empty value"},
	})
}

func TestTemplates(t *testing.T) {
	checkTemplates(t, []templateCase{
		{name: "P-131", template: "test"},
		{name: "P-165 all tags", template: "s1=a&s2=b&s3=c&n1=1&n2=-2&n3=+3", want: anything.text(1, "a").text(2, "b").text(3, "c").number(1, 1).number(2, -2).number(3, 3)},
		{name: "the last one counts", template: "s1=a&s1=p1&s1=b", want: anything.text(1, "b")},
		{name: "capitals are other keys", template: "S1=a&N1=b"},
		{name: "a bare field", template: "s1&n1", arguments: "x"},
		{name: "64 bits", template: "n1=p1&n2=p2", arguments: "9223372036854775807/-9223372036854775808", want: anything.number(1, 9223372036854775807).number(2, -9223372036854775808)},
		{name: "more than 64 bits", template: "n1=p1", arguments: "9223372036854775808", run: "Argument 1 (n1): '9223372036854775808' has more than 64 bits"},
		{name: "empty elements", template: "s1=p1&s2=p2", arguments: "a//b", want: anything.text(1, "a").text(2, "b")},
		{name: "appended twice", template: "s1=p1&s2=p2&#=x&#=y", want: anything.text(1, "x").text(2, "y")},
		{name: "appended shifts", template: "s1=p1&s2=p2&#=x", arguments: "a/b", want: anything.text(1, "a").text(2, "b")},
		{name: "an argument twice", template: "s1=p1&s2=p1", arguments: "a", want: anything.text(1, "a").text(2, "a")},
		{name: "only the second", template: "s1=p2", arguments: "a/b", want: anything.text(1, "b")},
		{name: "leading zero", template: "s1=p01", arguments: "a", want: anything.text(1, "a")},
		{name: "an argument is no operand", template: "s1=p1&s2=p2", arguments: "p2/\"x\"", want: anything.text(1, "p2").text(2, `"x"`)},
		{name: "appended is no operand", template: "s1=p1&#=p9", want: anything.text(1, "p9")},
		{name: "NUL", template: "s1=p1", arguments: "a\x00", run: "Argument 1 (s1): 'a\x00' has a NUL character"},
		{name: "not UTF-8", template: "manifest=p1", arguments: "\xff", run: "Argument 1 (manifest): '\uFFFD' is not valid UTF-8"},
		{name: "template with NUL", template: "unknown=\x00", save: "The template has a NUL character"},
		{name: "template not UTF-8", template: "unknown=\xff", save: "The template is not valid UTF-8"},
		{name: "everything is told", template: "n1=x&batch=&assetOrder=q&s1=pp&space=-1", save: "n1: 'x' is not a number: expected a whole one such as 10. batch has no value: expected numbers of batches, or an argument such as p1, without which the query would select every asset. 'q' is no order: expected s1, s2, s3, n1, n2 or n3, then nothing, or a blank and asc or desc. Could not parse template element parameter 's1=pp': expected p and a number from 1 to 100; text that begins with a p is put in quotes. space: there is no space -1"},
	})
}
