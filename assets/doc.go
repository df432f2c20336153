// Package assets is customers' batches of assets: what was ingested in which batch, with
// what outcome, kept for good and counted right; and named queries over it.
//
//	POST a batch ── ParseMembers ──▶ Store.CreateBatch ──▶ batch, batch_asset: waiting
//	                                                          │
//	ingester ◀── Store.Claim (leases) ────────────────────────┤
//	    └─ outcomes ── ParseOutcomes ──▶ Store.Record ──▶ completed, error ──▶ finished ──▶ outbox
//
//	named query: ParseTemplate ── Select(arguments) ──▶ Selection ──▶ a request of an endpoint
//
// Everything that only reads rows is a declared endpoint over these tables, in lists/:
// paging, filters, files and their /batch twins come from the code that all endpoints have.
//
// # What holds
//
// A batch's counts are those of its records: whoever changes a record holds the lock of the
// batch's row, and counts in the statement after. So no count is taken from an old snapshot,
// and the one who records the last member's outcome finishes the batch: exactly once, with
// its event in the same transaction. A completed member stays completed, and an error may
// become completed until the batch is finished; then nothing of it changes any more.
//
// Locks are taken in this order: batches by id, assets by id, the customer's events. Where
// another order cannot be avoided PostgreSQL ends one of two transactions that wait for each
// other, and it is run again.
package assets
