package s3store

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"slashbatch/cache"
)

// failure turns an error of the SDK into one of the store. It names bucket and
// key; the SDK signs in headers, so no error of it shows a signature.
func (s *Store) failure(ctx context.Context, op, name string, err error) error {
	where := fmt.Sprintf("s3 store: %s s3://%s/%s", op, s.bucket, s.key(name))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", where, ctx.Err())
	case is(err, codeNoSuchKey, codeNotFound):
		return fmt.Errorf("%s: %w", where, cache.ErrNotFound)
	default:
		return fmt.Errorf("%s: %w: %w", where, cache.ErrUnavailable, err)
	}
}

// Codes of the protocol that are answers.
const (
	codeNoSuchKey    = "NoSuchKey"
	codeNotFound     = "NotFound" // HEAD has no body to say what is missing.
	codeNoSuchUpload = "NoSuchUpload"
	codeInvalidRange = "InvalidRange"
)

func is(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, code := range codes {
		if api.ErrorCode() == code {
			return true
		}
	}
	return false
}
