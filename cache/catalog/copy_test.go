package catalog

import "testing"

// What was to be copied may have changed since it was listed: then nothing is begun.
func TestIntendLooksAgain(t *testing.T) {
	for _, tt := range []struct {
		name, change string
		intended     bool
	}{
		{"nothing has changed", `SELECT $1::bigint`, true},
		{"found to be missing", `UPDATE slashbatch.location SET state = 'missing' WHERE variant = $1`, false},
		{"under another object", `UPDATE slashbatch.location SET object = 'results/other' WHERE variant = $1`, false},
		{"with other bytes", `UPDATE slashbatch.variant SET stored = stored + 1 WHERE id = $1`, false},
		{"with another content", `UPDATE slashbatch.variant SET sha256 = repeat('0', 64) WHERE id = $1`, false},
		{"gone", `DELETE FROM slashbatch.variant WHERE id = $1`, false},
		{"copied by now", `INSERT INTO slashbatch.location SELECT variant, 2, object, 'live' FROM slashbatch.location WHERE variant = $1`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, ctx := open(t), t.Context()
			publish(t, c, publication("j", "c", "k", submitted))
			target, _, err := c.StoreByURL(ctx, "file:///two")
			if err != nil || target != 2 {
				t.Fatal(target, err)
			}
			files, err := c.ToCopy(ctx, 1, target, 0, 10)
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			change(t, c, tt.change, files[0].Variant)
			intended, err := c.Intend(ctx, files[0], 1, target)
			if err != nil || intended != tt.intended {
				t.Errorf("intended %t, %v; want %t", intended, err, tt.intended)
			}
			if copying := count(t, c, `location WHERE state = 'copying'`); (copying == 1) != tt.intended {
				t.Errorf("%d files are being copied", copying)
			}
		})
	}
}

// What was copied is not wanted any more when the file has gone, or is another one; then
// its object goes, unless it is a file all the same.
func TestLandedLooksAgain(t *testing.T) {
	for _, tt := range []struct {
		name, change    string
		landed, removed bool
	}{
		{"as it was meant", `SELECT $1::bigint`, true, false},
		{"another run of the same copy was first", `UPDATE slashbatch.location SET state = 'live' WHERE variant = $1`, true, false},
		{"the result has gone", `DELETE FROM slashbatch.variant WHERE id = $1`, false, true},
		{"it has another file now", `DELETE FROM slashbatch.location WHERE variant = $1 AND store = 2`, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, ctx := open(t), t.Context()
			publish(t, c, publication("j", "c", "k", submitted))
			target, _, err := c.StoreByURL(ctx, "file:///two")
			if err != nil {
				t.Fatal(err)
			}
			files, err := c.ToCopy(ctx, 1, target, 0, 10)
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			if ok, err := c.Intend(ctx, files[0], 1, target); !ok || err != nil {
				t.Fatal(ok, err)
			}
			change(t, c, tt.change, files[0].Variant)
			landed, err := c.Landed(ctx, files[0], target)
			if err != nil || landed != tt.landed {
				t.Errorf("landed %t, %v; want %t", landed, err, tt.landed)
			}
			if n := count(t, c, `removal WHERE store = 2`); (n == 1) != tt.removed {
				t.Errorf("%d objects are listed for removal", n)
			}
			if _, err := c.Located(ctx, target, files[0].Object); (err == nil) != tt.landed {
				t.Errorf("in the target: %v", err)
			}
		})
	}
}
