package blackbox

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
)

// wantRefused checks that a batch is refused for these reasons, and nothing of it is stored.
func (o *owner) wantRefused(queue string, body any, reasons ...string) {
	o.t.Helper()
	o.post(queue, body).wantHydra(o.t, http.StatusBadRequest, reasons...)
	o.wantNothing()
}

// wantNothing checks that the customer has no batch and no asset.
func (o *owner) wantNothing() {
	o.t.Helper()
	o.wantBatches("/queue/batches")
	if n := o.value("SELECT count(*) FROM slashbatch.asset WHERE customer = %d", o.id); n != "0" {
		o.t.Errorf("%s assets were stored, want none", n)
	}
}

// changed is a member with one property more, or another one; nil takes it away.
func changed(m member, name string, value any) member {
	m[name] = value
	if value == nil {
		delete(m, name)
	}
	return m
}

func TestAssetBatchChecks(t *testing.T) {
	t.Parallel()
	s := startAssets(t, map[string]any{"assets.maxMembers": 4})
	// fresh is a customer with three spaces, 1 to 3.
	fresh := func(t *testing.T) *owner {
		o := s.newOwner(t)
		for i := 1; i <= 3; i++ {
			if got := o.space(fmt.Sprint("space-", i)); got != i {
				t.Fatalf("space %d has the number %d", i, got)
			}
		}
		return o
	}
	one := func() member { return image(1, "one") }

	t.Run("P-039 NoMembers", func(t *testing.T) {
		fresh(t).wantRefused("/queue", `{"@type": "Collection"}`, "Members cannot be empty")
		fresh(t).wantRefused("/queue", `{"@type": "Collection", "member": null}`, "Members cannot be empty")
	})
	t.Run("P-040 EmptyMembers", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(), "Members cannot be empty")
	})
	t.Run("P-041 TooManyMembers", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(image(1, "a"), image(1, "b"), image(1, "c"), image(1, "d"), image(1, "e")), "Maximum assets in single batch is 4")
	})
	t.Run("P-042 AsManyAsAllowed", func(t *testing.T) {
		if b := fresh(t).ingest(image(1, "a"), image(1, "b"), image(1, "c"), image(1, "d")); b.Count != 4 {
			t.Errorf("count %d, want 4", b.Count)
		}
	})
	t.Run("P-043 Duplicate", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(image(2, "foo"), image(2, "bar"), image(2, "foo"), image(3, "foo")), "Members contains 1 duplicate Id(s): Id:foo,Space:2")
	})
	t.Run("P-044 SameIDInTwoSpaces", func(t *testing.T) {
		if b := fresh(t).ingest(image(1, "foo"), image(1, "bar"), image(2, "foo")); b.Count != 3 {
			t.Errorf("count %d, want 3", b.Count)
		}
	})
	t.Run("P-045 BlankID", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(image(1, " ")), "Asset Id cannot be empty")
		// Without an id it gets one.
		fresh(t).ingest(image(1, ""), changed(one(), "id", nil))
		fresh(t).post("/queue", `{"member": [{"id": null, "space": 1, "origin": "https://example.org/x", "mediaType": "image/jpeg"}]}`).wantCode(t, http.StatusCreated)
	})
	t.Run("P-046 NoSpace", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(image(0, "one")), "Space cannot be empty")
		fresh(t).wantRefused("/queue", members(changed(one(), "space", nil)), "Space cannot be empty")
	})
	t.Run("P-047 NoMediaType", func(t *testing.T) {
		for _, value := range []any{nil, "", " "} {
			fresh(t).wantRefused("/queue", members(changed(one(), "mediaType", value)), "Media type must be specified")
		}
	})
	for line, c := range map[string]struct {
		name  string
		value any
	}{
		"P-048": {"batch", "10"}, "P-049": {"width", 10}, "P-050": {"height", 10}, "P-051": {"duration", 10},
		"P-052": {"finished", "2026-01-01T00:00:00Z"}, "P-053": {"created", "2026-01-01T00:00:00Z"},
	} {
		t.Run(line+" ShouldNotInclude "+c.name, func(t *testing.T) {
			fresh(t).wantRefused("/queue", members(image(1, "fine"), changed(one(), c.name, c.value)), "Should not include "+c.name)
		})
	}
	t.Run("P-055 ThumbnailPolicy", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(changed(one(), "thumbnailPolicy", "default")), "'thumbnailPolicy' is deprecated. Use 'deliveryChannels' instead")
	})
	t.Run("P-056 WithoutMediaType", func(t *testing.T) {
		fresh(t).wantRefused("/queue", `{"member": [{"id": "one", "origin": "https://example.org/vid.mp4", "space": 1}]}`, "Media type must be specified")
	})
	t.Run("P-057 WithoutOrigin", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(changed(one(), "origin", nil)), "Asset Origin must be supplied")
	})
	t.Run("P-058 UnknownSpace", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(one(), image(992, "two")), "The following space(s) could not be found: 992")
	})
	t.Run("P-059 RestrictedCharacters", func(t *testing.T) {
		for _, id := range []string{`some\id`, "some Id"} {
			fresh(t).wantRefused("/queue", members(image(1, id)), id)
		}
	})
	t.Run("P-060 DeprecatedPolicies", func(t *testing.T) {
		for _, family := range []string{"I", "T", "F"} {
			for _, policy := range []string{"thumbnailPolicy", "imageOptimisationPolicy"} {
				fresh(t).wantRefused("/queue", members(image(1, "one", "family", family, policy, "some-policy")), "'"+policy+"' is deprecated. Use 'deliveryChannels' instead")
			}
		}
	})
	t.Run("P-061 MintedIDs", func(t *testing.T) {
		o := fresh(t)
		b := o.ingest(changed(one(), "id", nil), image(1, ""), image(1, "someId", "family", "T", "mediaType", "video/mp4"))
		o.wantMinted(b, 3)
	})
	t.Run("P-068 UnknownSpaces", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(image(8, "a"), one(), image(7, "b"), image(8, "c")), "The following space(s) could not be found: 7, 8")
	})

	// All problems of all members at once.
	t.Run("AllProblems", func(t *testing.T) {
		fresh(t).wantRefused("/queue", members(changed(one(), "mediaType", nil), changed(image(1, "two"), "origin", nil), image(0, "three", "width", 7), image(99, "four")),
			"Media type must be specified", "Asset Origin must be supplied", "Space cannot be empty", "Should not include width", "could not be found: 99")
	})
	t.Run("NoJSON", func(t *testing.T) {
		for _, body := range []string{"", "{", "[]", "null", `"x"`, `{"member": {}}`, `{"member": [7]}`, `{"member": [null]}`, `{"member": [{"space": "x", "id": 7}]}`} {
			o := fresh(t)
			o.post("/queue", body).wantHydra(t, http.StatusBadRequest)
			o.wantNothing()
		}
	})
}

var uuidID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// wantMinted checks a batch of members of which all but "someId" got their ids here.
func (o *owner) wantMinted(b batch, count int) {
	o.t.Helper()
	given, minted := 0, 0
	for _, m := range o.wantTotal(at(b.ID, "/images"), count, count).Member {
		if m["batch"] != b.URL {
			o.t.Errorf("the batch of %v is %v, want %s", m["id"], m["batch"], b.URL)
		}
		if m["id"] == "someId" {
			given++
		} else if uuidID.MatchString(m["id"].(string)) {
			minted++
		}
	}
	if given != 1 || minted != count-1 {
		o.t.Errorf("%d ids given, %d minted; want 1 and %d", given, minted, count-1)
	}
}

func TestAssetBatchSize(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	t.Run("P-067 DefaultMaximum", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		var list []member
		for i := range 251 {
			list = append(list, image(1, fmt.Sprint("a", i)))
		}
		o.wantRefused("/queue", members(list...), "Maximum assets in single batch is 250")
		if b := o.ingest(list[:250]...); b.Count != 250 {
			t.Errorf("count %d, want 250", b.Count)
		}
	})
}
