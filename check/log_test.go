package check

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// entries has every kind, with every kind of peer.
func entries() []Entry {
	r := newRun(nilTB{})
	b := batchOf(r.request(0, putA), r.request(1, putB, get))
	return []Entry{
		{Kind: EntryStarted, At: 1, Seq: 7},
		{Kind: EntrySent, At: 2, Peer: consensus.ReplicaPeer(3), Bytes: []byte("frame")},
		{Kind: EntrySent, At: 2, Peer: consensus.Peer{Kind: consensus.Everyone}, Bytes: []byte{}},
		{Kind: EntrySent, At: 2, Peer: consensus.Peer{Kind: consensus.Topic}, Bytes: []byte("x")},
		{Kind: EntryReceived, At: 3, Peer: consensus.ClientPeer(crypto.PublicKey{1, 2}), Bytes: []byte("request")},
		{Kind: EntryReceived, At: 3, Peer: consensus.Peer{Kind: consensus.PeerObserver, Key: crypto.PublicKey{3}}, Bytes: []byte("x")},
		{Kind: EntryCommitted, At: 4, Seq: 1, View: 2, Digest: b.Digest(), Batch: b, Bytes: []byte("certificate")},
		{Kind: EntryCommitted, At: 4, Seq: 2, Digest: consensus.NullDigest, Bytes: []byte{}},
		{Kind: EntryRoot, At: 5, Seq: 2, Digest: digestA},
		{Kind: EntryRestored, At: 1<<63 - 1, Seq: 4, Digest: digestB},
		{Kind: EntryNote, At: 0, Note: &consensus.Note{Kind: consensus.EvidenceNote, View: 1, Seq: 2, Replica: 3, Digest: digestA, Reason: "why", Text: "more", Bytes: []byte("proof")}},
		{Kind: EntryInvoked, At: 6, Number: 9, Bytes: putA},
		{Kind: EntryReturned, At: 7, Number: 9, Seq: 3, Result: consensus.Result{Code: consensus.ResultFailed, Data: []byte("no")}},
	}
}

// nilTB is for fixtures that cannot fail.
type nilTB struct{ testing.TB }

func (nilTB) Helper() {}

func header() Header {
	return Header{Cluster: digestA, Replica: 2, Life: 3, Key: crypto.PublicKey{5}}
}

func logOf(t testing.TB, h Header, list ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if err := w.Write(&list[i]); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	return b.Bytes()
}

// all reads a log to its end.
func all(b []byte) (list []Entry, torn bool, err error) {
	r, err := NewReader("file", bytes.NewReader(b))
	if err != nil {
		return nil, false, err
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list, r.torn, nil
		}
		if err != nil {
			return list, r.torn, err
		}
		list = append(list, e)
	}
}

func TestLogRoundTrip(t *testing.T) {
	want := entries()
	for _, client := range []bool{false, true} {
		h := header()
		h.Client = client
		b := logOf(t, h, want...)
		r, err := NewReader("file", bytes.NewReader(b))
		if err != nil || r.Header() != h {
			t.Fatalf("%+v, %v", r.Header(), err)
		}
		got, torn, err := all(b)
		if err != nil || torn || len(got) != len(want) {
			t.Fatalf("%d entries, torn %v, %v", len(got), torn, err)
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("entry %d: got %+v, want %+v", i, got[i], want[i])
			}
		}
	}
}

