package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Origin says what a home remembers when it starts (PROTOCOL.md §8).
type Origin uint8

// The origins.
const (
	Born   Origin = iota + 1 // birth record and log: start at once
	Wiped                    // neither: a lost disk. Amnesiac: call Readmit, then rejoin
	Reborn                   // begun anew by Readmit and not yet settled: still amnesiac
)

// String names the origin.
func (o Origin) String() string {
	return [...]string{"unknown", "born", "wiped", "reborn"}[min(o, Reborn+1)%(Reborn+1)]
}

// Amnesiac reports whether the replica may have sent votes that its log does
// not know.
func (o Origin) Amnesiac() bool { return o != Born }

const flagReborn uint16 = 1

// LogDir is where the log lives in a data directory.
func LogDir(data string) string { return filepath.Join(data, logName) }

// Init begins the home of a replica that never ran: an empty log, and then the
// birth record, whose presence says that the log must be there too. It refuses
// a home that is initialised already. To run it for an identity that ran
// elsewhere hides a loss of memory and is a Byzantine fault of the operator's.
// Callers: testnet init and up.
func Init(data string, id Identity) error { return begin(data, id, 0) }

// Readmit begins the home of a replica that lost its disk: as Init, but the
// birth record says that it was reborn, until Settle. Caller: node, for an
// origin of Wiped.
func Readmit(data string, id Identity) error { return begin(data, id, flagReborn) }

// Settle ends the amnesia of a reborn replica: it has rejoined, and the
// records that say so are synced. Caller: node.
func Settle(data string, id Identity) error {
	if _, err := readBlock(birthPath(data), birthMagic, id); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return writeBlock(birthPath(data), &block{magic: birthMagic, id: id}, false)
}

func begin(data string, id Identity, flags uint16) error {
	if _, err := os.Stat(birthPath(data)); err == nil {
		return fmt.Errorf("%s: %w: start it", birthPath(data), errBorn)
	}
	// Without a birth record a home is wiped, or damaged.
	if _, err := Birth(data, id); err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := syncDir(filepath.Dir(filepath.Clean(data))); err != nil {
		return err
	}
	l, _, err := OpenLog(LogDir(data), LogOptions{Identity: id})
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	return writeBlock(birthPath(data), &block{magic: birthMagic, id: id, flags: flags}, false)
}

// Birth reads what the home remembers. It changes nothing. ErrNoLog: there is
// a birth record but no log, so votes are lost. ErrNoBirth: there are records
// but nobody knows whether they are all. Also damageError, ErrForeign and
// errVersion.
func Birth(data string, id Identity) (Origin, error) {
	files, err := list(LogDir(data))
	if err != nil {
		return 0, err
	}
	logged := files.base || len(files.segments) > 0
	b, err := readBlock(birthPath(data), birthMagic, id)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !logged:
		return Wiped, nil
	case errors.Is(err, fs.ErrNotExist):
		return unborn(data, id, files)
	case err != nil:
		return 0, err
	case !logged:
		return 0, fmt.Errorf("%s: %w though the birth record is there", LogDir(data), ErrNoLog)
	case b.flags&flagReborn != 0:
		return Reborn, nil
	}
	return Born, nil
}

// unborn judges a log without a birth record: an empty one was left by a crash
// between the two, and nothing is lost by calling its home wiped.
func unborn(data string, id Identity, files listing) (Origin, error) {
	r := &recovery{dir: LogDir(data), id: id}
	if err := r.read(files); err != nil {
		return 0, err
	}
	if r.seq == 0 {
		return Wiped, nil
	}
	return 0, fmt.Errorf("%s: %w though the log has %d records", birthPath(data), ErrNoBirth, len(r.records))
}

func birthPath(data string) string { return filepath.Join(data, birthName) }
