package server

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"slashbatch/assets"
)

// assetRoute is an operation about assets that is no list's.
type assetRoute struct {
	method, path, tag, id, summary, about string
	// parameters are those beside the variables of the path.
	parameters []*oasParameter
	body       *oasBody
	// status and answer are those of a success; no answer: none has a body. What is made has
	// a Location.
	status int
	answer *oasSchema
	// mediaType of the answer, if it is not JSON.
	mediaType string
	// problems are the errors beside those that assetOperation knows of.
	problems []int
	// open: anybody may ask.
	open bool
}

// assetOperations are the routes of assetRoutes, by group.
func (b *oasBuilder) assetOperations() []assetRoute {
	const (
		customer = "/customers/{customer}"
		queue    = customer + "/queue"
		batch    = queue + "/batches/{batch}"
		image    = customer + "/spaces/{space}/images/{image}"
		named    = customer + "/namedQueries"

		get, post = http.MethodGet, http.MethodPost
		ok, made  = http.StatusOK, http.StatusCreated
		refused   = http.StatusBadRequest
		conflict  = http.StatusConflict
		forbidden = http.StatusForbidden
	)
	aCustomer, aSpace, anImage := b.memberOf(listCustomers), b.memberOf(listSpaces), b.memberOf(listImages)
	aBatch, aQuery, work := b.memberOf(listBatches), b.memberOf(listQueries), b.collection(b.memberOf(listWork))
	recorded, waiting := with(aBatch, refSchema("Recorded")), refSchema("CustomerQueue")
	text, least, most := &oasSchema{Type: "string"}, int64(1), int64(assets.MostWork)
	again := &oasParameter{
		Name: "Idempotency-Key", In: "header", Schema: text,
		Description: "A name of this POST, at most 255 bytes: repeated, with the same body, it answers what it did first.",
	}
	members := &oasBody{
		Required:    true,
		Description: "A collection of assets, or CSV whose first line names the columns as the members are called; lists in a cell have commas between their elements, or are JSON.",
		Content:     map[string]oasMedia{typeJSON: {refSchema("NewBatch")}, "application/ld+json": {refSchema("NewBatch")}, "text/csv": {text}},
	}
	posting := []int{http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}

	return []assetRoute{
		{
			method: post, path: "/customers", tag: tagCustomers, id: "customers.create", summary: "Make a customer",
			about: "For admins. The answer has the customer's key, which is told only here.",
			body:  jsonBody("NewCustomer"), status: made, answer: with(aCustomer, refSchema("CustomerKey")), problems: []int{conflict},
		},
		{method: get, path: customer, tag: tagCustomers, id: "customers.one", summary: "A customer", status: ok, answer: aCustomer},
		{
			method: post, path: customer + "/spaces", tag: tagCustomers, id: "spaces.create", summary: "Make a space",
			body: jsonBody("NewSpace"), status: made, answer: aSpace, problems: []int{conflict},
		},
		{method: get, path: customer + "/spaces/{space}", tag: tagCustomers, id: "spaces.one", summary: "A space", status: ok, answer: aSpace},

		{method: get, path: "/queue", tag: tagBatches, id: "queue.all", summary: "What waits in all", status: ok, answer: refSchema("QueueSummary"), open: true},
		{method: get, path: queue, tag: tagBatches, id: "queue.waiting", summary: "What waits at a customer's", status: ok, answer: waiting},
		{method: get, path: queue + "/priority", tag: tagBatches, id: "queue.waitingPriority", summary: "What waits in the priority queue", status: ok, answer: waiting},
		{
			method: post, path: queue, tag: tagBatches, id: "batches.create", summary: "Post a batch", about: "All of its members are taken, or none is.",
			parameters: []*oasParameter{again}, body: members, status: made, answer: aBatch, problems: posting,
		},
		{
			method: post, path: queue + "/priority", tag: tagBatches, id: "batches.createPriority", summary: "Post a batch of images that goes first",
			about: "All of its members are taken, or none is.", parameters: []*oasParameter{again}, body: members, status: made, answer: aBatch, problems: posting,
		},
		{method: get, path: batch, tag: tagBatches, id: "batches.one", summary: "A batch", status: ok, answer: aBatch},
		{
			method: post, path: batch + "/test", tag: tagBatches, id: "batches.test", summary: "Count a batch again",
			about: "A batch whose members are all in later ones is superseded, and over.", status: ok, answer: refSchema("Reconciled"),
		},
		{
			method: post, path: batch + "/retry", tag: tagBatches, id: "batches.retry", summary: "Try what failed again",
			about:      "Makes a new batch of the members in error; the old one stays as it is.",
			parameters: []*oasParameter{again}, status: made, answer: aBatch, problems: []int{refused, http.StatusUnprocessableEntity},
		},
		{
			method: get, path: queue + "/events", tag: tagBatches, id: "batches.events", summary: "Finished batches, as they finish",
			about: "Server-sent events, one batch-completed for each batch; each is told at least once to who goes on behind the last one seen. Without Last-Event-ID and after, from now on.",
			parameters: []*oasParameter{
				{Name: "Last-Event-ID", In: "header", Description: "The last event that was seen; it goes before after.", Schema: text},
				queryParameter("after", "The same; 0 is before the first.", &oasSchema{Type: "integer", Format: "int64", Minimum: new(int64)}),
			},
			status: ok, answer: text, mediaType: "text/event-stream", problems: []int{refused},
		},

		{
			method: get, path: queue + "/work", tag: tagIngest, id: "work", summary: "Take work",
			about:      "Members that wait, each to one ingester until its lease is over. A GET that changes things: it is not to be repeated idly.",
			parameters: []*oasParameter{queryParameter("limit", "Most members.", &oasSchema{Type: "integer", Minimum: &least, Maximum: &most, Default: usualWork})},
			status:     ok, answer: work, problems: []int{refused},
		},
		{
			method: post, path: batch + "/assets/{space}/{image}", tag: tagIngest, id: "outcomes.one", summary: "Tell what became of a member",
			body: jsonBody("Outcome"), status: ok, answer: recorded,
		},
		{
			method: post, path: batch + "/outcomes", tag: tagIngest, id: "outcomes.many", summary: "Tell what became of members",
			about: "Repeating it changes nothing.", body: jsonBody("Outcomes"), status: ok, answer: recorded,
		},
		{
			method: post, path: image + "/outcome", tag: tagIngest, id: "outcomes.alone", summary: "Tell what became of an asset outside of any batch",
			body: jsonBody("Outcome"), status: ok, answer: anImage, problems: []int{conflict},
		},

		{method: get, path: image, tag: tagAssets, id: "images.one", summary: "An asset", status: ok, answer: anImage},
		{
			method: http.MethodDelete, path: image, tag: tagAssets, id: "images.delete", summary: "Remove an asset",
			about: "Where it waits in a batch it is in error there; its history stays.", status: http.StatusNoContent,
		},
		{
			method: post, path: image + "/reingest", tag: tagAssets, id: "images.reingest", summary: "Have an image ingested again",
			about: "Outside of any batch.", status: ok, answer: anImage, problems: []int{refused},
		},

		{
			method: post, path: named, tag: tagNamedQueries, id: "namedQueries.create", summary: "Store a named query",
			body: jsonBody("NewNamedQuery"), status: made, answer: aQuery, problems: []int{forbidden, conflict},
		},
		{method: get, path: named + "/{query}", tag: tagNamedQueries, id: "namedQueries.one", summary: "A named query", status: ok, answer: aQuery},
		{
			method: http.MethodPut, path: named + "/{query}", tag: tagNamedQueries, id: "namedQueries.change", summary: "Give a named query another template",
			body: jsonBody("ChangedNamedQuery"), status: ok, answer: aQuery, problems: []int{forbidden},
		},
		{method: http.MethodDelete, path: named + "/{query}", tag: tagNamedQueries, id: "namedQueries.delete", summary: "Remove a named query", status: http.StatusNoContent, problems: []int{http.StatusForbidden}},
	}
}

