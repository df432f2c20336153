-- The demo's customer of assets: 3 finished batches and an open one, and named queries over
-- them. The tables are the service's own.

INSERT INTO slashbatch.space (customer, id, name) VALUES (99, 1, 'maps'), (99, 2, 'prints');

INSERT INTO slashbatch.batch (id, customer, submitted, count, completed, errors, finished, revision)
VALUES (1234, 99, now() - interval '20 days', 250, 242, 8, now() - interval '20 days' + interval '9 minutes', 250),
       (5555, 99, now() - interval '6 days', 250, 250, 0, now() - interval '6 days' + interval '12 minutes', 250),
       (9999, 99, now() - interval '1 hour', 100, 80, 0, NULL, 80);
SELECT setval(pg_get_serial_sequence('slashbatch.batch', 'id'), 9999);

-- Members of 5555 with even numbers were in 1234 before.
INSERT INTO slashbatch.batch_asset (batch_id, asset_id, status, error, finished)
SELECT 1234, format('99/1/sheet-%s', n), CASE WHEN n % 35 = 3 THEN 'error' ELSE 'completed' END,
       CASE WHEN n % 35 = 3 THEN 'the origin answered 404' ELSE '' END, now() - interval '20 days' + n * interval '2 seconds'
FROM generate_series(1, 250) n;
INSERT INTO slashbatch.batch_asset (batch_id, asset_id, status, finished)
SELECT 5555, CASE WHEN n % 2 = 0 THEN format('99/1/sheet-%s', n) ELSE format('99/2/print-%s', n) END, 'completed', now() - interval '6 days' + n * interval '3 seconds'
FROM generate_series(1, 250) n;
INSERT INTO slashbatch.batch_asset (batch_id, asset_id, status, finished)
SELECT 9999, format('99/2/poster-%s', n), CASE WHEN n > 80 THEN 'waiting' ELSE 'completed' END, CASE WHEN n <= 80 THEN now() - interval '30 minutes' END
FROM generate_series(1, 100) n;

INSERT INTO slashbatch.asset (id, customer, space, key, origin, media_type, string1, string2, number1, tags, manifests, created, finished, error, ingesting, batch)
SELECT DISTINCT ON (m.asset_id) m.asset_id, 99, split_part(m.asset_id, '/', 2)::int, k.key, 'https://images.example.org/' || k.key || '.tif', 'image/tiff',
       'cabinet-' || k.n % 5, 'drawer ' || k.n % 20, k.n, ARRAY['demo'], ARRAY['atlas-' || k.n % 3],
       b.submitted, m.finished, m.error, m.status = 'waiting', m.batch_id
FROM slashbatch.batch_asset m JOIN slashbatch.batch b ON b.id = m.batch_id,
     LATERAL (SELECT split_part(m.asset_id, '/', 3) AS key, split_part(m.asset_id, '-', 2)::int AS n) k
ORDER BY m.asset_id, m.batch_id DESC;

INSERT INTO slashbatch.named_query (id, customer, name, template)
VALUES (gen_random_uuid(), 99, 'report', 'batch=p1&assetOrder=n1'), (gen_random_uuid(), 99, 'cabinet', 's1=p1&s2=p2&assetOrder=n1 desc');
