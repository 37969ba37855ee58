package table

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// example has a column of words, one of numbers, and one of a long word.
func example() *Table {
	t := &Table{Indent: "  "}
	t.Row("NAME", "N", "WHAT IT DOES", "ID")
	t.Row("one", "17", "tells each half something else, and then nothing", "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X")
	t.Row("two", "4", "✓ short", "x")
	return t
}

// TestEveryWidth: no line is wider than the terminal, and no word of a table is lost.
func TestEveryWidth(t *testing.T) {
	for columns := range 200 {
		var b bytes.Buffer
		if err := example().Write(&b, columns); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); columns > 11 && n > columns {
				t.Errorf("%d columns: a line of %d: %q", columns, n, line)
			}
			if strings.HasSuffix(line, " \n") {
				t.Errorf("%d columns: %q ends with blanks", columns, line)
			}
		}
		all := strings.Join(strings.Fields(b.String()), "")
		for _, cells := range example().Rows[1:] {
			for _, cell := range cells {
				for _, word := range strings.Fields(cell) {
					if columns > 14 && !strings.Contains(all, word) {
						t.Errorf("%d columns: %q is lost:\n%s", columns, word, b.String())
					}
				}
			}
		}
	}
}

// TestLayouts: as it is, with broken cells, as paragraphs.
func TestLayouts(t *testing.T) {
	small := &Table{}
	small.Row("NAME", "WHAT IT DOES")
	small.Row("equivocate", "tells each half something else")
	for columns, want := range map[int]string{
		0:  "NAME        WHAT IT DOES\nequivocate  tells each half something else\n",
		42: "NAME        WHAT IT DOES\nequivocate  tells each half something else\n",
		30: "NAME        WHAT IT DOES\nequivocate  tells each half\n            something else\n",
		18: "NAME: equivocate\n  WHAT IT DOES:\n    tells each\n    half something\n    else\n",
	} {
		var b bytes.Buffer
		if err := small.Write(&b, columns); err != nil || b.String() != want {
			t.Errorf("%d columns, %v:\n%s", columns, err, b.String())
		}
	}
	right := &Table{Right: true}
	right.Row("a", "bb")
	right.Row("ccc", "d")
	var b bytes.Buffer
	if err := right.Write(&b, 0); err != nil || b.String() != "  a  bb\nccc   d\n" {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func ExampleWrap() {
	fmt.Println(strings.Join(Wrap("  a text of some words", 12), "\n"))
	// Output:
	//   a text of
	//   some words
}

// TestHang: what goes on is indented, nothing is wider than the terminal, and nothing
// is lost.
func TestHang(t *testing.T) {
	text := "Replica 2 waits for the prepared certificate of sequence 9: it has 2 of 3."
	for columns := range 90 {
		lines := Hang(text, columns)
		for i, line := range lines {
			if n := utf8.RuneCountInString(line); columns > 0 && n > columns {
				t.Errorf("%d columns: %d in %q", columns, n, line)
			}
			if columns > 2*gap && (i > 0) != strings.HasPrefix(line, "  ") {
				t.Errorf("%d columns: line %d is %q", columns, i, line)
			}
		}
		if got := strings.Join(strings.Fields(strings.Join(lines, "")), ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%d columns: %q", columns, lines)
		}
	}
}
