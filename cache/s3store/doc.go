// Package s3store keeps objects in a bucket of S3 or of anything that speaks
// its protocol.
//
// # URL
//
//	s3://bucket/prefix?region=eu-central-1&endpoint=https://s3.example.org&path_style=true
//
// The prefix is optional; an object "a/b" has the key "prefix/a/b". Options,
// all optional:
//
//	region      region of the bucket; otherwise that of the AWS configuration,
//	            otherwise us-east-1 if there is an endpoint
//	endpoint    http:// or https:// URL of the service, for what is not AWS
//	path_style  true for endpoint/bucket/key instead of bucket.endpoint/key
//
// Credentials come from the default chain of the AWS SDK (environment, shared
// files, web identity, container, instance) and never from the URL. The store
// needs s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload,
// s3:ListBucket and, for AbortStale, s3:ListBucketMultipartUploads. Without
// s3:ListBucket S3 answers 403 for what is not there, which is no answer here.
//
// # How an object comes to be
//
// Up to 8 MiB it is one PutObject at Commit. A longer one is a multipart
// upload, whose parts are sent while the caller goes on writing. Parts grow (see
// partSize), so that the limit of 10,000 parts is reached at 242 GiB and not at
// 78 GiB. Each part carries its CRC-32, which the service verifies. A service
// that insists on parts of equal size, as Cloudflare R2 does, stores objects of
// up to 7.8 GiB.
//
// Commit asks for the object afterwards and compares the size. Every object
// carries a random number of its writer as metadata, so that an answer that was
// lost is found out: when the object with this number is there, the writer has
// succeeded, whatever it was told.
//
// A process that dies leaves at most a multipart upload, which nobody sees;
// AbortStale removes it.
//
// # Memory
//
// Bytes wait in chunks of 1 MiB until the service has confirmed their part. A
// writer holds no more than it has been given, rounded up to a chunk, and never
// more than two parts (see window): 16 MiB (16,777,216 bytes) in the first
// 7.8 GiB of an object, 32 MiB up to 54.6 GiB, 64 MiB (67,108,864 bytes) beyond.
// Write blocks until the service has caught up. Readers hold what the HTTP
// client buffers.
//
// # Time
//
// No request has an overall limit, because objects have none. A connection on
// which no byte moves for the stall timeout (Options) is given up, and so is an
// answer that does not begin. The SDK repeats failed requests, and more
// patiently those that carry what was written.
package s3store
