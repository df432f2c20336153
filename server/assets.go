package server

import (
	"net/http"
	"slices"

	"slashbatch/assets"
	"slashbatch/server/endpoint"

	"github.com/gorilla/mux"
)

// AssetOptions are customers and their batches of assets.
type AssetOptions struct {
	// Store has them; nil offers none.
	Store *assets.Store
	// Specs are the endpoints over their tables, assets.Lists.
	Specs []*endpoint.Spec
	// MaxMembers of one batch; PageSize of a collection when the request does not say.
	MaxMembers, PageSize int
	// Limits are a customer's in the queue.
	Limits Limits
	// PublicQueries lets anybody run named queries; EmptyIs404 answers 404 when nothing matches.
	PublicQueries, EmptyIs404 bool
}

// Names of the endpoints over assets' tables that are not collections at their own paths.
const (
	listCustomers  = "assets.customers"
	listWork       = "assets.work"
	listQuery      = "assets.named-query"
	listQueryBatch = "assets.named-query-batches"
)

// Names of those that are.
const (
	listSpaces       = "assets.spaces"
	listImages       = "assets.images"
	listBatches      = "assets.batches"
	listActive       = "assets.active"
	listRecent       = "assets.recent"
	listBatchImages  = "assets.batch-images"
	listBatchAssets  = "assets.batch-assets"
	listAssetBatches = "assets.asset-batches"
	listQueries      = "assets.named-queries"
)

// routedLists are the collections and the named query: read, and exported by their twins.
func (s *Server) routedLists() []*endpoint.Spec {
	return slices.DeleteFunc(slices.Clone(s.Assets.Specs), func(spec *endpoint.Spec) bool {
		return slices.Contains([]string{listCustomers, listWork, listQueryBatch}, spec.Name)
	})
}

// assetList is the endpoint of a name.
func (s *Server) assetList(name string) *endpoint.Spec {
	i := slices.IndexFunc(s.Assets.Specs, func(spec *endpoint.Spec) bool { return spec.Name == name })
	return s.Assets.Specs[i]
}

// assetRoutes are what is not a list:
//
//	POST             /customers                                    admins            a customer        customers.go
//	GET              /customers/{c}, …/spaces/{s}, …               customers         one of a list     assetsmember.go
//	POST             /customers/{c}/spaces                         customers         a space           customers.go
//	POST             /customers/{c}/queue, …/priority              customers         a batch           batches.go
//	GET              /customers/{c}/queue, …/priority, /queue      customers, all    what waits        batches.go
//	GET              /customers/{c}/queue/work                     ingesters         members, leased   outcomes.go
//	POST             …/batches/{b}/assets/{s}/{a}, …/outcomes      ingesters         outcomes          outcomes.go
//	POST             …/batches/{b}/test, …/retry                   customers                           batches.go
//	GET              /customers/{c}/queue/events                   services          finished batches  assetevents.go
//	DELETE, POST     …/images/{a}, …/reingest, …/outcome           customers         an asset          images.go
//	POST, PUT, DELETE  /customers/{c}/namedQueries                 customers         named queries     namedqueries.go
//	OPTIONS          /raw-resource/…                               browsers                            rawresource.go
func (s *Server) assetRoutes(router *mux.Router) {
	const (
		customer = "/customers/{customer}"
		queue    = customer + "/queue"
		batch    = queue + "/batches/{batch}"
		space    = customer + "/spaces/{space}"
		image    = space + "/images/{image}"
		named    = customer + "/namedQueries"
	)
	read := []string{http.MethodGet, http.MethodHead}
	for _, route := range []struct {
		path    string
		methods []string
		h       handler
	}{
		{"/customers", []string{http.MethodPost}, s.createCustomer},
		{customer, read, s.one(listCustomers, nil)},
		{customer + "/spaces", []string{http.MethodPost}, s.createSpace},
		{space, read, s.one(listSpaces, map[string]string{"id": "space"})},
		{"/queue", read, s.allQueues},
		{queue, read, s.waiting(false)},
		{queue + "/priority", read, s.waiting(true)},
		{queue, []string{http.MethodPost}, s.createBatch(false)},
		{queue + "/priority", []string{http.MethodPost}, s.createBatch(true)},
		{queue + "/work", []string{http.MethodGet}, s.work},
		{queue + "/events", []string{http.MethodGet}, s.events},
		{batch, read, s.one(listBatches, map[string]string{"id": "batch"})},
		{batch + "/test", []string{http.MethodPost}, s.reconcile},
		{batch + "/retry", []string{http.MethodPost}, s.retryBatch},
		{batch + "/outcomes", []string{http.MethodPost}, s.outcomes},
		{batch + "/assets/{space}/{image}", []string{http.MethodPost}, s.outcome},
		{image, read, s.one(listImages, map[string]string{"id": "image"})},
		{image, []string{http.MethodDelete}, s.deleteImage},
		{image + "/reingest", []string{http.MethodPost}, s.reingest},
		{image + "/outcome", []string{http.MethodPost}, s.outcomeAlone},
		{named, []string{http.MethodPost}, s.createQuery},
		{named + "/{query}", read, s.one(listQueries, map[string]string{"id": "query"})},
		{named + "/{query}", []string{http.MethodPut}, s.changeQuery},
		{named + "/{query}", []string{http.MethodDelete}, s.deleteQuery},
	} {
		router.Handle(route.path, s.handleHydra(route.h)).Methods(route.methods...).MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool {
			return !s.likeFacade(r.URL.EscapedPath())
		})
	}
	for _, path := range []string{s.assetList(listQuery).Template(), s.assetList(listQuery).Template() + s.BatchPath} {
		router.Handle(path, http.HandlerFunc(crossOrigin)).Methods(http.MethodOptions)
	}
}
