package assets

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSlashInArgument(t *testing.T) {
	template, err := ParseTemplate("s1=p1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := template.Select([]string{"", "shelf/7"})
	if diff := cmp.Diff(anything.text(1, "shelf/7"), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestManyBatches(t *testing.T) {
	var ids []string
	var want []int64
	for i := range int64(5000) {
		ids, want = append(ids, fmt.Sprint(i+1)), append(want, i+1)
	}
	template, err := ParseTemplate("batch=p1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := template.Select([]string{strings.Join(ids, ",")})
	if diff := cmp.Diff(anything.batches(want...), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// A selection is the caller's: changing it does not change the template.
func TestSelectionIsACopy(t *testing.T) {
	template, err := ParseTemplate("batch=1,2&manifest=a&assetOrder=n1")
	if err != nil {
		t.Fatal(err)
	}
	want := anything.batches(1, 2).manifests("a").order(ascending("number1"))
	got, _ := template.Select(nil)
	got.Batches[0], got.Manifests[0], got.Order[0] = 9, "z", descending("string3")
	if again, _ := template.Select(nil); !cmp.Equal(want, again) {
		t.Error(cmp.Diff(want, again))
	}
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		return template.Digest()
	}
	same := [][]string{
		{"batch=p1&s1=x", `s1="x"&batch=p1&coverpage=y`, "s1=y&batch=p1&s1='x'", "s1=x&batch=p01&n3="},
		{"assetOrder=n1;s2 desc&n1=5", "n1=+5&canvas=n1 asc;s2+DESC;n1"},
		{"test", "n1=", "#="},
		{"batch=1,2", "batch=,1,2,1"},
		{"batch=p2&s1=x"},
		{"batch=p1&s2=x"},
		{"batch=p1&s1=X"},
		{"batch=1&s1=x"},
		{"s1=p1&#=x"},
		{"s1=p1"},
		{"s1='p1'"},
		{"assetOrder=s2 desc;n1&n1=5"},
		{"assetOrder=n1;s2&n1=5"},
		{"n1=5"},
		{"s1=5"},
		{"manifest=1,2"},
		{"#=1,2"},
		{"#=1&#=2"},
		{"#=2&#=1"},
	}
	seen := map[string]string{}
	for _, texts := range same {
		want := digest(texts[0])
		if len(want) != 64 {
			t.Errorf("%q has the digest %s", texts[0], want)
		}
		if other, ok := seen[want]; ok {
			t.Errorf("%q and %q mean the same", texts[0], other)
		}
		seen[want] = texts[0]
		for _, text := range texts {
			if digest(text) != want {
				t.Errorf("%q does not mean what %q does", text, texts[0])
			}
		}
	}
}

// FuzzTemplate: nothing makes it panic, what is saved selects what its arguments say, and
// never all assets for want of batches.
func FuzzTemplate(f *testing.F) {
	for _, seed := range [][2]string{
		{"batch=p1", "10,20"},
		{"s1=p1&batch=p2", "x"},
		{"batch=p1&#=,", ","},
		{"batch='1'&space=p1x", ""},
		{"canvas=n2&s1=p1&n1=p2&batch=p3&manifest=p4&space=p5&#=1", "string-1/40/10,20,30/foo,bar"},
		{"=&&#=&p=p\"&s1='", "\x00/\xff"},
		{"assetOrder=n1;s2 desc;s3+asc", "a//b"},
		{"spacename=p100&n1=p 1", " +5 "},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, arguments string) {
		template, err := ParseTemplate(text)
		if err != nil {
			var refused *TemplateError
			if !errors.As(err, &refused) || len(refused.Problems) == 0 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := ParseTemplate(text); err != nil || again.Digest() != template.Digest() {
			t.Fatalf("%q has two digests: %v", text, err)
		}
		s, err := template.Select(strings.Split(arguments, "/"))
		if err != nil {
			var refused *ArgumentError
			if !errors.As(err, &refused) || refused.Reason == "" || !cmp.Equal(s, anything) {
				t.Fatalf("%q with %q: %v and %v", text, arguments, err, s)
			}
			return
		}
		_, asked := template.operands[fieldBatch]
		if asked != (len(s.Batches) > 0) || s.Batches != nil != asked {
			t.Fatalf("%q with %q selects the batches %v", text, arguments, s.Batches)
		}
		if s.Manifests != nil && len(s.Manifests) == 0 || s.Space != nil && s.SpaceName != nil {
			t.Fatalf("%q with %q selects %+v", text, arguments, s)
		}
	})
}
