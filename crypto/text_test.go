package crypto

import (
	"encoding/json"
	"testing"
)

func TestDigestsAndKeysAreHexadecimalInText(t *testing.T) {
	in := struct {
		D Digest
		K PublicKey
	}{Hash([]byte("d")), PublicKey(Hash([]byte("k")))}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"D":"` + in.D.String() + `","K":"` + in.K.String() + `"}`; string(text) != want {
		t.Fatalf("%s, want %s", text, want)
	}
	out := in
	out.D, out.K = Digest{}, PublicKey{}
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Fatalf("read back %+v, %v", out, err)
	}
	for _, bad := range []string{`{"D":"00"}`, `{"K":"zz"}`, `{"D":"` + in.D.String() + `00"}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}
