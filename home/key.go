package home

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/files"
)

// Seed is the private half of a key.
type Seed = [crypto.PrivateKeySize]byte

// Passphrase asks for the passphrase of a key file. It is called only if the
// file is encrypted. Nil answers that there is none.
type Passphrase func() (string, error)

// ErrKeyMode: others than the owner may read a key file.
var ErrKeyMode = errors.New("key file is open to others")

// ReadKey reads a key file, which nobody but its owner may read.
func ReadKey(path string, ask Passphrase) (Seed, error) {
	b, err := readKeyFile(path)
	if err != nil {
		return Seed{}, err
	}
	seed, err := decodeKey(b, ask)
	switch {
	case errors.Is(err, crypto.ErrPassphraseNeeded):
		err = fmt.Errorf("%w: give --passphrase-file or set QUORATE_PASSPHRASE", err)
	case errors.Is(err, crypto.ErrKeyFile):
		err = fmt.Errorf("%w: put the file back from its backup", err)
	}
	if err != nil {
		return Seed{}, fmt.Errorf("key file %s: %w", path, err)
	}
	return seed, nil
}

// decodeKey reads a key file's content, and asks only if it is encrypted.
func decodeKey(b []byte, ask Passphrase) (seed Seed, err error) {
	_, encrypted, err := crypto.InspectKey(b)
	phrase := ""
	if err == nil && encrypted && ask != nil {
		phrase, err = ask()
	}
	if err != nil {
		return Seed{}, err
	}
	return crypto.DecodeKey(b, phrase)
}

// InspectKey tells what a key file says without its passphrase.
func InspectKey(path string) (public crypto.PublicKey, encrypted bool, err error) {
	b, err := readKeyFile(path)
	if err != nil {
		return crypto.PublicKey{}, false, err
	}
	if public, encrypted, err = crypto.InspectKey(b); err != nil {
		err = fmt.Errorf("key file %s: %w", path, err)
	}
	return public, encrypted, err
}

// readKeyFile refuses a key that others could read: it counts as lost, and using it
// on would hide that. What is no key may have any mode.
func readKeyFile(path string) ([]byte, error) {
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key file %s does not exist: correct the path, or put the file back from its backup", path)
	}
	if err != nil {
		return nil, err
	}
	b, err := files.Read(path, crypto.MaxKeyFile)
	if err != nil {
		return nil, err
	}
	if _, _, none := crypto.InspectKey(b); none == nil && stat.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o: run chmod 600 %s", ErrKeyMode, path, stat.Mode().Perm(), path)
	}
	return b, nil
}

// WriteKey makes a key file with mode 0600, encrypted if a passphrase is given.
// It never overwrites: a lost key cannot be made again.
func WriteKey(path string, seed Seed, passphrase string) error {
	b, err := crypto.EncodeKey(seed, passphrase, rand.Reader)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: a key file is never overwritten: choose another name or move it away: %w", path, fs.ErrExist)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return cmp.Or(files.Replaceable(path), err) // which says what to do
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		// Half a key would be in the way of the next attempt.
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// NewSeed draws a key.
func NewSeed() (Seed, error) {
	var s Seed
	if _, err := rand.Read(s[:]); err != nil {
		return s, fmt.Errorf("random numbers: %w", err)
	}
	return s, nil
}

// PassphraseFile reads a passphrase from a file: its first line.
func PassphraseFile(path string) Passphrase {
	return func() (string, error) {
		b, err := files.Read(path, 4096)
		if err != nil {
			return "", fmt.Errorf("passphrase file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
}
