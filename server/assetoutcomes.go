package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"slashbatch/assets"
	"slashbatch/internal/problem"
	"slashbatch/server/endpoint"
)

// usualWork is how much work is handed out when the request does not say.
const usualWork = 10

// work hands out members that wait, each to one ingester until its lease is over.
func (s *Server) work(w http.ResponseWriter, r *http.Request) error {
	_, customer, err := s.actor(r)
	if err != nil {
		return err
	}
	limit, err := workLimit(r)
	if err != nil {
		return err
	}
	work, err := s.Assets.Store.Claim(r.Context(), customer, limit)
	if err != nil {
		return err
	}
	var batches, ids []string
	for _, one := range work {
		batches, ids = append(batches, strconv.FormatInt(one.Batch, 10)), append(ids, one.Asset)
	}
	list := &workSink{}
	in := endpoint.Input{
		Vars: vars(customer), Params: map[string][]string{"_limit": {strconv.Itoa(assets.MostWork)}},
		Own: endpoint.OwnInput{Bound: map[string]string{"batches": endpoint.TextArray(batches), "assets": endpoint.TextArray(ids)}},
	}
	if err := s.readRows(r, listWork, in, customer, list); err != nil {
		return err // the leases are over after a while
	}
	head := fmt.Sprintf(`{"@context":%q,"@id":%q,"@type":"Collection","totalItems":%d,"pageSize":%d,"member":[`,
		hydraContext, s.base(r)+customerPath(strconv.Itoa(customer))+"/queue/work", list.n, limit)
	w.Header().Set("Cache-Control", "no-store")
	return writeBody(w, r, http.StatusOK, "application/json", append(append([]byte(head), list.members...), "]}\n"...))
}

// workLimit is how much work is asked for.
func workLimit(r *http.Request) (int, error) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, badRequest("the query string is not well encoded")
	}
	limit := usualWork
	var problems problem.List
	for name, values := range params {
		n, err := strconv.Atoi(values[len(values)-1])
		switch {
		case name != "limit":
			problems.Add(name, "unknown parameter; known: limit")
		case len(values) > 1 || err != nil || n < 1 || n > assets.MostWork:
			problems.Add(name, "expected a whole number from 1 to %d", assets.MostWork)
		default:
			limit = n
		}
	}
	if len(problems) > 0 {
		return 0, badParameters(problems)
	}
	return limit, nil
}

// workSink gathers members.
type workSink struct {
	memberSink
	members []byte
	n       int
}

// Row implements rows.Sink.
func (l *workSink) Row(values [][]byte) error {
	if l.n > 0 {
		l.members = append(l.members, ',')
	}
	l.n++
	l.members = l.append(append(l.members, '\n'), values)
	return nil
}

// outcome notes what became of one member of a batch.
func (s *Server) outcome(w http.ResponseWriter, r *http.Request) error {
	customer, batch, err := s.aboutBatch(r)
	if err != nil {
		return err
	}
	o, err := s.readOutcome(w, r)
	if err != nil {
		return err
	}
	err = s.recorded(w, r, customer, batch, []assets.Outcome{o})
	if _, unknown := errors.AsType[*assets.UnknownMembersError](err); unknown {
		return notFound("the batch has no such member")
	}
	return err
}

// readOutcome reads the outcome of the asset that the path names.
func (s *Server) readOutcome(w http.ResponseWriter, r *http.Request) (assets.Outcome, error) {
	space, key, err := pathImage(r)
	if err != nil {
		return assets.Outcome{}, err
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return assets.Outcome{}, err
	}
	o, problems := assets.ParseOutcome(body)
	if len(problems) > 0 {
		return assets.Outcome{}, badParameters(problems)
	}
	if o.Key != "" && o.Key != key || o.Space != 0 && o.Space != space {
		return assets.Outcome{}, badRequest("the body names another asset than the path")
	}
	o.Space, o.Key = space, key
	return o, nil
}

// outcomes notes what became of many members of a batch.
func (s *Server) outcomes(w http.ResponseWriter, r *http.Request) error {
	customer, batch, err := s.aboutBatch(r)
	if err != nil {
		return err
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	list, problems := assets.ParseOutcomes(body, s.Assets.MaxMembers)
	if len(problems) > 0 {
		return badParameters(problems)
	}
	return s.recorded(w, r, customer, batch, list)
}

// recorded records outcomes and answers with the batch as it is then, and with what was
// made of them.
func (s *Server) recorded(w http.ResponseWriter, r *http.Request, customer int, batch int64, list []assets.Outcome) error {
	made, err := s.Assets.Store.Record(r.Context(), customer, batch, list)
	if err != nil {
		return err
	}
	body, err := s.member(r, listBatches, customer, vars(customer), batchFilter(batch))
	if err == nil && body == nil {
		err = assets.ErrNotFound
	}
	if err != nil {
		return err
	}
	return writeMember(w, r, http.StatusOK, fmt.Appendf(body[:len(body)-1], `,"recorded":%d,"unchanged":%d,"late":%d}`, made.Recorded, made.Unchanged, made.Late))
}
