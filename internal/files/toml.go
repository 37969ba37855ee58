package files

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// ErrInvalid is what every error about the contents of a file wraps.
var ErrInvalid = errors.New("invalid file")

// Duration is a span of time as files and the environment write it: 250ms, 2m.
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write 250ms, 2s or 5m", text)
	}
	*d = Duration(v)
	return nil
}

// MaxSize bounds the files read here, in bytes: a genesis of 64 replicas and
// thousands of clients is far below.
const MaxSize = 4 << 20

// ReadTOML decodes a file over what v already holds. Keys that v does not know
// are errors: a mistyped key that is silently ignored is a setting that
// somebody believes in.
func ReadTOML(path string, v any) error {
	b, err := Read(path, MaxSize)
	if err != nil {
		return err
	}
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	return explain(path, d.Decode(v))
}

// explain makes one line of a decoder's error, with file, line and key.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	line, text := Explain(err, "remove it or correct its name")
	if line > 0 {
		path += fmt.Sprintf(":%d", line)
	}
	return fmt.Errorf("%w: %s: %s", ErrInvalid, path, text)
}

// Explain is what a decoder's error says, on one line, and where; line 0 is not
// known. Of a key that nobody knows it gives the advice.
func Explain(err error, advice string) (line int, text string) {
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		first := unknown.Errors[0]
		line, _ = first.Position()
		return line, fmt.Sprintf("unknown key %q: %s", strings.Join(first.Key(), "."), advice)
	case errors.As(err, &wrong):
		line, _ = wrong.Position()
		if key := strings.Join(wrong.Key(), "."); key != "" {
			text = fmt.Sprintf("key %q: ", key)
		}
		return line, text + plain(strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return 0, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "toml: "), "\n", "; ")
}

// plain says what a value must be, where the decoder speaks of the types of Go.
func plain(text string) string {
	found := wrongType.FindStringSubmatch(text)
	if found == nil {
		return text
	}
	switch of := found[1]; {
	case strings.HasPrefix(of, "[]"):
		return "must be a list in brackets"
	case strings.HasPrefix(of, "map"):
		return "must be a table"
	case strings.Contains(of, "int"):
		return "must be a whole number"
	case of == "bool":
		return "must be true or false"
	case of == "string" || of == "files.Duration":
		return "must be a text in quotes"
	}
	return "has a value of the wrong type"
}

// wrongType is how the decoder says that a value does not fit, with the type that
// it looked for.
var wrongType = regexp.MustCompile(`^cannot (?:decode TOML|store) .* (?:of type|into|in) (?:a |an )?\*?(\S+)$`)

// WriteTOML writes v with a heading of comment lines.
func WriteTOML(path, heading string, mode os.FileMode, v any) error {
	var b bytes.Buffer
	b.WriteString(heading)
	if err := toml.NewEncoder(&b).SetArraysMultiline(true).Encode(v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return Write(path, b.Bytes(), mode)
}
