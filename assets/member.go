package assets

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"slashbatch/internal/problem"
)

// Member is one asset of a batch as a customer posted it, checked. Its JSON has the names that
// the customer uses. What was left out is nil and not in it, which is not the same as an empty
// text or list: an asset that is there already keeps what is left out.
type Member struct {
	// ID is the last part of the asset's id; a new UUID if none was given.
	ID string `json:"id"`
	// Space is the number of the space, 1 or more.
	Space int `json:"space"`
	// Origin says where the asset comes from; it is not looked at.
	Origin    string `json:"origin"`
	MediaType string `json:"mediaType"`
	// Family is I, T or F: image, timebased, file.
	Family  *string `json:"family,omitzero"`
	String1 *string `json:"string1,omitzero"`
	String2 *string `json:"string2,omitzero"`
	String3 *string `json:"string3,omitzero"`
	Number1 *int64  `json:"number1,omitzero"`
	Number2 *int64  `json:"number2,omitzero"`
	Number3 *int64  `json:"number3,omitzero"`

	Tags      []string `json:"tags,omitzero"`
	Roles     []string `json:"roles,omitzero"`
	Manifests []string `json:"manifests,omitzero"`
	// MaxUnauthorised is a length in pixels, or -1.
	MaxUnauthorised *int32 `json:"maxUnauthorised,omitzero"`
	// DeliveryChannels is a list, not empty, of objects with "channel" and perhaps "policy".
	DeliveryChannels json.RawMessage `json:"deliveryChannels,omitzero"`
}

// mostTagBytes is how long a text may be that assets are found by: an entry of an index has a
// third of a page at most.
const mostTagBytes = 2000

// mostIDCharacters is how long the id of an asset, customer/space/key, may be.
const mostIDCharacters = 500

// Properties of members that only the service sets, and older ones that have gone.
var (
	ownProperties        = []string{"width", "height", "duration", "batch", "finished", "created"}
	deprecatedProperties = []string{"imageOptimisationPolicy", "thumbnailPolicy"}
)

// draft is a member that is being read.
type draft struct {
	Member
	problems *problem.List
	// place is where the whole member stands, prefix what comes before a property's name.
	place, prefix string
	// misread are the properties about which a problem was told already.
	misread []string
	// channels are the names of the delivery channels.
	channels []string
}

// wrong tells a problem of a property.
func (d *draft) wrong(property, format string, args ...any) {
	d.misread = append(d.misread, property)
	d.problems.Add(d.prefix+property, format, args...)
}

// textProperty is where a property that is a text is kept, or nil.
func (d *draft) textProperty(name string) **string {
	switch name {
	case "family":
		return &d.Family
	case "string1":
		return &d.String1
	case "string2":
		return &d.String2
	case "string3":
		return &d.String3
	}
	return nil
}

// requiredProperty is where a text is kept that every member has in the end, or nil.
func (d *draft) requiredProperty(name string) *string {
	switch name {
	case "id":
		return &d.ID
	case "origin":
		return &d.Origin
	case "mediaType":
		return &d.MediaType
	}
	return nil
}

// listProperty is where a property that is a list of texts is kept, or nil.
func (d *draft) listProperty(name string) *[]string {
	switch name {
	case "tags":
		return &d.Tags
	case "roles":
		return &d.Roles
	case "manifests":
		return &d.Manifests
	}
	return nil
}

// readNumber takes a number as it was written, and reports whether name is the name of one.
func (d *draft) readNumber(name, written string) bool {
	bits := 64
	switch name {
	case "number1", "number2", "number3":
	case "space", "maxUnauthorised":
		bits = 32
	default:
		return false
	}
	n, reason := wholeNumber(written, bits)
	if reason != "" {
		d.wrong(name, "%s", reason)
		return true
	}
	switch name {
	case "number1":
		d.Number1 = &n
	case "number2":
		d.Number2 = &n
	case "number3":
		d.Number3 = &n
	case "space":
		d.Space = int(n)
	case "maxUnauthorised":
		short := int32(n)
		d.MaxUnauthorised = &short
	}
	return true
}

// wholeNumber reads a number, or says what is wrong with it.
func wholeNumber(written string, bits int) (n int64, reason string) {
	n, err := strconv.ParseInt(written, 10, bits)
	if err == nil {
		return n, ""
	}
	reason = fmt.Sprintf("expected a whole number of %d bits, written without a point or an exponent, got %s", bits, briefly(written))
	return 0, reason
}

