package config

import (
	"encoding/json"
	"strings"
	"testing"
)

const printed = `
server: {trustedProxies: [10.1.2.3, fd00::/8], publicUrl: https://data.example.org/}
catalog: {urlFile: testdata/url}
dataSources:
  default: {url: "postgres://u:hunter2@localhost/x"}
  batch: {url: "postgres:///x?password=hunter2"}
queue: {url: "redis://:hunter2@localhost/5"}
cache: {url: "s3://b/p?secret=hunter2", readFrom: ["s3://old/p?secret=hunter2"]}
auth:
  users:
    - name: alice
      keys: [{sha256: F52FBD32B2B3B86FF88EF6C490628285F482AF15DDCB29541F94BCF526A3F6C7, type: master}]
endpoints:
  - {name: packages, query: SELECT 1}
`

func TestPrint(t *testing.T) {
	var b strings.Builder
	if err := mustLoad(t, printed).Print(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/printed.golden", b.String())
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := mustLoad(t, printed)
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	for how, text := range map[string]string{"Print": b.String(), "JSON": string(j)} {
		for _, secret := range []string{"hunter2", "f52fbd32b2b3b86f", "F52FBD32B2B3B86F"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s", how, secret)
			}
		}
	}
	if got := c.Auth.Users[0].Keys[0].SHA256; got != HashKey("hunter2") {
		t.Errorf("the digest read is %v", got)
	}
}
