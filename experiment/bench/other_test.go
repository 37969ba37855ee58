//go:build unix

package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program writes a program that says what it can, and then does something.
func program(t *testing.T, flags, does string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other")
	text := "#!/bin/sh\nif [ \"$2\" = --help ]; then echo '" + flags + "'; exit; fi\n" + does + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// help is that of an old program.
const help = `
   --dir DIR, -d DIR          DIR of the cluster
   --clients C                C concurrent callers
   --value-bytes value        size
   --duration value           how long
   --warmup value             how long
   --one-each                 sign
   --temporary                start
   --protocol value           of
   --replicas value           of
   --json                     the same
`

func asked() Measurement {
	return Measurement{Name: "x", Protocol: "pbft", Replicas: 4, Clients: 16, Sessions: 1, ValueBytes: 256, Keys: 16 * KeysEach, Warmup: time.Second, Duration: 2 * time.Second}
}

// TestOlderProgram: it is asked with flags that it has, and what it does not say is as
// it was asked for.
func TestOlderProgram(t *testing.T) {
	path := program(t, help, `echo "$*" >&2; [ -d "$TMPDIR" ] && echo '{"name":"bench","protocol":"pbft","replicas":4,"clients":16,"seconds":2,"operations":10,"operations_per_second":5,"latency_ms":{"p50":1.5},"client_cpu_percent":20,"replica_processes":[{"cpu_percent":30}]}'`)
	o, err := NewOther(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	m := asked()
	args, lacks := o.arguments(&m)
	if want := "bench --temporary=true --json=true --protocol=pbft --replicas=4 --clients=16 --value-bytes=256 --warmup=1s --duration=2s"; lacks != "" || strings.Join(args, " ") != want {
		t.Errorf("%q, it lacks %q", args, lacks)
	}
	r, err := o.Measure(t.Context(), m)
	if err != nil || r.PerSecond != 5 || r.Latency.P50 != 1.5 || r.LongestGap != nil || *r.CPU != 100_000 || r.Keys != m.Keys || r.Duration != m.Duration || r.Kind != "measurement" {
		t.Errorf("%+v, %v", r, err)
	}
	for name, change := range map[string]func(*Measurement){
		"sessions": func(m *Measurement) { m.Sessions = 2 }, "rate": func(m *Measurement) { m.Rate = 5; m.Keys = KeysOpen }, "reads": func(m *Measurement) { m.Reads = 5 },
		"keys": func(m *Measurement) { m.Keys = 0 }, "fill": func(m *Measurement) { m.Fill = true }, "volatile": func(m *Measurement) { m.Volatile = true },
		"operation": func(m *Measurement) { m.Operation = []byte("x") },
	} {
		m := asked()
		change(&m)
		if flag := o.Lacks(&m); flag != name {
			t.Errorf("it lacks %q, want %q", flag, name)
		}
		if _, err := o.Measure(t.Context(), m); !errors.Is(err, errOther) || !strings.HasSuffix(err.Error(), " --"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOtherProgramFails: why is told, in its own words, and nothing of it is left.
func TestOtherProgramFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for does, want := range map[string]string{
		"echo no room >&2; exit 3": "no room", "echo nonsense": `is no measurement: "nonsense\n"`, "echo '{}'": "no measurement", "true": "has printed nothing",
	} {
		o, err := NewOther(t.Context(), program(t, help, "mkdir $TMPDIR/x; "+does))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Measure(t.Context(), asked()); !errors.Is(err, errOther) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", does, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	o, err := NewOther(ctx, program(t, help, "exec sleep 60"))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := o.Measure(ctx, asked()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "quorate-bench-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestNoOtherProgram: what is none is refused before anything is measured, in our words.
func TestNoOtherProgram(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{"text": {"", 0o644}, "foreign": {"\x7fNONE", 0o755}, "fails": {"#!/bin/sh\nexit 3\n", 0o755}} {
		if err := os.WriteFile(name, []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"": "its path is empty", dir: dir + " is a directory: name the program in it", "./text": "./text is not executable", "./nothing": "./nothing does not exist",
		"fails": "fails is not in PATH: write ./fails for the file of this directory", "nothing-at-all": "there is no program nothing-at-all in PATH",
		"./foreign": "./foreign is no program for this machine", "./fails": "./fails is no quorate: its `bench --help` fails: exit status 3",
		program(t, "", "true"): "is no quorate: its `bench --help` lists no flags of a bench",
		program(t, strings.ReplaceAll(help, "--json", "--yaml"), "true"): "has no --json, which every measurement needs",
	} {
		if _, err := NewOther(t.Context(), path); !errors.Is(err, errOther) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}
