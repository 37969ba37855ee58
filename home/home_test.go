package home

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/files"
)

// TestSettingsStandInOrder: flag, environment, file, default.
func TestSettingsStandInOrder(t *testing.T) {
	c := made(t, "order", 1, nil, func(c *Config) { c.Engine.Pipeline = 5 })
	env := map[string]string{}
	flags := map[string]string{}
	pipeline := func() int {
		t.Helper()
		h, err := Load(c.dirs[0], Overrides{Flags: flags, Lookup: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return h.Config.Engine.Pipeline
	}
	if got := pipeline(); got != 5 {
		t.Errorf("the file says 5, got %d", got)
	}
	env["QUORATE_ENGINE_PIPELINE"] = "6"
	if got := pipeline(); got != 6 {
		t.Errorf("the environment says 6, got %d", got)
	}
	flags["engine.pipeline"] = "7"
	if got := pipeline(); got != 7 {
		t.Errorf("the flag says 7, got %d", got)
	}
	if err := os.WriteFile(filepath.Join(c.dirs[0], "config.toml"), []byte("listen = '127.0.0.1:1'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clear(env)
	clear(flags)
	if got, want := pipeline(), DefaultConfig().Engine.Pipeline; got != want {
		t.Errorf("the default is %d, got %d", want, got)
	}
}

// TestEverySettingCanBeSet: by a text, whatever its type, and nothing else is.
func TestEverySettingCanBeSet(t *testing.T) {
	texts := map[reflect.Kind]string{reflect.String: "text", reflect.Bool: "true", reflect.Int: "12", reflect.Int64: "13", reflect.Slice: "a,b"}
	c := DefaultConfig()
	var envs []string
	for _, s := range settingsOf(&c) {
		text := texts[s.value.Kind()]
		if _, ok := s.value.Interface().(files.Duration); ok {
			text = "17s"
		}
		if err := s.set(text); err != nil || s.value.IsZero() {
			t.Errorf("%s = %s: %v, %v", s.key, text, s.value, err)
		}
		envs = append(envs, s.env())
	}
	if c.Engine.Tick != files.Duration(17*time.Second) || !slices.Equal(c.Addresses, []string{"a", "b"}) || c.Disk.SegmentBytes != 13 || !c.Disk.Volatile {
		t.Errorf("got %+v", c)
	}
	if !slices.Contains(envs, "QUORATE_NETWORK_CONNECTIONS_PER_IP") {
		t.Errorf("environment variables: %v", envs)
	}
}

// TestUnknownVariablesAreNamed: a mistyped setting is found, and nothing else.
func TestUnknownVariablesAreNamed(t *testing.T) {
	got := UnknownEnv([]string{"QUORATE_ENGINE_TICKS=1s", "QUORATE_ENGINE_TICK=1s", "QUORATE_DIR=x", "HOME=y"})
	if want := []string{"QUORATE_ENGINE_TICKS"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestHomesAreStrict: what does not fit is refused with one line.
func TestHomesAreStrict(t *testing.T) {
	c := made(t, "strict", 4, nil, nil)
	for _, test := range []struct{ key, value, want string }{
		{"replica", "4", "replica = 4, but the genesis has 4"},
		{"listen", "", `listen = "": write host:port`},
		{"listen", "127.0.0.1", "write host:port"},
		{"listen", "127.0.0.1:99999", "at most 65535"},
		{"listen", "[fe80::1%nowhere]:7000", `this machine has no interface "nowhere"`},
		{"admin", "9100", `admin = "9100": write host:port`},
		{"admin", "[::1%nowhere]:7000", `no interface "nowhere"`},
		{"network.connections_per_ip", "-1", "network.connections_per_ip = -1"},
		{"network.clients", "-7", "network.clients = -7"},
		{"addresses", "a:1,b:2", "addresses has 2 entries for 4 replicas"},
		{"log.level", "loud", `log.level is "loud"`},
		{"log.format", "xml", `log.format is "xml"`},
		{"engine.tick", "1us", "engine.tick"},
		{"network.client_bytes_in", "5", "client"},
		{"key", "../replica-1/key", "is replica 1's, and this home is replica 0's"},
		{"genesis", "nowhere.toml", "does not exist"},
	} {
		_, err := Load(c.dirs[0], Overrides{Flags: map[string]string{test.key: test.value}}, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s = %s: got %v, want one line with %q", test.key, test.value, err, test.want)
		}
	}
}

// TestAloneIsSaidOnce for each time that it lasted, and not before.
func TestAloneIsSaidOnce(t *testing.T) {
	quit, ticks, ended := make(chan struct{}), make(chan time.Time), make(chan struct{})
	n, warned := 0, []int{}
	go func() {
		defer close(ended)
		warnWhenAlone(quit, ticks, func() bool { n++; return n != 5 }, func() { warned = append(warned, n) })
	}()
	for range 40 {
		ticks <- time.Time{}
	}
	close(quit)
	<-ended
	if want := []int{5 + aloneSeconds}; !slices.Equal(warned, want) {
		t.Errorf("warned at ticks %v, want %v", warned, want)
	}
}