func jsonBody(schema string) *oasBody {
	return &oasBody{Required: true, Content: map[string]oasMedia{typeJSON: {refSchema(schema)}}}
}

// assetOperation puts an operation where it belongs.
func (b *oasBuilder) assetOperation(r assetRoute) {
	success := &oasResponse{Description: http.StatusText(r.status) + "."}
	if r.answer != nil {
		success.Content = map[string]oasMedia{cmp.Or(r.mediaType, typeJSON): {r.answer}}
	}
	if r.status == http.StatusCreated {
		success.Headers = map[string]oasHeader{"Location": {"Where it is.", &oasSchema{Type: "string", Format: "uri"}}}
	}
	o := &oasOperation{
		OperationID: "assets." + r.id, Summary: r.summary, Description: r.about, Tags: []string{r.tag},
		Parameters: r.parameters, RequestBody: r.body, Responses: map[string]*oasResponse{strconv.Itoa(r.status): success},
	}
	b.hydraProblems(o.Responses, r.problems...)
	b.hydraProblems(o.Responses, http.StatusInternalServerError, http.StatusServiceUnavailable)
	if !r.open {
		o.Security = []oasSecurity{{"basic": {}}, {"bearer": {}}}
		b.hydraProblems(o.Responses, http.StatusUnauthorized)
	}
	if strings.Contains(r.path, "{") {
		b.hydraProblems(o.Responses, http.StatusNotFound)
	}
	if r.body != nil {
		b.hydraProblems(o.Responses, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge)
	}
	item := b.assetPath(r.path)
	switch r.method {
	case http.MethodGet:
		item.Get = o
	case http.MethodPost:
		item.Post = o
	case http.MethodPut:
		item.Put = o
	case http.MethodDelete:
		item.Delete = o
	}
}
