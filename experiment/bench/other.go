package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
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
	ctx, cancel := context.WithTimeout(ctx, otherAnswers)
	defer cancel()
	help, err := exec.CommandContext(ctx, path, "bench", "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s bench --help: %w", errOther, path, err)
	}
	o := &Other{path: path, flags: map[string]bool{}}
	for _, m := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllSubmatch(help, -1) {
		o.flags[string(m[1])] = true
	}
	return o, nil
}

// arguments are what makes it measure the same. Flags that it does not need to know are
// left out, since it may be older than they are.
func (o *Other) arguments(m *Measurement) ([]string, error) {
	args := []string{"bench"}
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
			return nil, fmt.Errorf("%w: bench of %s has no --%s", errOther, o.path, f.name)
		}
		if f.wanted {
			args = append(args, "--"+f.name+"="+f.value)
		}
	}
	return args, nil
}

// keysText is a number of keys as a flag takes it.
func keysText(keys int) string {
	if keys == 0 {
		return "new"
	}
	return strconv.Itoa(keys)
}

// Check reports whether it can measure something. Errors wrap errOther.
func (o *Other) Check(m *Measurement) error {
	_, err := o.arguments(m)
	return err
}

// Measure has it make one measurement, of a cluster that it makes and removes.
func (o *Other) Measure(ctx context.Context, m Measurement) (r Result, err error) {
	args, err := o.arguments(&m)
	if err != nil {
		return r, err
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
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&r); err != nil {
		return Result{}, fmt.Errorf("%w: read what it has measured: %w", errOther, err)
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
