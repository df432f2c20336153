package config

import "testing"

func TestExpandVars(t *testing.T) {
	env := map[string]string{"HOST": "db", "EMPTY": "", "DOLLAR": "a$${HOST}b"}
	for _, tt := range []struct{ in, want, err string }{
		{in: "plain", want: "plain"},
		{in: "${HOST}", want: "db"},
		{in: "postgres://${HOST}:${PORT:-5432}/x", want: "postgres://db:5432/x"},
		{in: "${HOST:-other}", want: "db"},
		{in: "${EMPTY}", want: ""},
		{in: "${EMPTY:-filled}", want: "filled"},
		{in: "${UNSET:-}", want: ""},
		{in: "${UNSET:-a:-b$c}", want: "a:-b$c"},
		{in: "${DOLLAR}", want: "a$${HOST}b"}, // a value is not expanded again
		{in: "$${HOST}", want: "${HOST}"},
		{in: "$$$$", want: "$$"},
		{in: `^(.*)\.example\.org$`, want: `^(.*)\.example\.org$`},
		{in: "$HOST", want: "$HOST"},
		{in: "${UNSET}", err: "${UNSET} is not set in the environment; ${UNSET:-default} gives a default"},
		{in: "${HOST", err: "has a ${ without its }; write $${ for the letters themselves"},
		{in: "${}", err: "expected ${NAME} or ${NAME:-default}; write $${ for the letters themselves"},
		{in: "${A B}", err: "expected ${NAME} or ${NAME:-default}; write $${ for the letters themselves"},
		{in: "${HOST-x}", err: "expected ${NAME} or ${NAME:-default}; write $${ for the letters themselves"},
		{in: "${A:-${HOST}}", err: "the default of ${A} cannot hold another ${…}"},
	} {
		got, _, err := expandVars(tt.in, env)
		if msg := errorText(err); got != tt.want || msg != tt.err {
			t.Errorf("expandVars(%q) = %q, %q; want %q, %q", tt.in, got, msg, tt.want, tt.err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestExpandedValuesHaveTypes(t *testing.T) {
	c := mustLoad(t, minimal+`
server: {listen: "${LISTEN}", rateLimit: "${RATE}", trustedProxies: ["${PROXY:-10.1.2.3/8}"]}
batch: {enabled: "${ON}", maxWait: "${WAIT}", process: {workers: "${WORKERS}"}, limits: {resultBytes: "${BYTES:-1GiB}"}}
cache: {grace: "${UNSET:-}"}
`, "LISTEN=:80", "RATE=7", "ON=false", "WAIT=2000", "WORKERS=3")
	if c.Server.Listen != ":80" || c.Server.RateLimit != 7 || c.Batch.Enabled ||
		c.Batch.MaxWait.String() != "2s" || c.Batch.Process.Workers != (Lanes{3, 3}) ||
		c.Batch.Limits.ResultBytes != 1<<30 || c.Server.TrustedProxies[0].String() != "10.0.0.0/8" {
		t.Errorf("got %+v", c)
	}
	if want := Defaults().Cache.Grace; c.Cache.Grace != want {
		t.Errorf("what expands to nothing is %v, want the default %v", c.Cache.Grace, want)
	}
}
