package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"slashbatch/internal/rows"
)

// planVersion is raised when a field changes its meaning. A worker refuses a
// plan it does not know rather than run something else.
const planVersion = 1

// guardedVersion is that of an export with a guard. A worker that does not know guards would
// record none, and what it made would be good whatever happens to its rows.
const guardedVersion = 2

// Kinds of jobs.
const (
	KindExport  = "export"
	KindVariant = "variant"
	KindSQL     = "sql"
)

// Plan is everything a worker needs to run an export: it reads no endpoint files,
// and runs the very version that was asked for. It travels through the queue
// as JSON and holds no credential: data sources are named, not described.
type Plan struct {
	Version int    `json:"v"`
	Kind    string `json:"kind"`

	// Key is the request key; URL the escaped path and canonical query of the
	// request (not of its twin), for links; Endpoint its endpoint's name.
	Key      string `json:"key"`
	URL      string `json:"url"`
	Endpoint string `json:"endpoint"`
	// Owner is whose result it will be: "shared" or a user.
	Owner string `json:"owner"`
	// User asked for it first, whoever takes the job over; Submit fills it in.
	User string `json:"user,omitempty"`
	// SpecDigest identifies the endpoint's definition.
	SpecDigest string `json:"spec"`

	// Source runs the query; StepsSource the steps, which may write.
	Source      string     `json:"source"`
	StepsSource string     `json:"stepsSource,omitempty"`
	SQL         string     `json:"sql"`
	Args        []rows.Arg `json:"args,omitempty"`
	// Guard gives one text, asked on Source with the rows. Once it gives another one the
	// result does not answer its key any more, but for MinFresh after its publication.
	Guard     *rows.Statement `json:"guard,omitempty"`
	OnSuccess string          `json:"onsuccess,omitempty"`
	OnError   string          `json:"onerror,omitempty"`

	// ResultURL is where the steps' readers find the result.
	ResultURL string `json:"resultUrl,omitempty"`

	// Arrays are the columns, by name, whose types are arrays of types that are not
	// PostgreSQL's own: a database tells a stream of rows only their numbers.
	Arrays []string `json:"arrays,omitempty"`

	// FileName of the download, without ".gz"; ContentType of the plain file.
	FileName    string `json:"fileName"`
	ContentType string `json:"contentType"`

	// Fresh asks for rows read after the job was submitted.
	Fresh bool `json:"fresh,omitempty"`
	// Retry is how many further attempts follow one that ended in an error.
	Retry int `json:"retry,omitempty"`
	// Timeout bounds the query; ResultBytes the plain file. 0: no bound.
	Timeout     time.Duration `json:"timeout,omitempty"`
	ResultBytes int64         `json:"resultBytes,omitempty"`
	// MaxAge and MinFresh say how long the result answers its key; see Guard, too.
	MaxAge   time.Duration `json:"maxAge"`
	MinFresh time.Duration `json:"minFresh"`
}

// Encode returns the plan as the queue carries it.
func (p Plan) Encode() ([]byte, error) {
	p.Version = planVersion
	if p.Guard != nil {
		p.Version = guardedVersion
	}
	return json.Marshal(p)
}

// errUnknownPlan: the plan is of another version of this program. During a
// rolling restart there are workers that know it.
var errUnknownPlan = errors.New("the plan is of another version")

// plans are what a definition holds: exactly one of them.
type plans struct {
	export  *Plan
	variant *VariantPlan
	sql     *SQLPlan
}

// decodePlan reads what Encode of a Plan or of a SQLPlan wrote, or the definition of
// a variantSubmission.
func decodePlan(data []byte) (plans, error) {
	var head struct {
		Version int    `json:"v"`
		Kind    string `json:"kind"`
	}
	var p plans
	var plan any
	err := json.Unmarshal(data, &head)
	if err == nil {
		switch {
		case (head.Version == planVersion || head.Version == guardedVersion) && head.Kind == KindExport:
			p.export = new(Plan)
			plan = p.export
		case head.Version == planVersion && head.Kind == KindVariant:
			p.variant = new(VariantPlan)
			plan = p.variant
		case head.Version == planVersion && head.Kind == KindSQL:
			p.sql = new(SQLPlan)
			plan = p.sql
		default:
			return plans{}, fmt.Errorf("%w: this worker knows version %d of the kinds %s, %s and %s, and %d of %[3]s, not version %[7]d of kind %[8]q",
				errUnknownPlan, planVersion, KindExport, KindVariant, KindSQL, guardedVersion, head.Version, head.Kind)
		}
		err = json.Unmarshal(data, plan)
	}
	if err != nil {
		return plans{}, fmt.Errorf("the job's plan cannot be read: %w", err)
	}
	return p, nil
}

// Outcome is what a finished export or variant leaves in the queue's record.
type Outcome struct {
	Result int64 `json:"result"`
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
}
