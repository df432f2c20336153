package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashbatch/internal/testenv"
)

// The README's page of assets, as it is written, with nothing but curl.
func TestReadmeAssets(t *testing.T) {
	demo := startDemo(t)
	s := &shell{dir: t.TempDir()}
	s.set("B", demo.base)
	ran := 0
	for _, command := range readme(t, "Assets, batches, named queries") {
		if name, _, assignment := strings.Cut(command, "="); assignment && name == "A" {
			s.set("A", "-u gallery:"+demo.customer)
			continue
		}
		want := "200"
		if strings.Contains(command, "POST") {
			want = "201"
		}
		out, status := s.run(t, command)
		if status != want {
			t.Fatalf("%s: %s\n%s", command, status, out)
		}
		ran++
		var ids []string
		var d struct {
			TotalItems, Count int
			RetryOf           int
		}
		switch {
		case strings.Contains(command, "/batch?"):
			files, err := filepath.Glob(filepath.Join(s.dir, "*.csv"))
			if err != nil || len(files) != 1 {
				t.Fatalf("downloaded %v, %v", files, err)
			}
			if text, err := os.ReadFile(files[0]); err != nil || strings.Count(string(text), "\n") != 476 {
				t.Errorf("%v: %.200s", err, text)
			}
		case strings.Contains(command, "/raw-resource/"):
			if err := json.Unmarshal([]byte(out), &ids); err != nil || len(ids) != 475 {
				t.Errorf("%d ids, %v", len(ids), err)
			}
		case strings.Contains(command, "status=error"):
			if err := json.Unmarshal([]byte(out), &d); err != nil || d.TotalItems != 8 {
				t.Errorf("%.200s: %v", out, err)
			}
		default:
			if err := json.Unmarshal([]byte(out), &d); err != nil || d.RetryOf != 1234 || d.Count != 8 {
				t.Errorf("%.200s: %v", out, err)
			}
		}
	}
	testenv.Report(t, "README: %d commands under assets ran as they are written", ran)
	if ran < 4 {
		t.Error("there are more of them")
	}
}
