package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// NewBatch is a batch to be.
type NewBatch struct {
	Customer int
	Posting  Posting
	Priority bool
	// IdempotencyKey is the client's name of this POST, "" for none; Digest is that of all
	// that it sent.
	IdempotencyKey string
	Digest         [sha256.Size]byte
}

// ErrOtherBody: the idempotency key was used for a POST of something else.
var ErrOtherBody = errors.New("assets: the idempotency key is of another body")

// CreateBatch records a batch and its members, waiting, and registers the assets or brings
// them up to date, in one transaction: all or nothing. A POST that was answered before has
// the same answer. Errors are ErrNotFound for the customer, ErrOtherBody, or a *RefusedError.
func (s *Store) CreateBatch(ctx context.Context, n NewBatch) (id int64, err error) {
	err = s.change(ctx, "record a batch", func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT id FROM slashbatch.customer WHERE id = $1 FOR KEY SHARE`, n.Customer).Scan(new(int)); err != nil {
			return err
		}
		// Another POST of this key that is under way is waited for here.
		err := tx.QueryRow(ctx, `
			INSERT INTO slashbatch.batch (customer, count, priority, deadline, retention, idempotency_key, body_digest)
			VALUES ($1, $2, $3, now() + $4::interval, $5, nullif($6, ''), $7)
			ON CONFLICT (customer, idempotency_key) DO NOTHING RETURNING id`,
			n.Customer, len(n.Posting.Members), n.Priority, s.Deadline, n.Posting.Retention, n.IdempotencyKey, n.Digest[:]).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return replay(ctx, tx, n, &id)
		}
		if err != nil {
			return err
		}
		if err := spacesExist(ctx, tx, n.Customer, n.Posting.Members); err != nil {
			return err
		}
		return register(ctx, tx, n, id)
	})
	return id, err
}

// replay finds the batch of an earlier POST.
func replay(ctx context.Context, tx pgx.Tx, n NewBatch, id *int64) error {
	var digest []byte
	err := tx.QueryRow(ctx, `SELECT id, body_digest FROM slashbatch.batch WHERE customer = $1 AND idempotency_key = $2`, n.Customer, n.IdempotencyKey).Scan(id, &digest)
	if err == nil && !bytes.Equal(digest, n.Digest[:]) {
		return ErrOtherBody
	}
	return err // pgx.ErrNoRows: there was none
}

// SpacesExist is a *RefusedError about spaces that members name and that are not there; nil
// where there is none such. CreateBatch asks it itself.
func (s *Store) SpacesExist(ctx context.Context, customer int, members []Member) error {
	return s.change(ctx, "look up spaces", func(ctx context.Context, tx pgx.Tx) error {
		return spacesExist(ctx, tx, customer, members)
	})
}

func spacesExist(ctx context.Context, tx pgx.Tx, customer int, members []Member) error {
	var named []int
	for _, m := range members {
		if m.Space > 0 && !slices.Contains(named, m.Space) {
			named = append(named, m.Space)
		}
	}
	missing, err := column[int](ctx, tx, `
		SELECT n FROM unnest($2::int[]) AS n
		WHERE NOT EXISTS (SELECT FROM slashbatch.space WHERE customer = $1 AND id = n) ORDER BY n`, customer, named)
	if err != nil || len(missing) == 0 {
		return err
	}
	var words []string
	for _, space := range missing {
		words = append(words, strconv.Itoa(space))
	}
	return refused("The following space(s) could not be found: %s", strings.Join(words, ", "))
}

// register writes the assets and the records.
func register(ctx context.Context, tx pgx.Tx, n NewBatch, batch int64) error {
	members, err := json.Marshal(n.Posting.Members)
	if err != nil {
		return err
	}
	// Locked in the order of their ids, so that two batches of the same assets do not wait
	// for each other.
	locked, err := column[string](ctx, tx, `
		INSERT INTO slashbatch.asset AS a (id, customer, space, key, batch)
		SELECT $1::int || '/' || m.space || '/' || m.id, $1, m.space, m.id, $3
		FROM jsonb_to_recordset($2::jsonb) AS m(id text, space int)
		ORDER BY 1
		ON CONFLICT (id) DO UPDATE SET batch = excluded.batch WHERE NOT a.not_for_delivery
		RETURNING a.id`, n.Customer, members, batch)
	if err != nil {
		return err
	}
	if len(locked) < len(n.Posting.Members) {
		return refused("Cannot use API to modify a NotForDelivery asset.")
	}
	// What a member leaves out stays as it is.
	if _, err = tx.Exec(ctx, `
		UPDATE slashbatch.asset AS a SET
			origin = m.origin, media_type = m."mediaType", family = coalesce(m.family, a.family),
			delivery_channels = coalesce(m."deliveryChannels", a.delivery_channels),
			string1 = coalesce(m.string1, a.string1), string2 = coalesce(m.string2, a.string2), string3 = coalesce(m.string3, a.string3),
			number1 = coalesce(m.number1, a.number1), number2 = coalesce(m.number2, a.number2), number3 = coalesce(m.number3, a.number3),
			tags = coalesce(m.tags, a.tags), roles = coalesce(m.roles, a.roles), manifests = coalesce(m.manifests, a.manifests),
			max_unauthorised = coalesce(m."maxUnauthorised", a.max_unauthorised),
			ingesting = true, finished = NULL, error = '', leased_until = NULL
		FROM jsonb_to_recordset($2::jsonb) AS m(
			id text, space int, origin text, "mediaType" text, family text, "deliveryChannels" jsonb, string1 text, string2 text, string3 text,
			number1 bigint, number2 bigint, number3 bigint, tags text[], roles text[], manifests text[], "maxUnauthorised" int)
		WHERE a.id = $1::int || '/' || m.space || '/' || m.id`, n.Customer, members); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO slashbatch.batch_asset (batch_id, asset_id) SELECT $1, unnest($2::text[])`, batch, locked)
	return err
}
