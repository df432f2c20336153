package assets

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// NamedQuery is a stored query.
type NamedQuery struct {
	ID       uuid.UUID
	Name     string
	Template string
	// Global: every customer may run it, over their own assets.
	Global bool
}

// CreateQuery stores a named query and returns its id. ErrTaken: the customer has one of
// this name. ErrNotFound: there is no such customer.
func (s *Store) CreateQuery(ctx context.Context, customer int, q NamedQuery) (uuid.UUID, error) {
	id := uuid.New()
	return id, s.change(ctx, "store a named query", func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT id FROM slashbatch.customer WHERE id = $1 FOR KEY SHARE`, customer).Scan(new(int)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO slashbatch.named_query (id, customer, name, global, template) VALUES ($1, $2, $3, $4, $5)`,
			id, customer, q.Name, q.Global, q.Template)
		return err
	})
}

// IsGlobal reports whether a customer's own named query is global. ErrNotFound: it has none
// of this id.
func (s *Store) IsGlobal(ctx context.Context, customer int, id uuid.UUID) (global bool, err error) {
	err = s.row(ctx, "look up a named query", `SELECT global FROM slashbatch.named_query WHERE id = $2 AND customer = $1`, []any{customer, id}, &global)
	return global, err
}

// ChangeQuery gives a customer's own named query another template, and, not nil, makes it
// global or not. ErrNotFound: it has none of this id.
func (s *Store) ChangeQuery(ctx context.Context, customer int, id uuid.UUID, template string, global *bool) error {
	return s.row(ctx, "change a named query", `
		UPDATE slashbatch.named_query SET template = $3, global = coalesce($4, global) WHERE id = $2 AND customer = $1 RETURNING id`,
		[]any{customer, id, template, global}, new(uuid.UUID))
}

// DeleteQuery removes a customer's own named query. ErrNotFound: it has none of this id.
func (s *Store) DeleteQuery(ctx context.Context, customer int, id uuid.UUID) error {
	return s.row(ctx, "delete a named query", `
		DELETE FROM slashbatch.named_query WHERE id = $2 AND customer = $1 RETURNING id`, []any{customer, id}, new(uuid.UUID))
}

// Query returns the template of a customer's named query: its own, or else the global one of
// this name that is the oldest customer's.
func (s *Store) Query(ctx context.Context, customer int, name string) (template string, err error) {
	err = s.row(ctx, "look up a named query", `
		SELECT template FROM slashbatch.named_query WHERE name = $2 AND (customer = $1 OR global)
		ORDER BY customer = $1 DESC, customer LIMIT 1`, []any{customer, name}, &template)
	return template, err
}
