package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

var services = []string{"PostgreSQL", "Redis", "S3"}

// A service that is away at start holds nobody up for good: the server says
// 503, and when; the worker waits; both go on by themselves when it is there.
func TestAwayAtStart(t *testing.T) {
	for _, service := range services {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			config, lines := f.behind(t, "behind.yaml")
			lines[service].cut()
			server := launch(t, "server", config, "serve")
			worker := launch(t, "worker", config, "worker")
			paths := []string{"/readyz", "/slowly/1/batch", "/slowly/1"}
			if service == "S3" { // exports can be queued, and rows be read
				paths = paths[:1]
			}
			for _, path := range paths {
				eventually(t, 20*time.Second, "GET "+path+" says 503", func() bool {
					r, err := http.NewRequest(http.MethodGet, "http://"+server.address+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.SetBasicAuth("user0", "key-user0")
					response, err := noFollow.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					defer response.Body.Close()
					var problem struct{ Status int }
					if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
						t.Errorf("GET %s: %s, %v", path, response.Status, err)
					}
					if response.StatusCode != http.StatusServiceUnavailable {
						return false
					}
					if path != "/readyz" && (response.Header.Get("Content-Type") != "application/problem+json" || response.Header.Get("Retry-After") == "" || problem.Status != http.StatusServiceUnavailable) {
						t.Errorf("GET %s: %v %+v", path, response.Header, problem)
					}
					return true
				})
			}
			list := f.wants("slowly", 4)
			if service == "S3" {
				f.ask(t, server, list) // taken, although their files can go nowhere yet
			} else if worker.log.count("worker started") > 0 {
				t.Error("the worker says that it works")
			}
			lines[service].mend()
			back := time.Now()
			server.ready(t)
			worker.ready(t)
			t.Logf("ready %v after %s was there", time.Since(back).Round(10*time.Millisecond), service)
			f.ask(t, server, list)
			f.settled(t, 30*time.Second, server, list)
		})
	}
}

// A service that goes away in the middle of running exports, first with a bang
// and then by falling silent, costs time and nothing else.
func TestAwayInTheMiddle(t *testing.T) {
	for _, service := range services {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			config, lines := f.behind(t, "behind.yaml")
			server := start(t, "server", config, "serve")
			worker := start(t, "worker", config, "worker")
			list := f.wants("slowly", 12)
			f.ask(t, server, list)
			stop := f.watch(t, server, list)

			eventually(t, 10*time.Second, "four run", func() bool { return f.running(t) == 4 })
			eventually(t, 10*time.Second, "one has finished", func() bool { return worker.log.count("export finished") > 0 })
			lines[service].cut()
			time.Sleep(3 * time.Second) // a lease
			lines[service].mend()
			finished := worker.log.count("export finished")
			eventually(t, 20*time.Second, "exports go on", func() bool { return worker.log.count("export finished") > finished })
			lines[service].stall()
			time.Sleep(3 * time.Second)
			lines[service].mend()
			mended := time.Now()

			f.settled(t, 40*time.Second, server, list)
			t.Logf("%s: seen by a client %v; all complete %v after the last mend; %d claims for %d exports, %d objects, %d warnings of the worker",
				service, stop(), time.Since(mended).Round(time.Second), len(list)+worker.log.count("given back"), len(list), f.objects(t), worker.log.count(`"level":"WARN"`))
			if n := worker.log.count(`"level":"WARN"`); n > 100 {
				t.Errorf("%d warnings: an outage floods the log", n)
			}
		})
	}
}
