package s3store

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Ping implements cache.Store. It begins a multipart upload and takes it back,
// which needs the rights of a writer and is never visible.
func (s *Store) Ping(ctx context.Context) error {
	key := aws.String(s.key(".ping"))
	upload, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: key})
	if err != nil {
		return s.failure(ctx, "ping", "", err)
	}
	_, err = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: key, UploadId: upload.UploadId})
	if err != nil && !is(err, codeNoSuchUpload) {
		return s.failure(ctx, "ping", "", err)
	}
	return nil
}

// AbortStale ends the multipart uploads below the prefix of the store that
// began longer than olderThan ago, by the clock of this process, and returns how
// many. They belong to processes that died; the object of a living writer that
// takes longer is lost with an error at its next Write or at Commit.
func (s *Store) AbortStale(ctx context.Context, olderThan time.Duration) (int, error) {
	limit := time.Now().Add(-olderThan)
	aborted := 0
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: optional(s.prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return aborted, s.failure(ctx, "list uploads", "", err)
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || u.Initiated.After(limit) {
				continue
			}
			_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: u.Key, UploadId: u.UploadId})
			if err != nil && !is(err, codeNoSuchUpload) {
				return aborted, s.failure(ctx, "abort upload", strings.TrimPrefix(aws.ToString(u.Key), s.prefix), err)
			}
			aborted++
		}
	}
	return aborted, nil
}
