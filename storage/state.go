package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb"
	lerrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	lstorage "github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"quorate.dev/quorate/app/state"
)

// Memory that the state's store takes, in bytes.
const (
	// writeBuffer is what gathers in memory (and in the journal) before it is
	// sorted into tables; up to two of them are held.
	writeBuffer = 16 << 20
	blockCache  = 32 << 20 // blocks of tables that were read lately
)

// A batch beyond journaled bytes is written into tables at once: into the journal and
// then into tables would be twice. They make many small tables, which are merged
// into the larger ones when there are firstTables of them: seldom enough that what
// is overwritten meanwhile is not merged, often enough that reads look into few.
const (
	journaled   = 1 << 20
	firstTables = 12
	pauseBytes  = 256 << 10 // of a batch between two pauses
)

// cachedTables bounds the tables that the store keeps open, and Descriptors the
// files that a home has open at most: those, journals, what a compaction writes,
// and the log with its spares.
const (
	cachedTables = 256
	Descriptors  = cachedTables + 32
)

func levelOptions(writeBuffer int) *opt.Options {
	return &opt.Options{
		WriteBuffer:            writeBuffer,
		BlockCacheCapacity:     blockCache,
		CompactionL0Trigger:    firstTables,
		WriteL0SlowdownTrigger: 2 * firstTables,
		WriteL0PauseTrigger:    3 * firstTables,
		CompactionTableSize:    8 << 20, // a quarter of the files, and of the syncs, of the default
		OpenFilesCacheCapacity: cachedTables,
		Compression:            opt.NoCompression, // hashes do not compress; docs/adr/0002 has figures
		Filter:                 filter.NewBloomFilter(10),
		// What is unreadable is an error, never a gap: trimJournals has
		// removed the one thing that may rightly be unreadable.
		Strict: opt.StrictAll &^ opt.StrictRecovery,
	}
}

// StateStore is the state's store on disk: a state.Store on goleveldb. Apply
// belongs to one goroutine; reads and snapshots are safe for concurrent use.
// goleveldb runs goroutines of its own, which end with Close.
type StateStore struct {
	dir    string
	db     *leveldb.DB
	files  lstorage.Storage
	pace   *pace
	failed error // the first failed Apply: nothing is written after it
}

// OpenState opens or creates the store in dir, alone: ErrInUse if a process has
// it open, ErrDamaged if its files are not what was written. A write that a
// crash cut short is taken back.
func OpenState(dir string) (*StateStore, error) { return openWith(dir, writeBuffer) }

func openWith(dir string, writeBuffer int) (*StateStore, error) {
	files, err := openStateFiles(dir)
	if err != nil {
		return nil, err
	}
	return openOn(dir, files, writeBuffer, newPace())
}

func openOn(dir string, files lstorage.Storage, writeBuffer int, p *pace) (*StateStore, error) {
	db, err := leveldb.Open(tableFiles{files, p}, levelOptions(writeBuffer))
	if err != nil {
		files.Close()
		return nil, stateError(dir, err)
	}
	p.db.Store(db)
	return &StateStore{dir: dir, db: db, files: files, pace: p}, nil
}

// openStateFiles takes the lock of dir before it looks at the journals.
func openStateFiles(dir string) (lstorage.Storage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, stateError(dir, err)
	}
	files, err := lstorage.OpenFile(dir, false)
	if err != nil {
		return nil, stateError(dir, err)
	}
	if err := trimJournals(dir); err != nil {
		files.Close()
		return nil, stateError(dir, err)
	}
	return files, nil
}

// lacks are what a system can run out of, or refuse.
var lacks = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.EROFS}

// lack is the one that an error is about, also where the library kept no more of it
// than its text; nil if it is about none.
func lack(err error) error {
	for _, e := range lacks {
		if errors.Is(err, e) || strings.Contains(err.Error(), e.Error()) {
			return e
		}
	}
	return nil
}