// Cut anywhere, a log ends with its last whole entry; but for its header, which
// must be whole.
func TestTornLogsEndBefore(t *testing.T) {
	b := logOf(t, header(), entries()...)
	ends := map[int]int{headerSize: 0}
	for i := range entries() {
		ends[len(logOf(t, header(), entries()[:i+1]...))] = i + 1
	}
	count := 0
	for cut := range b {
		got, torn, err := all(b[:cut])
		if cut < headerSize {
			var l *logError
			if !errors.As(err, &l) || l.Name != "file" || l.Offset != 0 {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		n, whole := ends[cut]
		if whole {
			count = n
		}
		if err != nil || len(got) != count || torn == whole {
			t.Fatalf("cut at %d: %d entries, want %d, torn %v, %v", cut, len(got), count, torn, err)
		}
	}
}

// A byte changed anywhere but in the last entry's length is noticed, and the
// error says where.
func TestDamagedLogsAreRefused(t *testing.T) {
	list := entries()[:4]
	b := logOf(t, header(), list...)
	starts := []int{headerSize}
	for i := range list {
		starts = append(starts, len(logOf(t, header(), list[:i+1]...)))
	}
	for at := range b {
		bad := bytes.Clone(b)
		bad[at] ^= 0x41
		got, torn, err := all(bad)
		if torn && err == nil && len(got) < len(list) {
			continue // a length that now reaches beyond the end
		}
		var l *logError
		if !errors.As(err, &l) || !errors.Is(err, ErrLog) {
			t.Fatalf("byte %d: %d entries, %v", at, len(got), err)
		}
		if at >= headerSize && l.Offset != int64(starts[len(got)]) || at < headerSize && l.Offset != 0 {
			t.Errorf("byte %d: offset %d", at, l.Offset)
		}
	}
}

func TestLogsOfOtherFormatsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"something else":   strings.Repeat("x", 500),
		"a later format":   logMagic + "\x02" + strings.Repeat("\x00", headerSize),
		"nothing":          "",
		"an empty header":  logMagic + "\x01" + strings.Repeat("\x00", headerSize),
		"a header cut off": string(logOf(t, header())[:headerSize-1]),
	} {
		var l *logError
		if _, err := NewReader("file", strings.NewReader(text)); !errors.As(err, &l) || !strings.HasPrefix(err.Error(), "file, offset 0: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What no reader would take is not written.
func TestWriterRefuses(t *testing.T) {
	for name, e := range map[string]Entry{
		"no kind":       {},
		"unknown kind":  {Kind: lastEntry + 1},
		"before 1970":   {Kind: EntryStarted, At: -1},
		"nobody":        {Kind: EntrySent},
		"too large":     {Kind: EntryInvoked, Bytes: make([]byte, maxEntry-8)},
		"far too large": {Kind: EntryReturned, Result: consensus.Result{Data: make([]byte, maxEntry+1)}},
	} {
		var b bytes.Buffer
		w, err := NewWriter(&b, header())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&e); !errors.Is(err, ErrLog) || b.Len() != headerSize || w.Err() == nil {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
	if _, err := NewWriter(failing{}, header()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Long texts of notes are cut, so that the note is not lost.
func TestLongNotesAreCut(t *testing.T) {
	b := logOf(t, header(), Entry{Kind: EntryNote, Note: &consensus.Note{Kind: consensus.Alarm, Text: strings.Repeat("x", 5000)}})
	got, _, err := all(b)
	if err != nil || len(got) != 1 || len(got[0].Note.Text) != maxNote {
		t.Errorf("%v, %v", got, err)
	}
}

// Whatever a file holds, reading it ends without a panic, and what is read is
// written again in the same way.
func FuzzReader(f *testing.F) {
	whole := logOf(f, header(), entries()...)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(logOf(f, header()))
	f.Add([]byte(logMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader("file", bytes.NewReader(b))
		if err != nil {
			return
		}
		for {
			from := r.offset
			e, err := r.Next()
			if err != nil {
				var l *logError
				if !errors.Is(err, io.EOF) && !errors.As(err, &l) {
					t.Fatalf("an error of another kind: %v", err)
				}
				return
			}
			again := logOf(t, r.Header(), e)[headerSize:]
			if !bytes.Equal(again, b[from:r.offset]) {
				t.Fatalf("entry at %d has two encodings", from)
			}
		}
	})
}

// The same of what stands behind a checksum, which no fuzzer guesses.
func FuzzEntry(f *testing.F) {
	for _, e := range entries() {
		body, err := e.appendBody(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodeEntry(body)
		if err != nil {
			if !errors.Is(err, ErrLog) {
				t.Fatal(err)
			}
			return
		}
		again, err := e.appendBody(nil)
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("two encodings, %v:\n%x\n%x", err, body, again)
		}
	})
}
