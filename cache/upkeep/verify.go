package upkeep

import (
	"context"
	"errors"
	"sync"
	"time"

	"slashbatch/cache"
)

// What can be wrong with an object.
const (
	KindMissing    = "missing"    // the catalogue has it, the store does not
	KindDamaged    = "damaged"    // it is not what the catalogue has of it
	KindUnreadable = "unreadable" // the store gives no clear answer
	KindOrphan     = "orphan"     // nobody knows it
)

// Finding is an object with which something is wrong.
type Finding struct {
	Object string `json:"object"`
	Kind   string `json:"kind"`
	Reason string `json:"reason,omitempty"`
}

// VerifyOptions tune Verify. The zero value looks, and changes nothing.
type VerifyOptions struct {
	// Parallel is how many files are read at a time. Defaults to 8.
	Parallel int
	// OrphanAge: younger objects without a row are left to who may still work on them.
	OrphanAge time.Duration
	// MarkMissing marks the files that are not there as missing, so that they are
	// computed again, however many they are; and those that came back as live.
	MarkMissing bool
	// RestoreMarker marks a store again that has lost its marker: before anything else
	// when files shall be marked as missing; otherwise only if the files are there.
	RestoreMarker bool
	// Progress is told how far it is, Found what is wrong, one at a time.
	Progress func(Progress)
	Found    func(Finding)
}

// VerifyReport counts what Verify has found.
type VerifyReport struct {
	// Files have been read, with so many Bytes; the others are findings, by kind.
	Files                                  int
	Bytes                                  int64
	Missing, Damaged, Unreadable, Orphaned int
	// Marked are noted as missing by now. Back were noted as missing, and are there, whole;
	// if MarkMissing was asked for they are read again.
	Marked, Back int
	// Restored: the store bears its marker again.
	Restored bool
	// Marker says what is wrong with the marker; empty: nothing.
	Marker string
}

// Clean reports whether nothing was wrong.
func (r VerifyReport) Clean() bool {
	return r.Missing+r.Damaged+r.Unreadable+r.Orphaned == 0 && r.Marker == ""
}

// Verify reads every file that the catalogue has in a store, and compares size and
// content with it; and it looks for objects that nobody knows. It changes nothing but
// what it is asked to.
//
// *MarkerError: files shall be marked as missing in a store that is not the one it
// should be. *BrakeError: a marker shall be restored where too many files are missing.
func Verify(ctx context.Context, l Ledger, s Store, o VerifyOptions) (VerifyReport, error) {
	v := &verifier{VerifyOptions: o, ledger: l, store: s}
	if v.Parallel <= 0 {
		v.Parallel = 8
	}
	if o.MarkMissing && o.RestoreMarker {
		if err := v.restore(ctx); err != nil {
			return v.report, err
		}
	}
	wrong := ours(ctx, l, s)
	if m, ok := errors.AsType[*MarkerError](wrong); ok {
		v.report.Marker = m.Reason
	}
	if wrong != nil && (v.report.Marker == "" || o.MarkMissing) {
		return v.report, wrong
	}
	var err error
	if v.began, err = l.Clock(ctx); err != nil {
		return v.report, err
	}
	if v.progress.OfFiles, v.progress.OfBytes, err = l.Held(ctx, s.ID); err != nil {
		return v.report, err
	}
	if err := v.look(ctx); err != nil {
		return v.report, err
	}
	if o.RestoreMarker && v.report.Marker != "" {
		if files := v.report.Files + v.report.Missing; tooMany(v.report.Missing, files) {
			return v.report, &BrakeError{s.URL, v.report.Missing, files}
		}
		return v.report, v.restore(ctx)
	}
	return v.report, nil
}

// verifier is one run of Verify.
type verifier struct {
	VerifyOptions
	ledger Ledger
	store  Store
	began  time.Time

	mu       sync.Mutex
	report   VerifyReport
	progress Progress
	failed   error // of the catalogue: there is nothing to compare with
}

func (v *verifier) restore(ctx context.Context) error {
	if err := RestoreMarker(ctx, v.ledger, v.store); err != nil {
		return err
	}
	v.report.Restored, v.report.Marker = true, ""
	return nil
}

