package crypto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// Why a key file was not opened.
var (
	// ErrKeyFile: the bytes are not a key file, or a damaged one.
	ErrKeyFile = errors.New("not a valid key file")
	// ErrPassphraseNeeded: the key is encrypted and no passphrase was given.
	ErrPassphraseNeeded = errors.New("the key file is encrypted: a passphrase is needed")
	// ErrPassphrase: the passphrase is wrong. (A file that was tampered with
	// below its first lines looks the same.)
	ErrPassphrase = errors.New("wrong passphrase for the key file")
	// ErrKeyCost: the file asks for more work than the bounds below allow.
	ErrKeyCost = errors.New("the key file asks for more memory or time than is allowed")
)

// Bounds on what a key file may ask of the machine that opens it, so that a foreign
// file cannot exhaust a machine. The cost that EncodeKey chooses is the second
// recommendation of RFC 9106, on one thread.
const (
	MaxKeyFile   = 1024    // bytes of a whole file
	maxArgonTime = 16      // passes
	maxArgonKiB  = 1 << 18 // 256 MiB
	minArgonKiB  = 8       // the algorithm's own minimum for one thread
	argonTime    = 3
	argonKiB     = 64 << 10
	saltSize     = 16 // bytes
)

// The lines of a key file, each ended by a single line feed:
//
//	quorate key 1
//	public <64 hexadecimal characters>
//	seed <64 hexadecimal characters>
//
// or, encrypted, instead of the seed
//
//	argon2id <passes> <KiB> <salt, 32 hexadecimal characters>
//	chacha20poly1305 <sealed seed, 96 hexadecimal characters>
//
// The sealed seed is bound to the lines above it. Its nonce is zero: the salt
// is drawn anew for each file, so each encryption key seals exactly once.
const (
	keyHeader     = "quorate key 1"
	publicPrefix  = "public "
	seedPrefix    = "seed "
	argonPrefix   = "argon2id "
	chachaPrefix  = "chacha20poly1305 "
	sealedKeySize = PrivateKeySize + chacha20poly1305.Overhead
)

// keyFile is the parsed form. Salt is nil if the seed stands there in plain.
type keyFile struct {
	public      PublicKey
	seed        [PrivateKeySize]byte
	time, kib   uint32
	salt        []byte
	sealed      []byte
	authorizing []byte // the lines that the seal covers
}

// EncodeKey writes the key file of a seed: in plain for an empty passphrase,
// otherwise encrypted. random supplies the salt and is read only then; it must be
// the operating system's except in tests. It fails only if random does.
func EncodeKey(seed [PrivateKeySize]byte, passphrase string, random io.Reader) ([]byte, error) {
	head := keyHeader + "\n" + publicPrefix + PublicOf(seed).String() + "\n"
	if passphrase == "" {
		return []byte(head + seedPrefix + hex.EncodeToString(seed[:]) + "\n"), nil
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("drawing the salt of a key file: %w", err)
	}
	f := keyFile{time: argonTime, kib: argonKiB, salt: salt}
	f.authorizing = []byte(head + f.argonLine())
	f.sealed = f.seal(passphrase, seed)
	return append(f.authorizing, chachaPrefix+hex.EncodeToString(f.sealed)+"\n"...), nil
}

// DecodeKey reads what EncodeKey wrote and nothing else. A passphrase that a
// plain file does not need is ignored. Errors wrap ErrKeyFile,
// ErrPassphraseNeeded, ErrPassphrase or ErrKeyCost.
func DecodeKey(b []byte, passphrase string) ([PrivateKeySize]byte, error) {
	f, err := parseKeyFile(b)
	if err != nil {
		return [PrivateKeySize]byte{}, err
	}
	seed := f.seed
	if f.salt != nil {
		if seed, err = f.unseal(passphrase); err != nil {
			return [PrivateKeySize]byte{}, err
		}
	}
	if PublicOf(seed) != f.public {
		return [PrivateKeySize]byte{}, fmt.Errorf("%w: its seed does not make its public key", ErrKeyFile)
	}
	return seed, nil
}

// InspectKey tells what can be seen without a passphrase: the public key, as
// the file has it, and whether the seed is encrypted.
func InspectKey(b []byte) (public PublicKey, encrypted bool, err error) {
	f, err := parseKeyFile(b)
	if err != nil {
		return PublicKey{}, false, err
	}
	return f.public, f.salt != nil, nil
}

