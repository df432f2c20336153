package cache

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Fallback reads from several stores as if they were one, as while files move from
// one to another. Objects are created in the first, which also answers for List,
// Ping and Backend; what it does not have is looked for in the others, in their
// order. Delete removes an object from all of them.
//
// An object is not found when every store says so. If one of them could not be
// asked and no other has it, that is the error.
func Fallback(first Store, more ...Store) Store {
	if len(more) == 0 {
		return first
	}
	return &fallback{first, append([]Store{first}, more...)}
}

type fallback struct {
	first Store
	all   []Store
}

// Create implements Store.
func (f *fallback) Create(ctx context.Context, name string, o ObjectOptions) (Writer, error) {
	return f.first.Create(ctx, name, o)
}

// Open implements Store.
func (f *fallback) Open(ctx context.Context, name string, offset, length int64) (body io.ReadCloser, o Object, err error) {
	err = f.find(ctx, func(s Store) error {
		body, o, err = s.Open(ctx, name, offset, length)
		return err
	})
	return body, o, err
}

// Stat implements Store.
func (f *fallback) Stat(ctx context.Context, name string) (o Object, err error) {
	err = f.find(ctx, func(s Store) error {
		o, err = s.Stat(ctx, name)
		return err
	})
	return o, err
}

// SignURL implements Store. Signing asks nothing, so the object is looked for first.
func (f *fallback) SignURL(ctx context.Context, name string, o SignOptions) (signed string, err error) {
	var has Store
	if err := f.find(ctx, func(s Store) error {
		_, err := s.Stat(ctx, name)
		has = s
		return err
	}); err != nil {
		return "", err
	}
	return has.SignURL(ctx, name, o)
}

// find asks one store after the other until one has it.
func (f *fallback) find(ctx context.Context, look func(Store) error) error {
	var away error
	for _, s := range f.all {
		switch err := look(s); {
		case err == nil || errors.Is(err, ErrName) || ctx.Err() != nil:
			return err
		case !errors.Is(err, ErrNotFound) && away == nil:
			away = err
		}
	}
	if away != nil {
		return away
	}
	return ErrNotFound
}

// Delete implements Store. The stores that are only read from are asked first: one
// that may not be written to is no obstacle as long as it does not have the object.
func (f *fallback) Delete(ctx context.Context, name string) error {
	failed := f.first.Delete(ctx, name)
	if errors.Is(failed, ErrName) {
		return failed
	}
	for _, s := range f.all[1:] {
		_, err := s.Stat(ctx, name)
		if err == nil {
			err = s.Delete(ctx, name)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// List implements Store.
func (f *fallback) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return f.first.List(ctx, prefix)
}

// Ping implements Store.
func (f *fallback) Ping(ctx context.Context) error { return f.first.Ping(ctx) }

// Backend implements Store.
func (f *fallback) Backend() string { return f.first.Backend() }
