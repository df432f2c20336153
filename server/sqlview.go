package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"slashbatch/jobs"
	"slashbatch/server/carto"

	"github.com/gocarina/gocsv"
)

// sqlDocument is a SQL job as JSON.
type sqlDocument struct {
	User string `json:"user"`
	carto.Echo
	JobID                string         `json:"job_id"`
	CreatedAt            string         `json:"created_at"`
	UpdatedAt            string         `json:"updated_at"`
	Status               jobs.StepState `json:"status"`
	FallbackStatus       jobs.StepState `json:"fallback_status,omitempty"`
	FailedReason         string         `json:"failed_reason,omitempty"`
	FallbackFailedReason string         `json:"fallback_failed_reason,omitempty"`
}

func documentOf(j jobs.SQLJob) (sqlDocument, error) {
	definition, err := carto.Read(j.Plan.Form)
	if err != nil {
		return sqlDocument{}, err
	}
	return sqlDocument{
		User: j.User, Echo: definition.Echo(j.Status), JobID: j.ID,
		CreatedAt: carto.Timestamp(j.Submitted), UpdatedAt: carto.Timestamp(updated(j)),
		Status: j.Status.Status, FallbackStatus: j.Status.FallbackStatus,
		FailedReason: j.Status.FailedReason, FallbackFailedReason: j.Status.FallbackFailedReason,
	}, nil
}

// updated is when the job last changed its status.
func updated(j jobs.SQLJob) time.Time {
	last := j.Submitted
	for _, at := range []time.Time{j.Started, j.Ended} {
		if at.After(last) {
			last = at
		}
	}
	for _, step := range j.Status.Steps {
		for _, at := range []time.Time{step.Started, step.Ended} {
			if at.After(last) {
				last = at
			}
		}
	}
	return last
}

// sqlRecord is a SQL job as a line of CSV.
type sqlRecord struct {
	JobID          string         `csv:"job_id"`
	User           string         `csv:"user"`
	Status         jobs.StepState `csv:"status"`
	FallbackStatus jobs.StepState `csv:"fallback_status"`
	CreatedAt      string         `csv:"created_at"`
	UpdatedAt      string         `csv:"updated_at"`
	FailedReason   string         `csv:"failed_reason"`
	Query          string         `csv:"query"`
}

// writeSQLJob answers with one job.
func writeSQLJob(w http.ResponseWriter, r *http.Request, status int, j jobs.SQLJob) error {
	document, err := documentOf(j)
	if err != nil {
		return err
	}
	return writeSQL(w, r, status, document)
}

// writeSQL answers with JSON as CartoDB's clients know it.
func writeSQL(w http.ResponseWriter, r *http.Request, status int, document any) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", "inline")
	return writeJSONAs(w, r, status, "application/json; charset=utf-8", document)
}

// sqlPage is a page of a list of jobs, written as they come: together they may be far
// longer than the page.
type sqlPage struct {
	csv  bool
	body []byte
	jobs int
	last int64 // the order of the last one
}

func newSQLPage(csv bool) *sqlPage { return &sqlPage{csv: csv} }

// add appends a job, unless the page would get too long by it.
func (p *sqlPage) add(j jobs.SQLJob) (added bool, err error) {
	d, err := documentOf(j)
	if err != nil {
		return false, err
	}
	var text []byte
	if p.csv {
		text, err = csvOf(gocsv.MarshalWithoutHeaders, &sqlRecord{
			JobID: d.JobID, User: d.User, Status: d.Status, FallbackStatus: d.FallbackStatus,
			CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, FailedReason: d.FailedReason, Query: string(d.Query),
		})
	} else {
		text, err = jsonOf(d, p.jobs > 0)
	}
	if err != nil || p.jobs > 0 && len(p.body)+len(text) > pageBytes {
		return false, err
	}
	p.body, p.jobs, p.last = append(p.body, text...), p.jobs+1, j.Order
	return true, nil
}

// write answers with the page.
func (p *sqlPage) write(w http.ResponseWriter, r *http.Request) error {
	if !p.csv {
		return writeSQL(w, r, http.StatusOK, json.RawMessage(slices.Concat([]byte{'['}, p.body, []byte{']'})))
	}
	names, err := csvOf(gocsv.Marshal)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	_, err = w.Write(slices.Concat(names, p.body))
	return ignoreWrite(err)
}

// jsonOf is an element of a list.
func jsonOf(d sqlDocument, further bool) ([]byte, error) {
	var b bytes.Buffer
	if further {
		b.WriteByte(',')
	}
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(d)
	return b.Bytes(), err
}

func csvOf(marshal func(any, io.Writer) error, records ...*sqlRecord) ([]byte, error) {
	var b bytes.Buffer
	err := marshal(records, &b)
	return b.Bytes(), err
}
