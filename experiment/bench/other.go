package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/noun"
)

// errOther is what errors wrap when another program cannot measure.
var errOther = errors.New("the other program cannot measure this")

// Other is another program of the same name, such as an older version: it measures
// temporary clusters of its own.
type Other struct {
	path  string
	flags map[string]bool // that its bench has
}

// What another program is given time and room for.
const (
	otherAnswers = 10 * time.Second // to --help
	otherEnds    = 5 * time.Second  // after an interruption
	otherSaid    = 2 << 10          // of its last words, bytes
	otherPrints  = 16 << 20         // of each output
)

// bounded keeps what there is room for, and forgets the rest.
type bounded struct {
	bytes.Buffer
	room int
}

// Write takes everything.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(b.room-b.Len(), 0))])
	return len(p), nil
}

// NewOther asks a program what it can. Errors wrap errOther.
func NewOther(ctx context.Context, path string) (*Other, error) {
	if _, err := exec.LookPath(path); err != nil {
		return nil, fmt.Errorf("%w: %s", errOther, unusable(path, err))
	}
	ctx, cancel := context.WithTimeout(ctx, otherAnswers)
	defer cancel()
	help := &bounded{room: otherPrints}
	cmd := exec.CommandContext(ctx, path, "bench", "--help")
	cmd.Stdout, cmd.WaitDelay = help, otherEnds
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: %s is no quorate: its `bench --help` has not ended within %v", errOther, path, otherAnswers)
	case errors.Is(err, syscall.ENOEXEC):
		return nil, fmt.Errorf("%w: %s is no program for this machine", errOther, path)
	case err != nil:
		return nil, fmt.Errorf("%w: %s is no quorate: its `bench --help` fails: %w", errOther, path, err)
	}
	o := &Other{path: path, flags: map[string]bool{}}
	for _, m := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllSubmatch(help.Bytes(), -1) {
		o.flags[string(m[1])] = true
	}
	return o, o.complete()
}

// unusable says in our words why there is no program at a path.
func unusable(path string, err error) string {
	stat, missing := os.Stat(path)
	name := filepath.Base(path) == path // to be looked for in PATH
	switch {
	case path == "":
		return "its path is empty"
	case missing == nil && stat.IsDir():
		return path + " is a directory: name the program in it"
	case missing == nil && name:
		return fmt.Sprintf("%s is not in PATH: write ./%s for the file of this directory", path, path)
	case missing == nil && errors.Is(err, fs.ErrPermission):
		return path + " is not executable"
	case name:
		return "there is no program " + path + " in PATH"
	case errors.Is(missing, fs.ErrNotExist):
		return path + " does not exist"
	}
	return err.Error()
}

// complete refuses a program without the flags that every measurement needs.
func (o *Other) complete() error {
	needed := []string{"temporary", "json", "protocol", "replicas", "clients", "value-bytes", "warmup", "duration"}
	lacking := slices.DeleteFunc(slices.Clone(needed), func(flag string) bool { return o.flags[flag] })
	switch len(lacking) {
	case 0:
		return nil
	case len(needed):
		return fmt.Errorf("%w: %s is no quorate: its `bench --help` lists no flags of a bench", errOther, o.path)
	}
	return fmt.Errorf("%w: bench of %s has no --%s, which every measurement needs", errOther, o.path, lacking[0])
}

// arguments are what makes it measure the same. Flags that it does not need to know are
// left out, since it may be older than they are. lacks is the first that it has not.
func (o *Other) arguments(m *Measurement) (args []string, lacks string) {
	args = []string{"bench"}
	for _, f := range []struct {
		name, value string
		wanted      bool
	}{
		{"temporary", "true", true}, {"json", "true", true}, {"protocol", m.Protocol, true}, {"replicas", strconv.Itoa(m.Replicas), true},
		{"clients", strconv.Itoa(m.Clients), true}, {"value-bytes", strconv.Itoa(m.ValueBytes), m.Operation == nil},
		{"warmup", m.Warmup.String(), true}, {"duration", m.Duration.String(), true},
		{"one-each", "true", m.OneEach}, {"volatile", "true", m.Volatile},
		{"operation", "hex:" + hex.EncodeToString(m.Operation), m.Operation != nil},
		{"sessions", strconv.Itoa(m.Sessions), m.Sessions > 1}, {"rate", strconv.Itoa(m.Rate), m.Rate > 0}, {"reads", strconv.Itoa(m.Reads), m.Reads > 0},
		{"keys", keysText(m.Keys), m.Operation == nil && m.Keys != UsualKeys(m.Clients, m.Rate)}, {"fill", "true", m.Fill},
	} {
		if f.wanted && !o.flags[f.name] {
			return nil, f.name
		}
		if f.wanted {
			args = append(args, "--"+f.name+"="+f.value)
		}
	}
	return args, ""
}

// keysText is a number of keys as a flag takes it.
func keysText(keys int) string {
	if keys == 0 {
		return "new"
	}
	return strconv.Itoa(keys)
}

// Lacks is a flag that it would need to measure something, and has not; "" = none.
func (o *Other) Lacks(m *Measurement) string {
	_, lacks := o.arguments(m)
	return lacks
}

// Measure has it make one measurement, of a cluster that it makes and removes.
func (o *Other) Measure(ctx context.Context, m Measurement) (r Result, err error) {
	args, lacks := o.arguments(&m)
	if lacks != "" {
		return r, fmt.Errorf("%w: bench of %s has no --%s", errOther, o.path, lacks)
	}
	// Whatever becomes of it, its files end with this directory, and its replicas with
	// it.
	dir, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, removeAll(dir)) }()
	out, said := &bounded{room: otherPrints}, &bounded{room: otherPrints}
	cmd := exec.CommandContext(ctx, o.path, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Stdout, cmd.Stderr = out, said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = otherEnds
	err = cmd.Run()
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err != nil {
		text := said.Bytes()
		return r, fmt.Errorf("%w: %s %s: %w: %s", errOther, o.path, strings.Join(args, " "), err, bytes.TrimSpace(text[max(0, len(text)-otherSaid):]))
	}
	return parseOther(out.Bytes(), m)
}

// parseOther reads the first measurement of an output in JSON. What an older program
// does not say is as it was asked for.
func parseOther(out []byte, m Measurement) (Result, error) {
	r := Result{Measurement: m}
	switch err := json.NewDecoder(bytes.NewReader(out)).Decode(&r); {
	case errors.Is(err, io.EOF):
		return Result{}, fmt.Errorf("%w: it has printed nothing", errOther)
	case err != nil:
		return Result{}, fmt.Errorf("%w: what it has printed is no measurement: %s", errOther, noun.Quote(out))
	}
	r.Kind, r.Warmup, r.Duration = "measurement", m.Warmup, m.Duration
	if r.Seconds <= 0 || r.PerSecond < 0 {
		return Result{}, fmt.Errorf("%w: what it has measured is no measurement", errOther)
	}
	if r.CPU == nil {
		r.CPU = r.cpu()
	}
	return r, nil
}

// removeAll removes a directory in which processes that are about to end may still write.
func removeAll(dir string) (err error) {
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