func parseKeyFile(b []byte) (*keyFile, error) {
	if len(b) > MaxKeyFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are possible", ErrKeyFile, len(b), MaxKeyFile)
	}
	lines := strings.Split(string(b), "\n")
	if lines[0] != keyHeader {
		return nil, fmt.Errorf("%w: the first line is not %q", ErrKeyFile, keyHeader)
	}
	// The last element is what follows the last line feed: nothing.
	if (len(lines) != 4 && len(lines) != 5) || lines[len(lines)-1] != "" {
		return nil, fmt.Errorf("%w: cut short, or something follows its end", ErrKeyFile)
	}
	f := &keyFile{}
	if err := parseHexLine(f.public[:], lines[1], publicPrefix); err != nil {
		return nil, err
	}
	if len(lines) == 4 {
		return f, parseHexLine(f.seed[:], lines[2], seedPrefix)
	}
	if err := f.parseArgonLine(lines[2]); err != nil {
		return nil, err
	}
	f.sealed = make([]byte, sealedKeySize)
	f.authorizing = b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1]
	return f, parseHexLine(f.sealed, lines[3], chachaPrefix)
}

// parseHexLine fills dst. Upper case is refused: one file has one encoding.
func parseHexLine(dst []byte, line, prefix string) error {
	digits, ok := strings.CutPrefix(line, prefix)
	if !ok || strings.ToLower(digits) != digits {
		return fmt.Errorf("%w: want a line %q with lower-case hexadecimal characters", ErrKeyFile, prefix+"…")
	}
	if err := parseHex(dst, digits); err != nil {
		return fmt.Errorf("%w: line %q: %w", ErrKeyFile, prefix+"…", err)
	}
	return nil
}

func (f *keyFile) argonLine() string {
	return fmt.Sprintf("%s%d %d %x\n", argonPrefix, f.time, f.kib, f.salt)
}

func (f *keyFile) parseArgonLine(line string) error {
	fields := strings.Split(strings.TrimPrefix(line, argonPrefix), " ")
	if len(fields) != 3 {
		return fmt.Errorf("%w: want a line %q with passes, KiB and salt", ErrKeyFile, argonPrefix+"…")
	}
	passes, errPasses := strconv.ParseUint(fields[0], 10, 32)
	kib, errKiB := strconv.ParseUint(fields[1], 10, 32)
	f.time, f.kib, f.salt = uint32(passes), uint32(kib), make([]byte, saltSize)
	if err := errors.Join(errPasses, errKiB, parseHex(f.salt, fields[2])); err != nil {
		return fmt.Errorf("%w: line %q: %w", ErrKeyFile, argonPrefix+"…", err)
	}
	if f.argonLine() != line+"\n" {
		return fmt.Errorf("%w: line %q is not written as it must be", ErrKeyFile, argonPrefix+"…")
	}
	if f.time < 1 || f.time > maxArgonTime || f.kib < minArgonKiB || f.kib > maxArgonKiB {
		return fmt.Errorf("%w: %d passes over %d KiB, at most %d over %d", ErrKeyCost, f.time, f.kib, maxArgonTime, maxArgonKiB)
	}
	return nil
}

// key derives the file's encryption key, which takes the memory and time
// that the file states.
func (f *keyFile) key(passphrase string) []byte {
	return argon2.IDKey([]byte(passphrase), f.salt, f.time, f.kib, 1, chacha20poly1305.KeySize)
}

func (f *keyFile) seal(passphrase string, seed [PrivateKeySize]byte) []byte {
	aead, err := chacha20poly1305.New(f.key(passphrase))
	if err != nil {
		panic(fmt.Sprintf("crypto: key of a fixed size refused: %v", err))
	}
	var nonce [chacha20poly1305.NonceSize]byte
	return aead.Seal(nil, nonce[:], seed[:], f.authorizing)
}

func (f *keyFile) unseal(passphrase string) (seed [PrivateKeySize]byte, err error) {
	if passphrase == "" {
		return seed, ErrPassphraseNeeded
	}
	aead, err := chacha20poly1305.New(f.key(passphrase))
	if err != nil {
		panic(fmt.Sprintf("crypto: key of a fixed size refused: %v", err))
	}
	var nonce [chacha20poly1305.NonceSize]byte
	plain, err := aead.Open(nil, nonce[:], f.sealed, f.authorizing)
	if err != nil {
		return seed, ErrPassphrase
	}
	return [PrivateKeySize]byte(plain), nil
}