// stateError says in one line what is wrong with the store in dir. What to do about a
// lack or about damage is for node to say.
func stateError(dir string, err error) error {
	switch {
	case errors.Is(err, leveldb.ErrSnapshotReleased), errors.Is(err, leveldb.ErrIterReleased):
		return fmt.Errorf("%w: %w", state.ErrReleased, err)
	case errors.Is(err, lstorage.ErrLocked), errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("%w: another process holds %s: stop it first", ErrInUse, dir)
	case errors.Is(err, ErrDamaged), lerrors.IsCorrupted(err):
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return fmt.Errorf("state in %s: %w", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("state: %w: make %s readable and writable for this user", err, dir)
	case lack(err) != nil:
		return fmt.Errorf("state in %s: %w", dir, lack(err))
	}
	return fmt.Errorf("state in %s: %w", dir, err)
}

// Get returns the value at key.
func (s *StateStore) Get(key string) ([]byte, bool, error) { return levelGet(s.db, s.dir, key) }

type levelReader interface {
	Get(key []byte, ro *opt.ReadOptions) ([]byte, error)
}

func levelGet(r levelReader, dir, key string) ([]byte, bool, error) {
	value, err := r.Get([]byte(key), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, stateError(dir, err)
	}
	return value, true, nil
}

// Iterate visits the keys in [from, to) in order.
func (s *StateStore) Iterate(from, to string) state.Iterator {
	return levelIterator{s.db.NewIterator(span(from, to), nil), s.dir}
}

func span(from, to string) *util.Range {
	r := &util.Range{Start: []byte(from)}
	if to != "" {
		r.Limit = []byte(to)
	}
	return r
}

type levelIterator struct {
	iterator.Iterator
	dir string
}

// Err returns what ended the iteration early, if anything.
func (i levelIterator) Err() error {
	if err := i.Error(); err != nil {
		return stateError(i.dir, err)
	}
	return nil
}

// Apply performs b atomically. After a failure the store takes nothing more:
// what the disk has of the failed batch is known only when it is opened again.
func (s *StateStore) Apply(b *state.Batch, sync bool) error {
	if s.failed != nil {
		return s.failed
	}
	err := s.write(b, sync)
	if err == nil && sync {
		// The journal may be a new file. Its name must last as well.
		err = syncDir(s.dir)
	}
	if err != nil {
		s.failed = stateError(s.dir, err)
	}
	return s.failed
}

func (s *StateStore) write(b *state.Batch, sync bool) error {
	if b.Bytes() > journaled {
		return s.writeTables(b)
	}
	// The library grows a batch in small steps, so it gets its size at once.
	// Each write takes at most a dozen bytes beside its key and value.
	batch := leveldb.MakeBatch(b.Bytes() + 12*len(b.Writes()))
	var key []byte
	for w := range backwards(b.Writes()) {
		if key = append(key[:0], w.Key...); w.Value == nil {
			batch.Delete(key)
		} else {
			batch.Put(key, w.Value)
		}
	}
	return s.db.Write(batch, &opt.WriteOptions{Sync: sync, NoWriteMerge: true})
}

// writeTables performs a batch without the journal: it becomes a table at once. It is
// atomic, and durable once committed.
func (s *StateStore) writeTables(b *state.Batch) error {
	tr, err := s.db.OpenTransaction()
	if err != nil {
		return err
	}
	s.pace.batch.Store(true)
	defer s.pace.batch.Store(false)
	var key []byte
	done := 0
	for w := range backwards(b.Writes()) {
		if done += len(w.Key) + len(w.Value); done > pauseBytes {
			s.pace.batch.Store(false)
			b.Pause()
			s.pace.batch.Store(true)
			done = 0
		}
		if key = append(key[:0], w.Key...); w.Value == nil {
			err = tr.Delete(key, nil)
		} else {
			err = tr.Put(key, w.Value, nil)
		}
		if err != nil {
			tr.Discard()
			return err
		}
	}
	if err := tr.Commit(); err != nil {
		tr.Discard()
		return err
	}
	return nil
}

// backwards visits writes so that they come to the same: each run of ascending keys
// from its end to its beginning. The library's skip list finds the place of a key
// that is below all others in a few comparisons, of one above them in dozens.
func backwards(writes []state.Write) iter.Seq[*state.Write] {
	return func(yield func(*state.Write) bool) {
		for from := 0; from < len(writes); {
			to := from + 1
			for to < len(writes) && writes[to-1].Key < writes[to].Key {
				to++
			}
			for i := to - 1; i >= from; i-- {
				if !yield(&writes[i]) {
					return
				}
			}
			from = to
		}
	}
}

// Snapshot returns the store as it is now.
func (s *StateStore) Snapshot() (state.StoreSnapshot, error) {
	snapshot, err := s.db.GetSnapshot()
	if err != nil {
		return nil, stateError(s.dir, err)
	}
	return levelSnapshot{snapshot, s.dir}, nil
}

type levelSnapshot struct {
	*leveldb.Snapshot
	dir string
}

// Get returns the value that key had.
func (s levelSnapshot) Get(key string) ([]byte, bool, error) { return levelGet(s.Snapshot, s.dir, key) }

// Iterate visits the keys in [from, to) as they were.
func (s levelSnapshot) Iterate(from, to string) state.Iterator {
	return levelIterator{s.NewIterator(span(from, to), nil), s.dir}
}

// Close ends the store's goroutines and gives the directory back. Nobody reads
// from it any more.
func (s *StateStore) Close() error {
	s.pace.closed.Store(true) // a merge that is under way ends first
	if err := cmp.Or(s.db.Close(), s.files.Close()); err != nil {
		return fmt.Errorf("close the state in %s: %w", s.dir, err)
	}
	return nil
}
