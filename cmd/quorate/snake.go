package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode"
)

// printSnake is printJSON for values whose types belong to other packages and
// have no names for programs: keys become snake_case, as everywhere here, and
// a list that is empty is [] and not null.
func printSnake(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // a sequence number must not become a float
	var plain any
	if err := d.Decode(&plain); err != nil {
		return err
	}
	return printJSON(w, renamed(plain))
}

// renamed is a decoded value with its keys in snake_case. Null stands only for
// lists here: what else is absent is left out by its type.
func renamed(v any) any {
	switch v := v.(type) {
	case nil:
		return []any{}
	case []any:
		for i := range v {
			v[i] = renamed(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[snake(key)] = renamed(value)
		}
		return out
	}
	return v
}

// snake is a name of Go's, such as PeerID or RootSeq, as peer_id or root_seq.
func snake(name string) string {
	var out strings.Builder
	lower := false // the letter before was none that a word can begin behind
	for _, r := range name {
		if unicode.IsUpper(r) && lower {
			out.WriteByte('_')
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
