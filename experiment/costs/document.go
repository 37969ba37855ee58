package costs

import (
	"errors"
	"fmt"
	"strings"
)

// The lines of a document between which the tables stand.
const (
	begins = "<!-- quorate costs: from here -->\n"
	ends   = "<!-- quorate costs: to here -->\n"
)

// errNoPlace is wrapped when a document has no place for the tables.
var errNoPlace = errors.New("no place for the tables")

// Insert puts the tables into a document, in the place of those that stand there.
func Insert(document string, all []Cost) (string, error) {
	before, rest, found := strings.Cut(document, begins)
	_, after, closed := strings.Cut(rest, ends)
	if !found || !closed {
		return "", fmt.Errorf("%w: the lines %q and %q must stand in it, in this order", errNoPlace, strings.TrimSpace(begins), strings.TrimSpace(ends))
	}
	var b strings.Builder
	if err := writeMarkdown(&b, all); err != nil {
		return "", err
	}
	return before + begins + "\n" + b.String() + "\n" + ends + after, nil
}
