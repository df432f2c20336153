package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"slashbatch/cache"
)

// marker is the content of cache.MarkerObject.
type marker struct {
	Catalog string `json:"catalog"`
	Store   int64  `json:"store"`
}

const (
	// maxMarker bounds what is read of an object that might be anybody's.
	maxMarker = 4 << 10
	// markerPatience is how long a store may take over its marker before it is away.
	markerPatience = 10 * time.Second
)

// errMarker: an object of the marker's name is something else.
var errMarker = errors.New("its " + cache.MarkerObject + " is not a marker of slashbatch")

// readMarker returns the marker of a store. cache.ErrNotFound: it has none;
// errMarker: it has another object of this name.
func readMarker(ctx context.Context, s cache.Store) (marker, error) {
	ctx, cancel := context.WithTimeout(ctx, markerPatience)
	defer cancel()
	body, _, err := s.Open(ctx, cache.MarkerObject, 0, maxMarker)
	if err != nil {
		return marker{}, err
	}
	defer func() { _ = body.Close() }() // it was read only
	text, err := io.ReadAll(body)
	if err != nil {
		return marker{}, err
	}
	var m marker
	if json.Unmarshal(text, &m) != nil || m.Catalog == "" || m.Store == 0 {
		return marker{}, errMarker
	}
	return m, nil
}

func writeMarker(ctx context.Context, s cache.Store, m marker) error {
	ctx, cancel := context.WithTimeout(ctx, markerPatience)
	defer cancel()
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w, err := s.Create(ctx, cache.MarkerObject, cache.ObjectOptions{ContentType: "application/json"})
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }() // after Commit it does nothing
	if _, err := w.Write(append(text, '\n')); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// Registration is what became of a store at its registration.
type Registration struct {
	// ID is the store's in the catalogue.
	ID int64
	// Marked: it bears our marker now. Without it the store is neither swept nor checked.
	Marked bool
	// Away is why the store could not be asked; registering again may say more.
	Away error
	// Warning is for the log: the store is not marked, and will not be by itself.
	Warning string
}

// Register finds out which store of the catalogue is at a URL, which is without
// credentials, and marks one that has never been used. What the store's marker says
// counts more than its URL: so a store may move. A store that had its marker and has
// lost it is not marked again; see RestoreMarker. The store of the first version, whose URL
// nobody noted, is the one that has its files. The error is the catalogue's only.
func Register(ctx context.Context, r Registry, s cache.Store, url string) (Registration, error) {
	name, err := r.Name(ctx)
	if err != nil {
		return Registration{}, err
	}
	m, away := readMarker(ctx, s)
	known := cache.Registered{}
	if away == nil && m.Catalog == name {
		if known, err = lookUp(ctx, r, func(k cache.Registered) bool { return k.ID == m.Store }); err != nil && !errors.Is(err, cache.ErrNotFound) {
			return Registration{}, err
		}
	}
	if known.ID != 0 {
		if err := found(ctx, r, known, url); err != nil {
			return Registration{}, err
		}
	}
	// Before it is marked as anything else. Where it could not be asked it is asked again.
	if away == nil && m.Catalog == name || errors.Is(away, cache.ErrNotFound) {
		if err := place(ctx, r, s, url); err != nil {
			return Registration{}, err
		}
	}
	if known.ID != 0 {
		return Registration{ID: known.ID, Marked: true}, nil
	}
	id, marked, err := r.StoreByURL(ctx, url)
	if err != nil {
		return Registration{}, err
	}
	if marked && errors.Is(away, cache.ErrNotFound) {
		m, away = readMarker(ctx, s) // another process may have been at it
	}
	ours := marker{Catalog: name, Store: id}
	switch {
	case away == nil && m == ours:
		return Registration{ID: id, Marked: true}, r.Marked(ctx, id)
	case away == nil && m.Catalog != name:
		return Registration{ID: id, Warning: "it is marked as the store of another catalogue"}, nil
	case errors.Is(away, errMarker):
		return Registration{ID: id, Warning: away.Error()}, nil
	case errors.Is(away, cache.ErrNotFound) && marked:
		return Registration{ID: id, Warning: "it has lost its marker: is this the right folder or bucket, and mounted?"}, nil
	case away != nil && !errors.Is(away, cache.ErrNotFound):
		return Registration{ID: id, Away: away}, nil
	}
	// Never marked, or as a store that the catalogue has retired.
	if err := writeMarker(ctx, s, ours); err != nil {
		return Registration{ID: id, Away: err}, nil //nolint:nilerr // that is what Away is for
	}
	return Registration{ID: id, Marked: true}, r.Marked(ctx, id)
}

