package home

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/files"
)

// EnvPrefix begins the names of environment variables that set keys.
const EnvPrefix = "QUORATE_"

// setting is one leaf of a configuration: a dotted key and where its value is.
type setting struct {
	key   string
	value reflect.Value
}

// env is the environment variable of the setting.
func (s setting) env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// settingsOf lists the leaves of the struct that v points to.
func settingsOf(v any) []setting { return leaves(nil, "", reflect.ValueOf(v).Elem()) }

// leaves walks the tables of the file; their names are the parts of a key.
func leaves(out []setting, prefix string, v reflect.Value) []setting {
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("toml"), ",")
		if f := v.Field(i); f.Kind() == reflect.Struct {
			out = leaves(out, prefix+key+".", f)
		} else {
			out = append(out, setting{key: prefix + key, value: f})
		}
	}
	return out
}

// set parses a text as the setting's type. Lists are separated by commas.
func (s setting) set(text string) error {
	if u, ok := s.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch s.value.Kind() {
	case reflect.String:
		s.value.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		s.value.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		s.value.SetInt(n)
	case reflect.Slice:
		s.value.Set(reflect.ValueOf(splitList(text)))
	default:
		return fmt.Errorf("a %s cannot be set by a text", s.value.Kind())
	}
	return nil
}

// splitList makes no list of one empty element out of an empty text.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// applyEnv lets the environment override what v holds.
func applyEnv(v any, lookup func(string) (string, bool)) error {
	for _, s := range settingsOf(v) {
		if text, ok := lookup(s.env()); ok {
			if err := s.set(text); err != nil {
				return fmt.Errorf("%w: environment variable %s: %w", files.ErrInvalid, s.env(), err)
			}
		}
	}
	return nil
}

// applyFlags lets named values, by key, override what v holds.
func applyFlags(v any, flags map[string]string) error {
	all := settingsOf(v)
	for key, text := range flags {
		at := slices.IndexFunc(all, func(s setting) bool { return s.key == key })
		if at < 0 {
			return fmt.Errorf("%w: --set: unknown key %q: config.toml lists them", files.ErrInvalid, key)
		}
		if err := all[at].set(text); err != nil {
			return fmt.Errorf("%w: --set %s: %w", files.ErrInvalid, key, err)
		}
	}
	return nil
}

// otherEnv are the variables with our prefix that are no settings of a home.
var otherEnv = []string{"QUORATE_DIR", "QUORATE_HOME", "QUORATE_TIMEOUT", "QUORATE_PASSPHRASE", "QUORATE_LEASH", "QUORATE_SLACK"}

// UnknownEnv lists the variables of an environment (name=value) that have our
// prefix and that nothing reads.
func UnknownEnv(environment []string) []string {
	var known, unknown []string
	c := DefaultConfig()
	for _, s := range settingsOf(&c) {
		known = append(known, s.env())
	}
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(known, name) && !slices.Contains(otherEnv, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
