package assets

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// NewCustomer is a customer to be.
type NewCustomer struct {
	Name, DisplayName string
	// Retention is the policy of its batches; nil: the service's.
	Retention *Retention
}

// CreateCustomer makes a customer, and the key that stands for it, which is told now and
// never again. ErrTaken: the name is another's.
func (s *Store) CreateCustomer(ctx context.Context, n NewCustomer) (id int, key string, err error) {
	key = strings.ToLower(rand.Text() + rand.Text())
	digest := sha256.Sum256([]byte(key))
	err = s.change(ctx, "make a customer", func(ctx context.Context, tx pgx.Tx) error {
		// Numbers may be given out by hand, too, so there is no sequence of them.
		if _, err := tx.Exec(ctx, `LOCK TABLE slashbatch.customer IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO slashbatch.customer (id, name, display_name, key_digest, retention)
			SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4 FROM slashbatch.customer RETURNING id`,
			n.Name, n.DisplayName, digest[:], n.Retention).Scan(&id)
	})
	return id, key, err
}

// EnsureCustomer makes a customer of this number, unless there is one: users of the
// configuration stand for it, and its name is theirs where that is free.
func (s *Store) EnsureCustomer(ctx context.Context, id int, name string) error {
	return s.change(ctx, "make a customer", func(ctx context.Context, tx pgx.Tx) error {
		for _, name := range []string{name, fmt.Sprintf("%s-%d", name, id)} {
			if _, err := tx.Exec(ctx, `INSERT INTO slashbatch.customer (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// Customer is who a key stands for, or a path names.
type Customer struct {
	ID   int
	Name string
}

// CustomerByKey returns whose key has this digest. ErrNotFound: nobody's.
func (s *Store) CustomerByKey(ctx context.Context, digest [sha256.Size]byte) (c Customer, err error) {
	err = s.row(ctx, "look up a key", `SELECT id, name FROM slashbatch.customer WHERE key_digest = $1`, []any{digest[:]}, &c.ID, &c.Name)
	return c, err
}

// CustomerByID returns the customer of this number.
func (s *Store) CustomerByID(ctx context.Context, id int) (c Customer, err error) {
	err = s.row(ctx, "look up a customer", `SELECT id, name FROM slashbatch.customer WHERE id = $1`, []any{id}, &c.ID, &c.Name)
	return c, err
}

// CustomerByName returns the customer of this name.
func (s *Store) CustomerByName(ctx context.Context, name string) (c Customer, err error) {
	err = s.row(ctx, "look up a customer", `SELECT id, name FROM slashbatch.customer WHERE name = $1`, []any{name}, &c.ID, &c.Name)
	return c, err
}

// CreateSpace makes a space and returns its number. ErrTaken: the customer has one of
// this name.
func (s *Store) CreateSpace(ctx context.Context, customer int, name string) (id int, err error) {
	err = s.change(ctx, "make a space", func(ctx context.Context, tx pgx.Tx) error {
		// One after the other: the next number is one more than the last.
		if err := tx.QueryRow(ctx, `SELECT id FROM slashbatch.customer WHERE id = $1 FOR NO KEY UPDATE`, customer).Scan(new(int)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO slashbatch.space (customer, id, name)
			SELECT $1, coalesce(max(id), 0) + 1, $2 FROM slashbatch.space WHERE customer = $1 RETURNING id`, customer, name).Scan(&id)
	})
	return id, err
}
