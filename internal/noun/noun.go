package noun

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Several is a number with its noun, which is given for one: 1 replica, 3 replicas.
func Several[N ~int | ~int64 | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, plural(noun))
}

// Either lists alternatives: a, b or c. There is at least one.
func Either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// plural is a noun for several things.
func plural(noun string) string {
	last, stem := noun[len(noun)-1:], noun[:len(noun)-1]
	switch {
	case last == "y" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou"):
		return stem + "ies"
	case last == "s", last == "x", strings.HasSuffix(noun, "sh"), strings.HasSuffix(noun, "ch"):
		return noun + "es"
	}
	return noun + "s"
}

// maxQuoted bounds what is quoted of a value, in bytes.
const maxQuoted = 64

// Quote is a key or a value in a sentence: its beginning, for nobody reads a megabyte,
// and as hex if it is no text.
func Quote[T ~string | ~[]byte](value T) string {
	all := string(value)
	if !utf8.ValidString(all) {
		text := fmt.Sprintf("hex %x", all[:min(len(all), maxQuoted)])
		if len(all) > maxQuoted {
			text += fmt.Sprintf("... of %d bytes", len(all))
		}
		return text
	}
	if len(all) <= maxQuoted {
		return fmt.Sprintf("%q", all)
	}
	end := maxQuoted
	for !utf8.RuneStart(all[end]) {
		end--
	}
	return fmt.Sprintf("%q... of %d bytes", all[:end], len(all))
}
