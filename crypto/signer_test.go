package crypto

import (
	stded25519 "crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The key pairs of RFC 8032 §7.1, tests 1 to 3 and SHA(abc).
func TestKeysOfRFC8032(t *testing.T) {
	for seed, public := range map[string]string{
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7": "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
		"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42": "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	} {
		s := [PrivateKeySize]byte(mustHex(t, seed))
		if got := NewSigner(s).Public().String(); got != public {
			t.Errorf("seed %s makes %s, want %s", seed, got, public)
		}
		if got := PublicOf(s).String(); got != public {
			t.Errorf("PublicOf(%s) is %s, want %s", seed, got, public)
		}
		if key := ed25519Key(s); hex.EncodeToString(key) != seed+public {
			t.Errorf("private key of %s is %x", seed, key)
		}
	}
}

// The bytes that are signed, and a signature, as they must stay: other
// versions of this program verify them.
func TestSignedBytesAreFrozen(t *testing.T) {
	d := Domain{Tag: "quorate/1/test", Cluster: Hash([]byte("cluster")), Epoch: 0x0102030405060708}
	message := d.Append([]byte("before"), []byte("body"))
	want := "before" + "\x0equorate/1/test" + string(d.Cluster[:]) + "\x01\x02\x03\x04\x05\x06\x07\x08" + "body"
	if string(message) != want {
		t.Fatalf("signed bytes %q, want %q", message, want)
	}
	if d.size() != len(want)-len("before")-len("body") {
		t.Errorf("size of the domain is %d", d.size())
	}
	sig := NewSigner([PrivateKeySize]byte{1}).Sign(d, []byte("body"))
	const frozen = "58689d64cfe2a592ba613ef1343b848e149ada3ffbd17f7369f6cba4288cba38e8723266e6e5bbf74e2634149a2475f2918585aad45659c8f48968f5c3a94309"
	if got := hex.EncodeToString(sig[:]); got != frozen {
		t.Errorf("signature %s, want %s", got, frozen)
	}
}

// Signatures are those of the standard library, so that any tool can make and
// ordinary ones can check them.
func TestSignsLikeTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := [PrivateKeySize]byte(rapid.SliceOfN(rapid.Byte(), PrivateKeySize, PrivateKeySize).Draw(t, "seed"))
		d := Domain{Tag: rapid.StringN(0, 20, 40).Draw(t, "tag"), Epoch: rapid.Uint64().Draw(t, "epoch")}
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		sig := NewSigner(seed).Sign(d, body)
		if want := stded25519.Sign(ed25519Key(seed), d.Append(nil, body)); string(want) != string(sig[:]) {
			t.Fatalf("signature %x, the standard library has %x", sig, want)
		}
	})
}

func TestParseReadsWhatStringWrites(t *testing.T) {
	k, d := PublicOf([PrivateKeySize]byte{2}), Hash([]byte("x"))
	if got, err := ParsePublicKey(k.String()); err != nil || got != k {
		t.Errorf("public key %s parsed as %s: %v", k, got, err)
	}
	for _, s := range []string{"", "00", k.String() + "00", strings.Repeat("g", 64)} {
		if _, err := ParsePublicKey(s); err == nil {
			t.Errorf("public key %q was parsed", s)
		}
	}
	if k.Short() != k.String()[:8] || d.Short() != d.String()[:8] {
		t.Error("the short form is not the beginning of the long one")
	}
	if d.IsZero() || !(Digest{}).IsZero() {
		t.Error("zero is told wrong")
	}
}
