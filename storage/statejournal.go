package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/syndtr/goleveldb/leveldb/util"
)

// goleveldb cannot tell a torn tail, which a crash may leave, from damage, which
// must not be passed over: strict, it refuses both, otherwise it skips both and
// opens with a gap. So its journals are looked at before it opens them: a torn
// tail is cut, and for the rest it runs strict.
//
// A journal is a sequence of blocks of 32 KiB, each holding chunks: checksum
// (4), length (2), kind (1), payload. A record is one whole chunk, or a first,
// any number of middle and a last one. Every record is synced before the next
// begins, so at most one is torn, and no record begins after it.
const (
	journalBlock = 32 << 10
	chunkHeader  = 7
	chunkWhole   = 1
	chunkFirst   = 2
	chunkMiddle  = 3
	chunkLast    = 4
)

// trimJournals cuts the torn tail of the newest journal and of the current
// manifest, which has the same form. Damage is an ErrDamaged.
func trimJournals(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var numbers []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".log")
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		path := filepath.Join(dir, fmt.Sprintf("%06d.log", n))
		if err := trimJournal(path, i == len(numbers)-1); err != nil {
			return err
		}
	}
	current, err := os.ReadFile(filepath.Join(dir, "CURRENT"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := strings.TrimSpace(string(current))
	if !strings.HasPrefix(name, "MANIFEST-") || name != filepath.Base(name) {
		return damaged(filepath.Join(dir, "CURRENT"), 0, "it names no manifest")
	}
	return trimJournal(filepath.Join(dir, name), true)
}

// trimJournal cuts what follows the last whole record of the file at path, if
// that may be torn.
func trimJournal(path string, mayBeTorn bool) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return damaged(path, 0, "it is missing")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	scan := journalScan{torn: -1}
	if err := scan.file(f); err != nil {
		return err
	}
	if scan.later {
		return damaged(path, scan.torn, "records follow after one that is unreadable")
	}
	if scan.torn < 0 {
		return nil
	}
	if !mayBeTorn {
		return damaged(path, scan.torn, "it was complete once and is not any more")
	}
	if err := f.Truncate(scan.torn); err != nil {
		return err
	}
	return f.Sync()
}

// journalScan finds where a journal stops being readable.
type journalScan struct {
	torn   int64 // where the first record begins that is not whole; -1: none
	later  bool  // a record begins after that
	record int64 // where the open record begins
	open   bool  // a first chunk was read and its last was not
}

func (s *journalScan) file(f io.Reader) error {
	buf := make([]byte, journalBlock)
	for at := int64(0); ; at += journalBlock {
		n, err := io.ReadFull(f, buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		s.block(buf[:n], at)
		if err != nil || s.later {
			break
		}
	}
	if s.open && s.torn < 0 {
		s.torn = s.record
	}
	return nil
}

// block reads one block, which begins at the given offset of the file. Less than
// a header's length at the end of a whole block is padding.
func (s *journalScan) block(b []byte, at int64) {
	whole := len(b) == journalBlock
	for len(b) > 0 {
		if len(b) < chunkHeader {
			if !whole {
				s.bad(at)
			}
			return
		}
		size := chunkHeader + int(binary.LittleEndian.Uint16(b[4:6]))
		kind := b[6]
		if kind < chunkWhole || kind > chunkLast || size > len(b) {
			s.bad(at)
			return
		}
		if util.NewCRC(b[6:size]).Value() != binary.LittleEndian.Uint32(b) {
			s.bad(at)
		} else {
			s.chunk(kind, at)
		}
		b, at = b[size:], at+int64(size)
	}
}

// bad notes that the chunk at the given offset is unreadable, and with it the
// record that it belongs to.
func (s *journalScan) bad(at int64) {
	if s.torn >= 0 {
		return
	}
	if s.torn = at; s.open {
		s.torn = s.record
	}
}

func (s *journalScan) chunk(kind byte, at int64) {
	begins := kind == chunkWhole || kind == chunkFirst
	switch {
	case s.torn >= 0:
		s.later = s.later || begins
	case begins == s.open:
		// A record that begins inside another, or goes on without one:
		// tearing does not do this.
		s.bad(at)
		s.later = true
	default:
		if begins {
			s.record = at
		}
		s.open = kind == chunkFirst || kind == chunkMiddle
	}
}
