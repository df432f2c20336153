package s3store

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slashbatch/cache"
)

// Commit implements cache.Writer.
func (w *writer) Commit(ctx context.Context) (cache.Object, error) {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return cache.Object{}, w.err
	}
	o, err := w.publish(ctx)
	if err != nil {
		_ = w.discard(err)
		return cache.Object{}, err
	}
	w.err = errEnded
	w.finish(errEnded)
	return o, nil
}

func (w *writer) publish(ctx context.Context) (cache.Object, error) {
	if err := w.failed(); err != nil {
		return cache.Object{}, err
	}
	if err := ctx.Err(); err != nil {
		return cache.Object{}, err
	}
	if w.upload == nil && w.number == 1 {
		return w.put(ctx)
	}

	// The parts obey the context of Create; now they obey this one, too.
	stop := context.AfterFunc(ctx, func() { w.cancel(ctx.Err()) })
	defer stop()
	if w.current.size > 0 {
		if err := w.send(); err != nil {
			return cache.Object{}, err
		}
	}
	w.sending.Wait()
	if err := w.failed(); err != nil {
		return cache.Object{}, err
	}
	return w.complete(ctx)
}

// put stores a small object in one request.
func (w *writer) put(ctx context.Context) (cache.Object, error) {
	_, err := w.store.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &w.store.bucket, Key: w.key(),
		Body:          w.current.reader(),
		ContentLength: aws.Int64(w.current.size),
		ContentType:   optional(w.contentType),
		ChecksumCRC32: aws.String(w.current.checksum()),
		Metadata:      map[string]string{writerKey: w.id},
	}, w.store.patient)
	return w.settle(ctx, err)
}

// complete puts the parts together. When that fails the upload is taken back
// before anybody looks, so that what is seen then remains true.
func (w *writer) complete(ctx context.Context) (cache.Object, error) {
	_, err := w.store.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.store.bucket, Key: w.key(), UploadId: w.upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.completed()},
		MpuObjectSize:   aws.Int64(w.size),
	}, w.store.complete)
	if err != nil {
		_ = w.takeBack() // Its error says no more than what settle finds.
	}
	return w.settle(ctx, err)
}

// settle finds out what became of the request that published the object, and
// answered refused or nothing (refused == nil: it succeeded). The object itself
// knows: it carries the number of its writer.
//
// A success stands even if the service cannot be asked again, or if somebody
// else has replaced the object already: the service has verified each part. It
// does not stand if the object is not there or has another size.
func (w *writer) settle(caller context.Context, refused error) (cache.Object, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), freshTimeout)
	defer cancel()
	head, err := w.store.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &w.store.bucket, Key: w.key()})

	stored := cache.Object{Name: w.name, Size: w.size, Modified: time.Now()}
	switch {
	case err == nil && head.Metadata[writerKey] == w.id:
		if size := aws.ToInt64(head.ContentLength); size != w.size {
			return cache.Object{}, w.store.failure(ctx, "commit", w.name, fmt.Errorf("%d bytes were written, the object has %d", w.size, size))
		}
		stored.Modified = aws.ToTime(head.LastModified)
		return stored, nil
	case refused != nil:
		return cache.Object{}, w.store.failure(caller, "commit", w.name, refused)
	case is(err, codeNotFound, codeNoSuchKey):
		return cache.Object{}, fmt.Errorf("s3 store: commit s3://%s/%s: %w: the service took the object, and does not have it", w.store.bucket, *w.key(), cache.ErrUnavailable)
	default:
		return stored, nil
	}
}
