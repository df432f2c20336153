package deploytest

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestVariablesNameKeysOfConfig(t *testing.T) {
	config := loadConfig(t)
	seen := 0
	for name, service := range loadCompose(t).Services {
		for variable := range service.Environment {
			path, ok := strings.CutPrefix(variable, "SLASHBATCH_")
			if !ok {
				continue
			}
			seen++
			if !hasKey(config, path) {
				t.Errorf("service %s: %s names no key of config.yaml", name, variable)
			}
		}
	}
	if seen == 0 {
		t.Error("no service has a SLASHBATCH_ variable: nothing was checked")
	}
}

// hasKey follows a variable's name, the upper-cased path of a key joined by "_",
// down a YAML mapping.
func hasKey(n *yaml.Node, name string) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, child := strings.ToUpper(n.Content[i].Value), n.Content[i+1]
		if key == name {
			return true
		}
		if rest, ok := strings.CutPrefix(name, key+"_"); ok && hasKey(child, rest) {
			return true
		}
	}
	return false
}

func TestURLsReachServices(t *testing.T) {
	c := loadCompose(t)
	for name, from := range c.Services {
		for variable, value := range from.Environment {
			address, err := url.Parse(value)
			if err != nil || address.Host == "" {
				continue
			}
			if endpoint := address.Query().Get("endpoint"); address.Scheme == "s3" {
				bucketExists(t, c, address.Host)
				if address, err = url.Parse(endpoint); err != nil {
					t.Errorf("service %s: %s: %v", name, variable, err)
					continue
				}
			}
			host, port, err := net.SplitHostPort(address.Host)
			if err != nil {
				t.Errorf("service %s: %s: %v", name, variable, err)
				continue
			}
			if host == "localhost" { // for people on this machine
				if !slices.ContainsFunc(c.Services["app"].Ports, func(p string) bool { return strings.Contains(p, ":"+port+":") }) {
					t.Errorf("service %s: %s: app does not publish port %s", name, variable, port)
				}
				continue
			}
			if to, ok := c.Services[host]; !ok {
				t.Errorf("service %s: %s: there is no service %s", name, variable, host)
			} else if !slices.Contains(to.Expose, port) {
				t.Errorf("service %s: %s: service %s exposes %v, not %s", name, variable, host, to.Expose, port)
			}
		}
	}
}

// bucketExists looks for the folder in the gateway's command.
func bucketExists(t *testing.T, c compose, bucket string) {
	t.Helper()
	command := strings.Join(c.Services["s3"].Command, " ")
	buckets := command[strings.LastIndex(strings.TrimSpace(command), " ")+1:]
	if folder := strings.TrimSpace(buckets) + "/" + bucket; !strings.Contains(command, folder) {
		t.Errorf("the S3 service does not create %s, the bucket's folder", folder)
	}
}

func TestCredentialsAgree(t *testing.T) {
	c := loadCompose(t)
	postgres, s3 := c.Services["postgres"].Environment, c.Services["s3"].Environment
	for _, name := range []string{"app", "worker", "migrate"} {
		environment := c.Services[name].Environment
		for variable, value := range environment {
			address, err := url.Parse(value)
			if err != nil || address.Scheme != "postgres" {
				continue
			}
			password, _ := address.User.Password()
			if address.User.Username() != postgres["POSTGRES_USER"] || password != postgres["POSTGRES_PASSWORD"] || address.Path != "/"+postgres["POSTGRES_DB"] {
				t.Errorf("service %s: %s does not fit the postgres service's user, password and database", name, variable)
			}
		}
		if environment["AWS_ACCESS_KEY_ID"] != s3["ROOT_ACCESS_KEY_ID"] || environment["AWS_SECRET_ACCESS_KEY"] != s3["ROOT_SECRET_ACCESS_KEY"] {
			t.Errorf("service %s: its AWS_ keys are not the s3 service's", name)
		}
	}
}

func TestServicesAreCheckedAndWaitedFor(t *testing.T) {
	c := loadCompose(t)
	for name, s := range c.Services {
		if checked := s.Healthcheck != nil && len(s.Healthcheck.Test) > 1; checked == s.once() {
			t.Errorf("service %s: has a health check: %v, does its work and ends: %v", name, checked, s.once())
		} else if checked {
			checkHitsOwnPort(t, name, s)
		}
		for other, wait := range s.DependsOn {
			want := "service_healthy"
			if c.Services[other].once() {
				want = "service_completed_successfully"
			}
			if _, ok := c.Services[other]; !ok || wait.Condition != want {
				t.Errorf("service %s waits for %s until %q, want %q", name, other, wait.Condition, want)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, named := c.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				t.Errorf("service %s: volume %s: %v", name, volume, err)
			}
		}
	}
}

var loopbackURL = regexp.MustCompile(`127\.0\.0\.1:([0-9]+)`)

func checkHitsOwnPort(t *testing.T, name string, s service) {
	t.Helper()
	if m := loopbackURL.FindStringSubmatch(strings.Join(s.Healthcheck.Test, " ")); m != nil && !slices.Contains(s.Expose, m[1]) {
		t.Errorf("service %s: its health check asks port %s, it exposes %v", name, m[1], s.Expose)
	}
}

func TestRedisKeepsTheQueue(t *testing.T) {
	command := strings.Join(loadCompose(t).Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction", "--hash-max-listpack-value 1024"} {
		if !strings.Contains(command, want) {
			t.Errorf("redis runs as %q, without %q", command, want)
		}
	}
}

func TestDockerfile(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	images := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(dockerfile, -1)
	if len(images) != 2 {
		t.Fatalf("Dockerfile has stages %v, want one to build and one to run", images)
	}
	language := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(read(t, "go.mod"))[1]
	if want := "golang:" + language; images[0][1] != want {
		t.Errorf("built with %s, go.mod wants %s", images[0][1], want)
	}
	if !strings.Contains(dockerfile, "CGO_ENABLED=0") {
		t.Error("the binary is not static: no CGO_ENABLED=0")
	}
	user := regexp.MustCompile(`(?m)^USER (\S+)`).FindAllStringSubmatch(dockerfile, -1)
	if len(user) == 0 || user[len(user)-1][1] == "root" || user[len(user)-1][1] == "0" {
		t.Errorf("runs as %v, want somebody other than root", user)
	}
}

// TestComposeItselfAgrees asks docker compose, where it is installed; the other
// tests do not need it.
func TestComposeItselfAgrees(t *testing.T) {
	if err := exec.Command("docker", "compose", "version").Run(); err != nil {
		t.Logf("docker compose config was not run: docker compose version: %v", err)
		return
	}
	cmd := exec.Command("docker", "compose", "config", "--quiet")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, output)
	}
}
