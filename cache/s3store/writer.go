package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slashbatch/cache"
)

// writerKey is the metadata that says who wrote an object.
const writerKey = "slashbatch-writer"

// freshTimeout bounds requests that must be made whatever became of the
// caller's context: to begin an upload, whose name must not be lost, to take it
// back, and to find out what happened.
const freshTimeout = 30 * time.Second

var (
	errEnded    = errors.New("s3 store: the object has been committed or aborted")
	errTooLarge = errors.New("s3 store: the object is larger than 242 GiB, which is what its parts can hold")
)

// Create implements cache.Store. Nothing is asked before the first 8 MiB are
// full or Commit is called.
func (s *Store) Create(ctx context.Context, name string, o cache.ObjectOptions) (cache.Writer, error) {
	if !cache.ValidName(name) {
		return nil, cache.ErrName
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &writer{
		store: s, name: name, contentType: o.ContentType,
		id: rand.Text(), owner: ctx,
		number: 1, current: new(part), freed: make(chan struct{}, 1),
	}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.stop = context.AfterFunc(ctx, func() { _ = w.end(ctx.Err()) })
	return w, nil
}

// writer writes one object.
//
// Parts are sent by goroutines of their own, under ctx. The first that fails
// cancels ctx with its error, which ends the others and the next Write.
type writer struct {
	store       *Store
	name        string
	contentType string
	id          string // tells this writer's object from any other of the name

	owner  context.Context         // that of Create
	ctx    context.Context         // of the parts: ends with owner, or at the first failure
	cancel context.CancelCauseFunc // of ctx
	stop   func() bool             // cancels the abort at the end of owner

	mu      sync.Mutex // held by every call; the end of owner is one, too
	err     error      // what every further call answers; set once the writer has ended
	size    int64
	number  int   // of the current part
	current *part // being filled
	upload  *string

	held  atomic.Int64  // bytes of memory in chunks, of the current part and those on their way
	freed chan struct{} // says that held has become less

	sending sync.WaitGroup
	sentMu  sync.Mutex
	sent    []types.CompletedPart
}

// Write implements cache.Writer. It blocks while the window is full.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		if err := w.failed(); err != nil {
			_ = w.discard(err)
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	written := 0
	for written < len(p) {
		if err := w.prepare(); err != nil {
			_ = w.discard(err)
			return written, err
		}
		n := w.current.append(p[written:])
		written += n
		w.size += int64(n)
	}
	return written, nil
}

// prepare makes room for at least one byte in the current part.
func (w *writer) prepare() error {
	if err := w.failed(); err != nil {
		return err
	}
	if w.current.size == partSize(w.number) {
		if err := w.send(); err != nil {
			return err
		}
	}
	if partSize(w.number) == 0 {
		return errTooLarge
	}
	if w.current.room() > 0 {
		return nil
	}
	for w.held.Load()+chunkSize > window(w.number) {
		select {
		case <-w.freed:
		case <-w.ctx.Done():
			return w.failed()
		}
	}
	w.held.Add(chunkSize)
	w.current.chunks = append(w.current.chunks, w.store.chunks.get())
	return nil
}

// failed returns why the writer cannot go on, if so.
func (w *writer) failed() error {
	if err := w.owner.Err(); err != nil {
		return err
	}
	return context.Cause(w.ctx)
}

// send lets the current part travel and begins the next.
func (w *writer) send() error {
	if w.upload == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	p, number := w.current, w.number
	w.current, w.number = new(part), number+1
	w.sending.Go(func() {
		defer w.release(p)
		out, err := w.store.client.UploadPart(w.ctx, &s3.UploadPartInput{
			Bucket: &w.store.bucket, Key: w.key(), UploadId: w.upload,
			PartNumber:    aws.Int32(int32(number)),
			Body:          p.reader(),
			ContentLength: aws.Int64(p.size),
			ChecksumCRC32: aws.String(p.checksum()),
		}, w.store.patient)
		if err != nil {
			w.cancel(w.store.failure(w.ctx, fmt.Sprintf("upload part %d of", number), w.name, err))
			return
		}
		w.sentMu.Lock()
		defer w.sentMu.Unlock()
		w.sent = append(w.sent, types.CompletedPart{
			PartNumber:    aws.Int32(int32(number)),
			ETag:          out.ETag,
			ChecksumCRC32: aws.String(p.checksum()),
		})
	})
	return nil
}

// begin starts the multipart upload, whatever becomes of the caller meanwhile:
// an upload whose name is not known can only be swept away later.
func (w *writer) begin() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), freshTimeout)
	defer cancel()
	out, err := w.store.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &w.store.bucket, Key: w.key(),
		ContentType:       optional(w.contentType),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		Metadata:          map[string]string{writerKey: w.id},
	})
	if err != nil {
		// The time limit is this function's, not the caller's.
		return w.store.failure(w.ctx, "create", w.name, err)
	}
	w.upload = out.UploadId
	return nil
}

// release gives the memory of a part back. The SDK has closed the request's
// body by now, so nobody reads it any more.
func (w *writer) release(p *part) {
	w.store.chunks.put(p.chunks)
	w.held.Add(-int64(len(p.chunks)) * chunkSize)
	p.chunks = nil
	select {
	case w.freed <- struct{}{}:
	default: // It has been said.
	}
}

// Abort implements cache.Writer. An upload that cannot be taken back now is
// left to AbortStale.
func (w *writer) Abort() error {
	w.stop()
	return w.end(errEnded)
}

func (w *writer) end(reason error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil
	}
	return w.discard(reason)
}

// discard ends the writer; every further call answers reason.
func (w *writer) discard(reason error) error {
	w.err = reason
	w.finish(reason)
	return w.takeBack()
}

// finish stops what is on its way and gives all memory back.
func (w *writer) finish(reason error) {
	w.stop()
	w.cancel(reason)
	w.sending.Wait()
	w.release(w.current)
}

// takeBack aborts the multipart upload, if there is one. From then on the
// object cannot appear any more.
func (w *writer) takeBack() error {
	if w.upload == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), freshTimeout)
	defer cancel()
	_, err := w.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &w.store.bucket, Key: w.key(), UploadId: w.upload,
	})
	if err != nil && !is(err, codeNoSuchUpload) {
		return w.store.failure(context.WithoutCancel(ctx), "abort", w.name, err)
	}
	w.upload = nil
	return nil
}

func (w *writer) key() *string { return aws.String(w.store.key(w.name)) }

// completed returns the parts in order.
func (w *writer) completed() []types.CompletedPart {
	w.sentMu.Lock()
	defer w.sentMu.Unlock()
	slices.SortFunc(w.sent, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	return w.sent
}
