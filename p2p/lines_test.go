package p2p

import (
	"bytes"
	"log/slog"
	"testing"
)

// A member that comes and goes a thousand times at once is worth a few lines,
// which say how many others there would have been.
func TestComingAndGoingFillsNoLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	l := newLines()
	l.allowed.SetLimit(0) // no second goes by
	for range 1000 {
		l.say(log, "connected", 2)
		l.say(log, "disconnected", 2)
	}
	if n := bytes.Count(out.Bytes(), []byte{'\n'}); n != l.allowed.Burst() || l.withheld != 2000-n {
		t.Errorf("%d lines and %d withheld of 2000, want %d lines", n, l.withheld, l.allowed.Burst())
	}
	l.allowed = newLines().allowed
	out.Reset()
	l.say(log, "connected", 2)
	if !bytes.Contains(out.Bytes(), []byte("not_shown=1984")) || l.withheld != 0 {
		t.Errorf("then said %q", out.String())
	}
}