// readForbidden tells of a property that members must not have, and reports whether name
// is the name of one.
func (d *draft) readForbidden(name string) bool {
	switch {
	case slices.Contains(ownProperties, name):
		d.wrong(name, "Should not include %s", name)
	case slices.Contains(deprecatedProperties, name):
		d.wrong(name, "'%s' is deprecated. Use 'deliveryChannels' instead.", name)
	default:
		return false
	}
	return true
}

// check mints an id if there is none and tells everything that is wrong with the member, but
// for what reading it told.
func (d *draft) check(rules Rules) {
	if d.ID == "" && !d.isMisread("id") {
		d.ID = uuid.NewString()
	}
	if strings.TrimSpace(d.MediaType) == "" && !d.isMisread("mediaType") {
		d.wrong("mediaType", "Media type must be specified")
	}
	d.checkID(rules)
	if !d.isMisread("space") && d.Space == 0 {
		d.wrong("space", "Space cannot be empty")
	} else if d.Space < 0 {
		d.wrong("space", "there is no space %d: expected 1 or more", d.Space)
	}
	if strings.TrimSpace(d.Origin) == "" && !d.isMisread("origin") {
		d.wrong("origin", "Asset Origin must be supplied.")
	}
	for i, text := range []*string{d.String1, d.String2, d.String3} {
		if text != nil && len(*text) > mostTagBytes {
			d.wrong(fmt.Sprintf("string%d", i+1), "is longer than %d bytes, which cannot be indexed", mostTagBytes)
		}
	}
	if slices.ContainsFunc(d.Manifests, func(name string) bool { return len(name) > mostTagBytes }) {
		d.wrong("manifests", "has a name longer than %d bytes, which cannot be indexed", mostTagBytes)
	}
	if d.Family != nil && *d.Family != "I" && *d.Family != "T" && *d.Family != "F" {
		d.wrong("family", "expected I (image), T (timebased) or F (file), got %s", brief(*d.Family))
	}
	if d.DeliveryChannels != nil && len(d.channels) == 0 {
		d.wrong("deliveryChannels", "'deliveryChannels' cannot be an empty array")
	}
	if rules.Priority && !d.image() {
		d.problems.Add(d.place, "Priority queue only supports image assets")
	}
}

func (d *draft) isMisread(property string) bool { return slices.Contains(d.misread, property) }

func (d *draft) checkID(rules Rules) {
	if d.isMisread("id") {
		return
	}
	if strings.TrimSpace(d.ID) == "" {
		d.wrong("id", "Asset Id cannot be empty")
		return
	}
	if at := strings.IndexFunc(d.ID, restricted); at >= 0 {
		r, _ := utf8.DecodeRuneInString(d.ID[at:])
		d.wrong("id", "Asset Id contains %q: expected no backslashes, blanks or control characters in %s", r, brief(d.ID))
	}
	if d.ID == "." || d.ID == ".." {
		d.wrong("id", "Asset Id cannot be %s: in a path it would lead elsewhere", d.ID)
	}
	if d.ID == rules.Facade && d.ID != "" {
		d.wrong("id", "Asset Id cannot be %s: a path that ends so is an export's", d.ID)
	}
	whole := len(fmt.Sprintf("%d/%d/", rules.Customer, d.Space)) + utf8.RuneCountInString(d.ID)
	if whole > mostIDCharacters {
		d.wrong("id", "Asset Id is too long: with customer and space it has %d characters, and may have %d", whole, mostIDCharacters)
	}
}

func restricted(r rune) bool { return r == '\\' || unicode.IsSpace(r) || unicode.IsControl(r) }

// image reports whether a member is an image by any of the three signs of one. One whose
// signs could not be read is given the benefit of the doubt.
func (d *draft) image() bool {
	return d.Family != nil && *d.Family == "I" ||
		strings.HasPrefix(strings.ToLower(d.MediaType), "image/") ||
		slices.Contains(d.channels, "iiif-img") || slices.Contains(d.channels, "thumbs") ||
		d.isMisread("mediaType") || d.isMisread("family") || d.isMisread("deliveryChannels")
}