// found notes under which URL a store is now.
func found(ctx context.Context, r Registry, known cache.Registered, url string) error {
	if known.URL == url && known.Marked {
		return nil
	}
	if err := r.SetAside(ctx, known.ID, url); err != nil {
		return err
	}
	return r.MoveStore(ctx, known.ID, url)
}

// lookUp returns a store that the catalogue knows; cache.ErrNotFound when there is none.
func lookUp(ctx context.Context, r Registry, is func(cache.Registered) bool) (cache.Registered, error) {
	all, err := r.Stores(ctx)
	if err != nil {
		return cache.Registered{}, err
	}
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], nil
	}
	return cache.Registered{}, cache.ErrNotFound
}

// Known finds the store at a URL without making it known, and says whether it bears
// our marker. cache.ErrNotFound: the catalogue knows no store there.
func Known(ctx context.Context, r Registry, s cache.Store, url string) (Registration, error) {
	name, err := r.Name(ctx)
	if err != nil {
		return Registration{}, err
	}
	m, err := readMarker(ctx, s)
	switch {
	case err == nil && m.Catalog == name:
		known, err := lookUp(ctx, r, func(k cache.Registered) bool { return k.ID == m.Store })
		return Registration{ID: known.ID, Marked: err == nil}, err
	case err != nil && !errors.Is(err, cache.ErrNotFound) && !errors.Is(err, errMarker):
		return Registration{}, err
	}
	known, err := lookUp(ctx, r, func(k cache.Registered) bool { return k.URL == url })
	return Registration{ID: known.ID}, err
}

// MarkerError says why a store is not swept, checked or copied.
type MarkerError struct{ URL, Reason string }

func (e *MarkerError) Error() string {
	return fmt.Sprintf("the store %s %s; nothing was changed", e.URL, e.Reason)
}

// ours asks a store for its marker; see bears.
func ours(ctx context.Context, r Registry, s Store) error {
	name, err := r.Name(ctx)
	if err != nil {
		return err
	}
	return bears(ctx, s, marker{name, s.ID})
}

// bears asks a store for its marker: *MarkerError when it is not the one that it should
// be, any other error when the store could not be asked.
func bears(ctx context.Context, s Store, want marker) error {
	m, err := readMarker(ctx, s)
	switch {
	case errors.Is(err, cache.ErrNotFound):
		return &MarkerError{s.URL, "has no marker: is this the right folder or bucket, and mounted?"}
	case errors.Is(err, errMarker):
		return &MarkerError{s.URL, "cannot be told: " + err.Error()}
	case err != nil:
		return err
	case m.Catalog != want.Catalog:
		return &MarkerError{s.URL, "belongs to another catalogue"}
	case m != want:
		return &MarkerError{s.URL, fmt.Sprintf("is store %d of the catalogue, not %d", m.Store, want.Store)}
	}
	return nil
}

// RestoreMarker marks a store again that has lost its marker. A marker that says
// something else stays: *MarkerError.
func RestoreMarker(ctx context.Context, r Registry, s Store) error {
	name, err := r.Name(ctx)
	if err != nil {
		return err
	}
	want := marker{name, s.ID}
	wrong := bears(ctx, s, want)
	if wrong == nil {
		return r.Marked(ctx, s.ID)
	}
	if _, err := readMarker(ctx, s); !errors.Is(err, cache.ErrNotFound) && !errors.Is(err, errMarker) {
		return wrong
	}
	if err := writeMarker(ctx, s, want); err != nil {
		return err
	}
	return r.Marked(ctx, s.ID)
}
