package check

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ErrLog is what reading a log wraps: the file is no log, or not whole.
var ErrLog = errors.New("not a log of a run")

// logError says where a log cannot be read.
type logError struct {
	Name   string // of the file
	Offset int64  // where the entry begins that cannot be read
	Err    error
}

// Error names the file and the place.
func (e *logError) Error() string { return fmt.Sprintf("%s, offset %d: %v", e.Name, e.Offset, e.Err) }

// Unwrap is the reason, which wraps ErrLog or is the file's own error.
func (e *logError) Unwrap() error { return e.Err }

// Header begins a log. It is one process's, a replica's or a client's, in one
// of its lives: a restarted process begins a new file, so that a torn entry is
// always the last one.
type Header struct {
	Cluster crypto.Digest
	Client  bool
	Replica consensus.ReplicaID // unless it is a client's
	Key     crypto.PublicKey    // a client's
	Life    uint64              // counts the starts of this replica or client
}

const (
	logMagic   = "quorate log "
	logFormat  = 1
	headerSize = len(logMagic) + 1 + 1 + 2 + crypto.PublicKeySize + crypto.DigestSize + 8 + 4

	// entryHead is the length of the body, its checksum, then kind and time.
	entryHead = 4 + 4
	entryMin  = 1 + 8

	// maxEntry bounds the body of an entry, in bytes: the largest frame with
	// a certificate of all replicas beside it.
	maxEntry = consensus.MaxFrame + 64<<10
)

func (h *Header) encode() []byte {
	b := append(make([]byte, 0, headerSize), logMagic...)
	b = append(b, logFormat, flag(h.Client))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Replica))
	b = append(b, h.Key[:]...)
	b = append(b, h.Cluster[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Life)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func decodeHeader(b []byte) (Header, error) {
	var h Header
	at := len(logMagic)
	switch {
	case len(b) != headerSize || string(b[:at]) != logMagic:
		return h, fmt.Errorf("%w: it does not begin like one", ErrLog)
	case b[at] != logFormat:
		return h, fmt.Errorf("%w that this program reads: format %d, want %d", ErrLog, b[at], logFormat)
	case b[at+1] > 1 || crc32.ChecksumIEEE(b[:headerSize-4]) != binary.BigEndian.Uint32(b[headerSize-4:]):
		return h, fmt.Errorf("%w: its header is damaged", ErrLog)
	}
	h.Client = b[at+1] == 1
	h.Replica = consensus.ReplicaID(binary.BigEndian.Uint16(b[at+2:]))
	b = b[at+4:]
	h.Key, b = crypto.PublicKey(b[:crypto.PublicKeySize]), b[crypto.PublicKeySize:]
	h.Cluster, b = crypto.Digest(b[:crypto.DigestSize]), b[crypto.DigestSize:]
	h.Life = binary.BigEndian.Uint64(b)
	return h, nil
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// Writer writes a log, one Write for each entry, so that what was written
// outlives a killed process. What leaves a process must be written before it
// does; otherwise its log contradicts what others heard. Not safe for concurrent
// use. After an error nothing more is written, and Err says why.
type Writer struct {
	w   io.Writer
	buf []byte
	err error
}

// NewWriter begins a log.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	if _, err := w.Write(h.encode()); err != nil {
		return nil, fmt.Errorf("begin a log: %w", err)
	}
	return &Writer{w: w}, nil
}

// Err is the first error, or nil.
func (w *Writer) Err() error { return w.err }

// Write appends one entry.
func (w *Writer) Write(e *Entry) error {
	if w.err != nil {
		return w.err
	}
	body, err := e.appendBody(append(w.buf[:0], make([]byte, entryHead)...))
	if size := len(body) - entryHead; err == nil && size > maxEntry {
		err = fmt.Errorf("%w: an entry of %d bytes: at most %d are possible", ErrLog, size, maxEntry)
	}
	if err == nil {
		binary.BigEndian.PutUint32(body, uint32(len(body)-entryHead))
		binary.BigEndian.PutUint32(body[4:], crc32.ChecksumIEEE(body[entryHead:]))
		_, err = w.w.Write(body)
	}
	if cap(body) <= maxKeptBuffer {
		w.buf = body
	}
	if err != nil {
		w.err = fmt.Errorf("write a log: %w", err)
	}
	return w.err
}

// maxKeptBuffer bounds what a Writer holds on to between two entries: a usual batch, of
// 1 MiB, has room.
const maxKeptBuffer = 2 << 20

// Reader reads a log.
type Reader struct {
	name   string
	r      io.Reader
	header Header
	offset int64 // where the entry begins that Next reads next
	torn   bool  // after the end: the last entry is not whole
	err    error
}

// NewReader reads the header of a log. Errors are *LogErrors; name is for them.
func NewReader(name string, r io.Reader) (*Reader, error) {
	l := &Reader{name: name, r: r}
	head, err := l.read(headerSize)
	if err == nil {
		l.header, err = decodeHeader(head)
	}
	if err != nil {
		return nil, &logError{Name: name, Err: err}
	}
	l.offset = int64(headerSize)
	return l, nil
}

// Header is how the log begins.
func (l *Reader) Header() Header { return l.header }

// Next reads the next entry; io.EOF is the end, also if the last entry is
// torn: it was being written when its process died. Everything else that is
// not an entry is a *logError, and there is no way beyond it. Memory is taken
// as bytes come, not as lengths promise.
func (l *Reader) Next() (Entry, error) {
	if l.err != nil {
		return Entry{}, l.err
	}
	e, size, err := l.next()
	switch {
	case err == nil:
		l.offset += size
		return e, nil
	case errors.Is(err, io.EOF):
		l.err = io.EOF
	default:
		l.err = &logError{Name: l.name, Offset: l.offset, Err: err}
	}
	return Entry{}, l.err
}

func (l *Reader) next() (e Entry, size int64, err error) {
	head, err := l.read(entryHead)
	if err != nil {
		l.torn = len(head) > 0
		return Entry{}, 0, err
	}
	length := binary.BigEndian.Uint32(head)
	if length < entryMin || length > maxEntry {
		return Entry{}, 0, fmt.Errorf("%w: an entry of %d bytes: %d to %d are possible", ErrLog, length, entryMin, maxEntry)
	}
	body, err := l.read(int(length))
	if err != nil {
		l.torn = true
		return Entry{}, 0, err
	}
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(head[4:]) {
		return Entry{}, 0, fmt.Errorf("%w: an entry's checksum is wrong", ErrLog)
	}
	e, err = decodeEntry(body)
	return e, entryHead + int64(length), err
}

// read reads exactly size bytes. Fewer are io.EOF, with what there was.
func (l *Reader) read(size int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(l.r, int64(size)))
	switch {
	case err != nil:
		return nil, err
	case len(b) < size:
		return b, io.EOF
	}
	return b, nil
}
