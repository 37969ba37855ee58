package noun

import (
	"strings"
	"testing"
)

func TestSeveral(t *testing.T) {
	for want, got := range map[string]string{
		"1 replica": Several(1, "replica"), "0 replicas": Several(0, "replica"), "3 replicas": Several(uint64(3), "replica"),
		"1 crash": Several(1, "crash"), "2 crashes": Several(2, "crash"), "2 batches": Several(2, "batch"), "2 addresses": Several(2, "address"),
		"1 entry": Several(int64(1), "entry"), "2 entries": Several(2, "entry"), "2 keys": Several(2, "key"), "2 write sets": Several(2, "write set"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEither(t *testing.T) {
	for want, words := range map[string][]string{"a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := Either(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A quote is bounded, and ends between two characters.
func TestQuote(t *testing.T) {
	long := strings.Repeat("a", maxQuoted-1)
	for want, value := range map[string]string{
		`"key"`: "key", `""`: "", `"` + long + `b"`: long + "b", `"` + long + `"... of 66 bytes`: long + "€",
		"hex ff00": "\xff\x00", "hex " + strings.Repeat("ff", maxQuoted) + "... of 1000000 bytes": strings.Repeat("\xff", 1000000),
	} {
		if got := Quote(value); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := Quote([]byte(value)); got != want {
			t.Errorf("bytes: got %s, want %s", got, want)
		}
	}
}
