package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/testenv"
)

// shell keeps what commands of the README need from one to the next: variables of the
// shell, and a folder for what they download.
type shell struct {
	dir  string
	vars []string
}

// run runs a command as it is written, but for curl's words about itself: they become
// the last line, the HTTP status.
func (s *shell) run(t *testing.T, command string) (out string, status string) {
	t.Helper()
	// Failing on 4xx is not curl's default, so the status is asked for.
	script := `curl() { command curl -sS -w '\n%{http_code}' "$@"; }` + "\n" + command
	c := exec.Command("bash", "-euo", "pipefail", "-c", script)
	c.Dir, c.Env = s.dir, append(os.Environ(), s.vars...)
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, text)
	}
	i := strings.LastIndex(string(text), "\n")
	return string(text[:max(i, 0)]), string(text[i+1:])
}

// readme is a section's commands of the shell: assignments, and curl with the lines
// that belong to it.
func readme(t *testing.T, title string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+title+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(section)
	if !found || block == nil {
		t.Fatalf("README.md has no commands under %q", title)
	}
	for line := range strings.Lines(block[1]) {
		switch line := strings.TrimRight(line, "\n"); {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "  "):
			commands[len(commands)-1] += "\n" + line
		default:
			commands = append(commands, line)
		}
	}
	return commands
}

func (s *shell) set(name, value string) { s.vars = append(s.vars, name+"="+value) }

// The README's page of SQL jobs, as it is written, with nothing but curl.
func TestReadmeSQL(t *testing.T) {
	demo := startDemo(t)
	s := &shell{dir: t.TempDir()}
	s.set("B", demo.base)
	var job struct {
		ID     string `json:"job_id"`
		Status string `json:"status"`
	}
	ran := 0
	for _, command := range readme(t, "SQL jobs") {
		name, value, assignment := strings.Cut(command, "=")
		switch {
		case assignment && name == "KEY":
			s.set("KEY", demo.key)
			continue
		case assignment && name == "ID":
			s.set("ID", job.ID)
			continue
		case assignment && name == "J":
			s.set("J", os.Expand(value, func(string) string { return demo.base }))
			continue
		}
		want := "200"
		switch {
		case strings.Contains(command, "POST"):
			want = "201"
		case strings.Contains(command, "/result"):
			eventually(t, time.Minute, "the job is done", func() bool {
				out, _ := s.run(t, `curl "$J/$ID?api_key=$KEY"`)
				return json.Unmarshal([]byte(out), &job) == nil && job.Status == "done"
			})
		case strings.Contains(command, "DELETE"):
			out, _ := s.run(t, `curl "$J?api_key=$KEY" --json '{"query": "SELECT pg_sleep(600)"}'`)
			if err := json.Unmarshal([]byte(out), &job); err != nil {
				t.Fatal(err)
			}
			s.set("ID", job.ID)
		}
		out, status := s.run(t, command)
		if status != want {
			t.Fatalf("%s: %s\n%s", command, status, out)
		}
		ran++
		switch {
		case want == "201":
			if err := json.Unmarshal([]byte(out), &job); err != nil || job.Status != "pending" {
				t.Fatalf("%s: %v", out, err)
			}
		case strings.Contains(command, "/result"):
			rows, err := os.ReadFile(filepath.Join(s.dir, "heavy.csv"))
			if err != nil || !strings.HasPrefix(string(rows), "stream,count,max\r\n") || strings.Count(string(rows), "\n") < 20 {
				t.Errorf("%v: %.100s", err, rows)
			}
		case strings.Contains(command, "format=csv"):
			if !strings.HasPrefix(out, "job_id,") || !strings.Contains(out, job.ID) {
				t.Error(out)
			}
		case strings.Contains(command, "DELETE"):
			if err := json.Unmarshal([]byte(out), &job); err != nil || job.Status != "cancelled" {
				t.Errorf("%s: %v", out, err)
			}
		}
	}
	testenv.Report(t, "README: %d commands under SQL jobs ran as they are written", ran)
	if ran < 5 {
		t.Error("there are more of them")
	}
}
