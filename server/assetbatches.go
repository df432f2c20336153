package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"slashbatch/assets"
	"slashbatch/internal/problem"
)

// createBatch takes a batch, as a collection or as CSV.
func (s *Server) createBatch(priority bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, customer, err := s.actor(r)
		if err != nil {
			return err
		}
		name, err := idempotencyKey(r)
		if err != nil {
			return err
		}
		body, err := s.readBody(w, r)
		if err != nil {
			return err
		}
		mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		rules := assets.Rules{Most: s.Assets.MaxMembers, Priority: priority, Customer: int64(customer), Facade: strings.TrimPrefix(s.BatchPath, "/")}
		var posting assets.Posting
		var problems problem.List
		switch mediaType {
		case "", "application/json", "application/ld+json":
			mediaType = "application/json"
			posting, problems = assets.ParseMembers(body, rules)
		case "text/csv":
			posting, problems = assets.ParseMembersCSV(body, rules)
		default:
			return &httpError{Status: http.StatusUnsupportedMediaType, Detail: "a batch is application/json or text/csv"}
		}
		if len(problems) > 0 {
			err := s.Assets.Store.SpacesExist(r.Context(), customer, posting.Members)
			if missing, ok := errors.AsType[*assets.RefusedError](err); ok {
				problems.Add("member", "%s", missing.Reason)
			} else if err != nil {
				return err
			}
			return badParameters(bounded(problems))
		}
		digest := sha256.Sum256(fmt.Appendf(nil, "%v %s\n%s", priority, mediaType, body))
		id, err := s.Assets.Store.CreateBatch(r.Context(), assets.NewBatch{
			Customer: customer, Posting: posting, Priority: priority, IdempotencyKey: name, Digest: digest,
		})
		if err != nil {
			return err
		}
		return s.batchIs(w, r, http.StatusCreated, customer, id)
	}
}

// mostToldProblems bounds the problems told about one batch.
const mostToldProblems = 2000

func bounded(problems problem.List) problem.List {
	if more := len(problems) - mostToldProblems; more > 0 {
		problems = problems[:mostToldProblems]
		problems.Add("member", "and %d problems more", more)
	}
	return problems
}

// idempotencyKey is the client's name of a POST, "" without.
func idempotencyKey(r *http.Request) (string, error) {
	name := r.Header.Get("Idempotency-Key")
	if len(name) > 255 || !utf8.ValidString(name) {
		return "", badRequest("the Idempotency-Key is longer than 255 bytes, or not valid UTF-8")
	}
	return name, nil
}

// batchIs answers with a batch.
func (s *Server) batchIs(w http.ResponseWriter, r *http.Request, status, customer int, id int64) error {
	return s.written(w, r, status, listBatches, customer, vars(customer), batchFilter(id))
}

func batchFilter(id int64) url.Values { return url.Values{"id": {strconv.FormatInt(id, 10)}} }

// pathBatch is the number of the batch in a path.
func pathBatch(r *http.Request) (int64, error) {
	vars, err := pathVars(r)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(vars["batch"], 10, 64)
	if err != nil {
		return 0, assets.ErrNotFound // no batch has a number that large
	}
	return id, nil
}

// aboutBatch identifies the caller, and the batch that the path names.
func (s *Server) aboutBatch(r *http.Request) (customer int, batch int64, err error) {
	if _, customer, err = s.actor(r); err == nil {
		batch, err = pathBatch(r)
	}
	return customer, batch, err
}

// reconcile looks at a batch once more.
func (s *Server) reconcile(w http.ResponseWriter, r *http.Request) error {
	customer, batch, err := s.aboutBatch(r)
	if err != nil {
		return err
	}
	changed, err := s.Assets.Store.Reconcile(r.Context(), customer, batch)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, map[string]bool{"success": changed})
}

// retryBatch makes a new batch of what failed.
func (s *Server) retryBatch(w http.ResponseWriter, r *http.Request) error {
	customer, batch, err := s.aboutBatch(r)
	if err != nil {
		return err
	}
	once, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	id, err := s.Assets.Store.Retry(r.Context(), customer, batch, once)
	if err != nil {
		return err
	}
	return s.batchIs(w, r, http.StatusCreated, customer, id)
}

// customerQueue is what waits at a customer's.
type customerQueue struct {
	Context        string `json:"@context"`
	ID             string `json:"@id"`
	Type           string `json:"@type"`
	Size           int64  `json:"size"`
	BatchesWaiting int64  `json:"batchesWaiting"`
	ImagesWaiting  int64  `json:"imagesWaiting"`
	Batches        string `json:"batches"`
	Active         string `json:"active"`
	Recent         string `json:"recent"`
	Priority       string `json:"priority"`
}

// waiting tells what waits at a customer's, in the usual or in the priority queue.
func (s *Server) waiting(priority bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, customer, err := s.actor(r)
		if err != nil {
			return err
		}
		waits, err := s.Assets.Store.Waiting(r.Context(), customer)
		if err != nil {
			return err
		}
		queue := s.base(r) + customerPath(strconv.Itoa(customer)) + "/queue"
		d := customerQueue{
			Context: s.base(r) + "/contexts/CustomerQueue.jsonld", ID: queue, Type: "vocab:CustomerQueue",
			Size: waits.Usual, BatchesWaiting: waits.Batches, ImagesWaiting: waits.Usual + waits.Priority,
			Batches: queue + "/batches", Active: queue + "/active", Recent: queue + "/recent", Priority: queue + "/priority",
		}
		if priority {
			d.ID, d.Size = d.Priority, waits.Priority
		}
		w.Header().Set("Cache-Control", "no-store")
		return writeJSON(w, r, http.StatusOK, d)
	}
}

// queueSummary has the queues of DLCS. Those that this service does not have are empty.
type queueSummary struct {
	Context           string `json:"@context"`
	ID                string `json:"@id"`
	Type              string `json:"@type"`
	Incoming          int64  `json:"incoming"`
	Priority          int64  `json:"priority"`
	Timebased         int64  `json:"timebased"`
	TranscodeComplete int64  `json:"transcodeComplete"`
	File              int64  `json:"file"`
	Failed            int64  `json:"failed"`
	Success           int64  `json:"success"`
}

// allQueues tells anybody how much waits in all.
func (s *Server) allQueues(w http.ResponseWriter, r *http.Request) error {
	waits, err := s.Assets.Store.AllWaiting(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, queueSummary{
		Context: s.base(r) + "/contexts/QueueSummary.jsonld", ID: s.base(r) + "/queue", Type: "vocab:QueueSummary",
		Incoming: waits.Usual, Priority: waits.Priority,
	})
}
