// Package outside holds the module to what it promises to other modules: one of
// them, in testdata, is built against this checkout as README says, and run.
package outside

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// recipe is README's: the lines that a module needs to use a checkout.
var recipe = regexp.MustCompile(`(?s)## As a library\n.*?\n((?:    go [^\n]*\n)+)`)

// module copies the module of testdata to a directory of its own and lets it
// require this one.
func module(t *testing.T) *outsider {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	o := &outsider{t: t, dir: filepath.Join(t.TempDir(), "tally")}
	if err := os.CopyFS(o.dir, os.DirFS("testdata/tally")); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(checkout, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := recipe.FindStringSubmatch(string(readme))
	if lines == nil {
		t.Fatal("README.md has no section \"As a library\" with lines that begin with go")
	}
	o.run("go", "mod", "init", "example.com/tally")
	for line := range strings.Lines(strings.ReplaceAll(lines[1], "/path/to/quorate", checkout)) {
		o.run(strings.Fields(line)...)
	}
	return o
}

// outsider is another module.
type outsider struct {
	t   *testing.T
	dir string
}

func (o *outsider) command(ctx context.Context, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = o.dir
	// What this module requires is there already: nothing is downloaded.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "GOSUMDB=off")
	return cmd
}

// run runs a command to its end and returns what it prints.
func (o *outsider) run(words ...string) string {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := o.command(ctx, words...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, complaint.String())
	}
	return string(out)
}

// TestModule builds an application and a client of another module against this
// checkout, runs four replicas, and has words counted.
func TestModule(t *testing.T) {
	o := module(t)
	o.run("go", "build", "-o", "bin/", "./...")
	t.Run("links", o.links)

	net := filepath.Join(t.TempDir(), "net")
	ctx, cancel := context.WithCancel(t.Context())
	replicas := o.command(ctx, "bin/replicas", net)
	replicas.Cancel = func() error { return replicas.Process.Signal(os.Interrupt) }
	replicas.WaitDelay = 10 * time.Second
	var log strings.Builder
	replicas.Stderr = &log
	if err := replicas.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := replicas.Wait(); err != nil && !errors.Is(err, context.Canceled) || t.Failed() {
			t.Errorf("replicas: %v\n%s", err, log.String())
		}
	}()
	genesis := filepath.Join(net, "genesis.toml")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(genesis); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if got, want := o.run("bin/ask", genesis, "to", "be", "or", "not", "to", "be"), "to 1\nbe 1\nor 1\nnot 1\nto 2\nbe 2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := o.run("bin/ask", genesis, "be"); got != "be 3\n" {
		t.Errorf("a second client got %q", got)
	}
}

// links: a program that only talks to a cluster links neither a replica nor
// what replicas alone need of libp2p.
func (o *outsider) links(t *testing.T) {
	packages := strings.Fields(o.run("go", "list", "-deps", "./ask"))
	t.Logf("a client links %d packages", len(packages))
	alien := regexp.MustCompile(`pubsub|webrtc|pion/|quic|websocket|^quorate.dev/quorate/(home|node|storage|testnet|byzantine|check)(/|$)`)
	if i := slices.IndexFunc(packages, alien.MatchString); i >= 0 {
		t.Errorf("a client links %s", packages[i])
	}
	if len(packages) > 450 {
		t.Errorf("a client links %d packages, at most 450 are allowed", len(packages))
	}
}
