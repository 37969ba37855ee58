package crypto

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// zeros stands for the operating system's randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The two forms as they must stay: people keep these files.
const (
	plainKey = "quorate key 1\n" +
		"public d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n" +
		"seed 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n"
	sealedKey = "quorate key 1\n" +
		"public d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n" +
		"argon2id 3 65536 00000000000000000000000000000000\n" +
		"chacha20poly1305 268bb918c5734a64b526881bc986c6f6f5a6258f18bd31b26d836c3466497f8043cc6e5666827f82d61e8c00059fdb54\n"
	passphrase = "correct horse"
)

func rfcSeed(t testing.TB) [PrivateKeySize]byte {
	return [PrivateKeySize]byte(mustHex(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
}

func TestKeyFilesAreFrozen(t *testing.T) {
	for _, c := range []struct{ passphrase, want string }{{"", plainKey}, {passphrase, sealedKey}} {
		got, err := EncodeKey(rfcSeed(t), c.passphrase, zeros{})
		if err != nil || string(got) != c.want {
			t.Fatalf("with passphrase %q: %v\n%s\nwant\n%s", c.passphrase, err, got, c.want)
		}
		if len(got) > MaxKeyFile {
			t.Errorf("the file has %d bytes, limit %d", len(got), MaxKeyFile)
		}
		seed, err := DecodeKey(got, c.passphrase)
		if err != nil || seed != rfcSeed(t) {
			t.Errorf("decoding what was encoded: %x, %v", seed, err)
		}
		public, encrypted, err := InspectKey(got)
		if err != nil || public != PublicOf(seed) || encrypted != (c.passphrase != "") {
			t.Errorf("inspecting: %s %v %v", public, encrypted, err)
		}
	}
	if seed, err := DecodeKey([]byte(plainKey), "not needed"); err != nil || seed != rfcSeed(t) {
		t.Errorf("a passphrase that is not needed: %v", err)
	}
}

func TestEncodingNeedsRandomness(t *testing.T) {
	if _, err := EncodeKey(rfcSeed(t), passphrase, bytes.NewReader(make([]byte, saltSize-1))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("with too little randomness: %v", err)
	}
	if _, err := EncodeKey(rfcSeed(t), "", nil); err != nil {
		t.Errorf("a plain file needs none: %v", err)
	}
}

func TestDamagedKeyFiles(t *testing.T) {
	change := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%q does not stand in the file", old)
		}
		return strings.Replace(s, old, new, 1)
	}
	for _, c := range []struct {
		name, file, passphrase string
		want                   error
	}{
		{"empty", "", "", ErrKeyFile},
		{"another version", change(plainKey, "key 1", "key 2"), "", ErrKeyFile},
		{"cut short", plainKey[:len(plainKey)-1], "", ErrKeyFile},
		{"one line missing", plainKey[:strings.Index(plainKey, "seed")], "", ErrKeyFile},
		{"trailing line", plainKey + "\n", "", ErrKeyFile},
		{"trailing text", plainKey + "x", "", ErrKeyFile},
		{"carriage returns", strings.ReplaceAll(plainKey, "\n", "\r\n"), "", ErrKeyFile},
		{"upper case", change(plainKey, "9d61", "9D61"), "", ErrKeyFile},
		{"short seed", change(plainKey, "7f60\n", "7f\n"), "", ErrKeyFile},
		{"no hexadecimal", change(plainKey, "7f60\n", "7fxx\n"), "", ErrKeyFile},
		{"another's public key", change(plainKey, "public d75a", "public d75b"), "", ErrKeyFile},
		{"too long", plainKey + strings.Repeat("\n", MaxKeyFile), "", ErrKeyFile},
		{"no passphrase", sealedKey, "", ErrPassphraseNeeded},
		{"wrong passphrase", sealedKey, passphrase + "!", ErrPassphrase},
		{"seal of another length", change(sealedKey, "chacha20poly1305 ", "chacha20poly1305 0"), passphrase, ErrKeyFile},
		{"damaged seal", change(sealedKey, "268b", "268c"), passphrase, ErrPassphrase},
		{"public key exchanged under the seal", change(sealedKey, "public d75a", "public d75b"), passphrase, ErrPassphrase},
		{"cost lowered under the seal", change(sealedKey, "argon2id 3", "argon2id 1"), passphrase, ErrPassphrase},
		{"no passes", change(sealedKey, "argon2id 3", "argon2id 0"), passphrase, ErrKeyCost},
		{"too many passes", change(sealedKey, "argon2id 3", "argon2id 17"), passphrase, ErrKeyCost},
		{"too much memory", change(sealedKey, " 65536 ", " 262145 "), passphrase, ErrKeyCost},
		{"too little memory", change(sealedKey, " 65536 ", " 7 "), passphrase, ErrKeyCost},
		{"number out of range", change(sealedKey, " 65536 ", " 4294967296 "), passphrase, ErrKeyFile},
		{"leading zero", change(sealedKey, "argon2id 3", "argon2id 03"), passphrase, ErrKeyFile},
		{"sign", change(sealedKey, "argon2id 3", "argon2id +3"), passphrase, ErrKeyFile},
		{"another function", change(sealedKey, "argon2id", "scrypt"), passphrase, ErrKeyFile},
		{"short salt", change(sealedKey, " 00000000", " 000000"), passphrase, ErrKeyFile},
	} {
		seed, err := DecodeKey([]byte(c.file), c.passphrase)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if seed != [PrivateKeySize]byte{} {
			t.Errorf("%s: a seed came out with the error", c.name)
		}
	}
}

func TestPlainKeyFilesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := [PrivateKeySize]byte(rapid.SliceOfN(rapid.Byte(), PrivateKeySize, PrivateKeySize).Draw(t, "seed"))
		b, err := EncodeKey(seed, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeKey(b, ""); err != nil || got != seed {
			t.Fatalf("%x came back as %x: %v", seed, got, err)
		}
	})
}

// FuzzDecodeKey: whatever decodes is exactly what would be encoded, whatever
// is refused is refused with a typed error, and an encrypted file is judged
// before any work is spent on it.
func FuzzDecodeKey(f *testing.F) {
	for _, seed := range []string{"", plainKey, sealedKey, plainKey + "\n", strings.ToUpper(plainKey), strings.Replace(sealedKey, "3", "17", 1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seed, err := DecodeKey(b, "")
		if err == nil {
			if again, err := EncodeKey(seed, "", nil); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%q decodes, but the same key is written %q (%v)", b, again, err)
			}
			return
		}
		if !errors.Is(err, ErrKeyFile) && !errors.Is(err, ErrPassphraseNeeded) && !errors.Is(err, ErrKeyCost) {
			t.Fatalf("%q: untyped error %v", b, err)
		}
		if _, encrypted, ierr := InspectKey(b); errors.Is(err, ErrPassphraseNeeded) && (ierr != nil || !encrypted) {
			t.Fatalf("%q needs a passphrase, but is inspected as %v, %v", b, encrypted, ierr)
		}
	})
}