// look walks over store and books, with several files being read at a time.
func (v *verifier) look(caller context.Context) error {
	ctx, stop := context.WithCancel(caller)
	defer stop()
	files := make(chan cache.Located)
	var reading sync.WaitGroup
	for range v.Parallel {
		reading.Go(func() {
			for f := range files {
				if v.file(ctx, f) != nil {
					stop()
				}
			}
		})
	}
	read := func(f cache.Located) error {
		if !f.Verified.Before(v.began) {
			return nil
		}
		select {
		case files <- f:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := sideBySide(ctx, v.ledger, v.store, visitor{
		both: func(f cache.Located, _ int64) error {
			if f.Live || f.Missing {
				return read(f)
			}
			return nil
		},
		row: func(f cache.Located) error {
			if f.Live {
				return read(f)
			}
			return nil
		},
		objects: func(objects []cache.Object) error {
			for _, o := range objects {
				if olderThan(o, v.OrphanAge) {
					v.finding(Finding{Object: o.Name, Kind: KindOrphan})
				}
			}
			return nil
		},
	})
	close(files)
	reading.Wait()
	if v.failed != nil {
		return v.failed
	}
	if err == nil {
		err = context.Cause(caller)
	}
	return err
}

// file reads a file. Its error is the catalogue's.
func (v *verifier) file(ctx context.Context, f cache.Located) error {
	err := checkObject(ctx, v.store, f)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the one who stopped it says why
	}
	switch {
	case f.Missing && err == nil:
		return v.back(ctx, f)
	case f.Missing && errors.Is(err, cache.ErrNotFound):
		return nil // as is known
	case err == nil:
		v.done(f, func() { v.report.Files, v.report.Bytes = v.report.Files+1, v.report.Bytes+f.Stored })
		return nil
	}
	// It may have been evicted or replaced while it was read.
	now, fault := v.ledger.Located(ctx, v.store.ID, f.Object)
	if errors.Is(fault, cache.ErrNotFound) || fault == nil && (now.Live != f.Live || now.SHA256 != f.SHA256) {
		v.done(f, func() {})
		return nil
	}
	marked := 0
	if fault == nil && errors.Is(err, cache.ErrNotFound) && v.MarkMissing {
		marked, fault = v.ledger.MarkMissing(ctx, v.store.ID, []string{f.Object}, v.began)
	}
	if fault != nil {
		return v.fail(fault)
	}
	finding := Finding{f.Object, KindUnreadable, err.Error()}
	if damaged, ok := errors.AsType[*DamagedError](err); ok {
		finding.Kind, finding.Reason = KindDamaged, damaged.Reason
	} else if errors.Is(err, cache.ErrNotFound) {
		finding.Kind, finding.Reason = KindMissing, ""
	}
	v.finding(finding)
	v.done(f, func() { v.report.Marked += marked })
	return nil
}

// back notes that a file that was missing is there, whole. Its error is the catalogue's.
func (v *verifier) back(ctx context.Context, f cache.Located) error {
	if v.MarkMissing {
		n, err := v.ledger.MarkLive(ctx, v.store.ID, []string{f.Object}, v.began)
		if err != nil {
			return v.fail(err)
		}
		if n == 0 {
			return nil // it has gone, or been replaced
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Back++
	return nil
}

// fail keeps an error of the catalogue.
func (v *verifier) fail(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = err
	return err
}

func (v *verifier) finding(f Finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch f.Kind {
	case KindMissing:
		v.report.Missing++
	case KindDamaged:
		v.report.Damaged++
	case KindOrphan:
		v.report.Orphaned++
	default:
		v.report.Unreadable++
	}
	if v.Found != nil {
		v.Found(f)
	}
}

// done counts a file that has been dealt with.
func (v *verifier) done(f cache.Located, count func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	count()
	p := &v.progress
	p.Files, p.Bytes = p.Files+1, p.Bytes+f.Stored
	p.OfFiles, p.OfBytes = max(p.OfFiles, p.Files), max(p.OfBytes, p.Bytes)
	if v.Progress != nil {
		v.Progress(*p)
	}
}
