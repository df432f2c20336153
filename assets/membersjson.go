package assets

import (
	"encoding/json"
	"fmt"
	"strings"

	"slashbatch/internal/problem"
)

// ParseMembers reads a posting: a JSON object, as of a hydra collection, whose "member" is the
// list of members; it may have a "retention". All else in it and in members is passed over,
// since clients send back what they were given. Every problem of every member is told; members
// behind the most that there may be are only counted. With problems there is no posting.
func ParseMembers(body []byte, rules Rules) (Posting, problem.List) {
	c := collection{rules: rules}
	whole, err := jsonObject(body)
	if err != nil {
		c.problems.Add("", "expected a JSON object with a list of assets as its member: %v", err)
		return Posting{}, c.problems
	}
	for name, value := range properties(whole, known("member", "retention"), twice(&c.problems, "")) {
		switch {
		case name == "retention":
			var problems problem.List
			c.posting.Retention, problems = ParseRetention(value, name)
			c.problems = append(c.problems, problems...)
		case jsonKind(value) == "a list":
			for i, element := range elements(value) {
				if c.wants() {
					c.read(i, element)
				}
			}
		case jsonKind(value) != "null":
			c.problems.Add(name, "expected a list of assets, got %s", jsonKind(value))
			return Posting{}, c.problems
		}
	}
	return c.end()
}

// read reads one member.
func (c *collection) read(i int, element json.RawMessage) {
	place := fmt.Sprintf("member[%d]", i)
	if kind := jsonKind(element); kind != "an object" {
		c.problems.Add(place, "expected an object, got %s", kind)
		return
	}
	d := &draft{problems: &c.problems, place: place, prefix: place + "."}
	for name, value := range properties(element, memberProperty, twice(&c.problems, d.prefix)) {
		if jsonKind(value) != "null" { // which is the same as leaving it out
			d.readJSON(name, value)
		}
	}
	c.add(d)
}

// memberProperty reports whether a property of a member means anything.
func memberProperty(name string) bool {
	switch name {
	case "id", "space", "origin", "mediaType", "family", "maxUnauthorised", "deliveryChannels",
		"string1", "string2", "string3", "number1", "number2", "number3", "tags", "roles", "manifests",
		"width", "height", "duration", "batch", "finished", "created", "imageOptimisationPolicy", "thumbnailPolicy":
		return true
	}
	return false
}

// readJSON takes one property.
func (d *draft) readJSON(name string, value json.RawMessage) {
	switch {
	case d.readForbidden(name):
	case name == "deliveryChannels":
		d.readChannels(value)
	case d.listProperty(name) != nil:
		*d.listProperty(name) = d.readList(name, value)
	case d.requiredProperty(name) != nil || d.textProperty(name) != nil:
		text, reason := jsonText(value)
		switch required := d.requiredProperty(name); {
		case reason != "":
			d.wrong(name, "%s", reason)
		case required != nil:
			*required = text
		default:
			*d.textProperty(name) = &text
		}
	case jsonKind(value) == "a number":
		d.readNumber(name, string(value))
	default:
		d.wrong(name, "expected a whole number, got %s", jsonKind(value))
	}
}

// readList reads a list of texts; the first element that is none is told.
func (d *draft) readList(name string, value json.RawMessage) []string {
	if kind := jsonKind(value); kind != "a list" {
		d.wrong(name, "expected a list of texts, got %s", kind)
		return nil
	}
	list := []string{}
	for i, element := range elements(value) {
		text, reason := jsonText(element)
		if reason != "" {
			d.wrong(name, "element %d: %s", i, reason)
			return nil
		}
		list = append(list, text)
	}
	return list
}

// deliveryChannel is what is kept of one.
type deliveryChannel struct {
	Channel string `json:"channel"`
	Policy  string `json:"policy,omitempty"`
}

// readChannels reads a list of delivery channels; the first that is none is told.
func (d *draft) readChannels(value json.RawMessage) {
	if kind := jsonKind(value); kind != "a list" {
		d.wrong("deliveryChannels", `expected a list such as [{"channel": "iiif-img"}], got %s`, kind)
		return
	}
	channels := []deliveryChannel{}
	for i, element := range elements(value) {
		channel, reason := readChannel(element)
		if reason != "" {
			d.wrong("deliveryChannels", "element %d: %s", i, reason)
			return
		}
		channels = append(channels, channel)
	}
	d.setChannels(channels)
}

func (d *draft) setChannels(channels []deliveryChannel) {
	for _, c := range channels {
		d.channels = append(d.channels, c.Channel)
	}
	encoded, err := json.Marshal(channels)
	if err != nil {
		panic(err) // texts, which JSON has
	}
	d.DeliveryChannels = encoded
}

func readChannel(element json.RawMessage) (c deliveryChannel, reason string) {
	if kind := jsonKind(element); kind != "an object" {
		return c, `expected an object such as {"channel": "iiif-img", "policy": "default"}, got ` + kind
	}
	var again problem.List
	for name, value := range properties(element, known("channel", "policy"), twice(&again, "")) {
		text, wrong := jsonText(value)
		switch {
		case name == "policy" && jsonKind(value) == "null":
		case wrong != "":
			return c, name + ": " + wrong
		case name == "channel":
			c.Channel = text
		default:
			c.Policy = text
		}
	}
	switch {
	case len(again) > 0:
		return c, again[0].String()
	case strings.TrimSpace(c.Channel) == "":
		return c, "has no channel: expected its name, such as iiif-img"
	}
	return c, ""
}
