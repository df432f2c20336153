package s3store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"slashbatch/cache"
)

// Options tune a store. The zero value is good.
type Options struct {
	// StallTimeout is how long a connection may stand still, within a request or
	// waiting for its answer. Defaults to 1 minute.
	StallTimeout time.Duration

	// CompleteTimeout is how long the service may take to put the parts of an
	// object together. Amazon answers bit by bit, others copy the whole object
	// first. Defaults to 15 minutes.
	CompleteTimeout time.Duration

	// UploadAttempts is how often a request that carries or publishes what was
	// written is sent before the object is given up; the pauses grow to 20
	// seconds. Other requests are sent up to 3 times. Defaults to 8, which
	// outlasts half a minute without the service.
	UploadAttempts int
}

// Store is a cache.Store in a bucket.
type Store struct {
	bucket  string
	prefix  string // of every key: empty, or ending with a slash
	client  *s3.Client
	presign *s3.PresignClient
	chunks  chunks

	patient  func(*s3.Options) // for requests that carry what was written
	complete func(*s3.Options) // for those that may take long besides
}

var _ cache.Store = (*Store)(nil)

// OpenURL opens the store of a URL, see the package comment. It does not ask
// the service anything: Ping does. The context bounds only the reading of the
// configuration.
func OpenURL(ctx context.Context, u *url.URL, o Options) (*Store, error) {
	t, err := parseURL(u)
	if err != nil {
		return nil, err
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = time.Minute
	}
	if o.CompleteTimeout <= 0 {
		o.CompleteTimeout = 15 * time.Minute
	}
	if o.UploadAttempts <= 0 {
		o.UploadAttempts = 8
	}

	cfg, err := config.LoadDefaultConfig(ctx, func(c *config.LoadOptions) error {
		if t.region != "" {
			c.Region = t.region
		}
		c.Logger = logging.Nop{} // Errors are returned, and signed URLs are for nobody's log.
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("s3 store: AWS configuration: %w", err)
	}
	if cfg.Region == "" && t.endpoint != "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Region == "" {
		return nil, errors.New("s3 store: no region: set the option region of the URL or AWS_REGION")
	}
	quick := httpClient(cfg.HTTPClient, o.StallTimeout)
	slow := httpClient(cfg.HTTPClient, max(o.StallTimeout, o.CompleteTimeout))

	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.HTTPClient = quick
		so.UsePathStyle = t.pathStyle
		if t.endpoint != "" {
			so.BaseEndpoint = aws.String(t.endpoint)
		}
	})
	return &Store{
		bucket: t.bucket,
		prefix: t.prefix,
		client: client,
		presign: s3.NewPresignClient(client, s3.WithPresignClientFromClientOptions(func(so *s3.Options) {
			// A checksum mode would become a header that the browser must send.
			so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		})),
		patient: func(so *s3.Options) { so.RetryMaxAttempts = o.UploadAttempts },
		complete: func(so *s3.Options) {
			so.RetryMaxAttempts = o.UploadAttempts
			so.HTTPClient = slow
		},
	}, nil
}

// Backend implements cache.Store.
func (s *Store) Backend() string { return "s3" }

func (s *Store) key(name string) string { return s.prefix + name }

// Stat implements cache.Store.
func (s *Store) Stat(ctx context.Context, name string) (cache.Object, error) {
	if !cache.ValidName(name) {
		return cache.Object{}, cache.ErrName
	}
	return s.stat(ctx, "stat", name)
}

func (s *Store) stat(ctx context.Context, op, name string) (cache.Object, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String(s.key(name))})
	if err != nil {
		err = s.failure(ctx, op, name, err)
		if errors.Is(err, cache.ErrNotFound) {
			if missing := s.bucketMissing(ctx); missing != nil {
				return cache.Object{}, missing
			}
		}
		return cache.Object{}, err
	}
	return cache.Object{Name: name, Size: aws.ToInt64(head.ContentLength), Modified: aws.ToTime(head.LastModified)}, nil
}

// bucketMissing tells a missing bucket, which is a fault, from a missing object,
// which is an answer. HEAD says the same 404 about both.
func (s *Store) bucketMissing(ctx context.Context) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if is(err, codeNotFound, "NoSuchBucket") {
		return fmt.Errorf("s3 store: %w: there is no bucket %s", cache.ErrUnavailable, s.bucket)
	}
	return nil
}

// Delete implements cache.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if !cache.ValidName(name) {
		return cache.ErrName
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.key(name))})
	if err != nil {
		if err = s.failure(ctx, "delete", name, err); !errors.Is(err, cache.ErrNotFound) {
			return err
		}
	}
	return nil
}

// List implements cache.Store. Pages hold 1,000 objects.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[cache.Object, error] {
	return func(yield func(cache.Object, error) bool) {
		if prefix != "" && !cache.ValidName(prefix) && !cache.ValidName(prefix+"a") {
			return
		}
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
			Bucket: &s.bucket,
			Prefix: aws.String(s.key(prefix)),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(cache.Object{}, s.failure(ctx, "list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				name := strings.TrimPrefix(aws.ToString(o.Key), s.prefix)
				if !cache.ValidName(name) {
					continue
				}
				if !yield(cache.Object{Name: name, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// SignURL implements cache.Store. Nothing is asked: the URL of what is not there
// answers 404. With credentials that expire sooner, so does the URL.
func (s *Store) SignURL(ctx context.Context, name string, o cache.SignOptions) (string, error) {
	if !cache.ValidName(name) {
		return "", cache.ErrName
	}
	if o.TTL <= 0 {
		return "", fmt.Errorf("s3 store: sign %s: a URL cannot live for %v", name, o.TTL)
	}
	// The signature counts in whole seconds.
	ttl := min((o.TTL + time.Second - 1).Truncate(time.Second), cache.MaxSignTTL)
	signed, err := s.presign.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket:                     &s.bucket,
		Key:                        aws.String(s.key(name)),
		ResponseContentType:        optional(o.ContentType),
		ResponseContentEncoding:    optional(o.ContentEncoding),
		ResponseContentDisposition: optional(o.ContentDisposition),
	}, s3.WithPresignExpires(ttl))
	if err != nil {
		return "", s.failure(ctx, "sign", name, err)
	}
	for header := range signed.SignedHeader {
		if header != "Host" {
			return "", fmt.Errorf("s3 store: sign %s: the URL would need the header %s", name, header)
		}
	}
	return signed.URL, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
