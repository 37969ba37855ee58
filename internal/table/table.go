package table

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is rows under a heading, which is the first of them.
type Table struct {
	Rows   [][]string
	Indent string // before every line
	Right  bool   // cells are flush right, where no cell had to be broken
}

// gap is how many blanks stand between two columns.
const gap = 2

// Row adds a row.
func (t *Table) Row(cells ...string) { t.Rows = append(t.Rows, cells) }

// Write writes the table for a terminal of so many columns; 0 = any width.
func (t *Table) Write(w io.Writer, columns int) error {
	if len(t.Rows) == 0 {
		return nil
	}
	room := columns - len(t.Indent)
	widths, least := t.measure()
	var lines []string
	switch {
	case columns <= 0 || total(widths) <= room:
		lines = t.lines(widths)
	case total(least) <= room:
		lines = t.lines(shrunk(widths, least, room))
	default:
		lines = t.paragraphs(max(room, 1))
	}
	for i := range lines {
		lines[i] = strings.TrimRight(t.Indent+lines[i], " ") + "\n"
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// Width is how wide the table is if no cell is broken.
func (t *Table) Width() int {
	widths, _ := t.measure()
	return len(t.Indent) + total(widths)
}

// measure answers how wide each column is, and how wide at least: its longest word.
func (t *Table) measure() (widths, least []int) {
	for _, cells := range t.Rows {
		for i, cell := range cells {
			if i == len(widths) {
				widths, least = append(widths, 0), append(least, 1)
			}
			widths[i] = max(widths[i], length(cell))
			for _, word := range strings.Fields(cell) {
				least[i] = max(least[i], length(word))
			}
		}
	}
	return widths, least
}

// total is the width of a line.
func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// shrunk takes from the widest column, again and again, until the line fits.
func shrunk(widths, least []int, room int) []int {
	widths = slices.Clone(widths)
	for total(widths) > room {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		widths[widest]--
	}
	return widths
}

// lines are the rows, with cells broken where they are wider than their column.
func (t *Table) lines(widths []int) (lines []string) {
	for _, cells := range t.Rows {
		broken, height := make([][]string, len(cells)), 1
		for i, cell := range cells {
			broken[i] = Wrap(cell, widths[i])
			height = max(height, len(broken[i]))
		}
		for k := range height {
			var b strings.Builder
			for i := range cells {
				text := ""
				if k < len(broken[i]) {
					text = broken[i][k]
				}
				pad := strings.Repeat(" ", widths[i]-length(text))
				if t.Right {
					text, pad = pad, text
				}
				b.WriteString(text + pad + strings.Repeat(" ", gap))
			}
			lines = append(lines, b.String())
		}
	}
	return lines
}

// paragraphs are the rows one below the other, each cell behind its column's name.
func (t *Table) paragraphs(room int) (lines []string) {
	heading := t.Rows[0]
	if len(t.Rows) == 1 {
		return Wrap(strings.Join(heading, " "), room)
	}
	for n, cells := range t.Rows[1:] {
		if n > 0 {
			lines = append(lines, "")
		}
		for i, cell := range cells {
			text := strings.TrimSpace(cell)
			if i < len(heading) && heading[i] != "" {
				text = strings.TrimSpace(heading[i]) + ": " + text
			}
			margin := ""
			if i > 0 {
				margin = "  "
			}
			for k, line := range Wrap(text, max(room-len(margin)-gap, 1)) {
				if k > 0 {
					line = strings.Repeat(" ", gap) + line
				}
				lines = append(lines, margin+line)
			}
		}
	}
	return lines
}

// Wrap breaks a text between words into lines of at most so many columns; 0 = any
// width. A word that is longer is broken itself. Blanks at the text's beginning stay,
// and stand before every line.
func Wrap(text string, columns int) []string {
	if columns <= 0 || length(text) <= columns {
		return []string{text}
	}
	margin := text[:len(text)-len(strings.TrimLeft(text, " "))]
	if len(margin) >= columns {
		margin = ""
	}
	var lines []string
	line := []rune(margin)
	for _, word := range strings.Fields(text) {
		rest := []rune(word)
		if len(line) > len(margin) && len(line)+1+len(rest) <= columns {
			line = append(line, ' ')
		} else if len(line) > len(margin) {
			lines, line = append(lines, string(line)), []rune(margin)
		}
		for len(line)+len(rest) > columns {
			cut := columns - len(line)
			lines, line, rest = append(lines, string(line)+string(rest[:cut])), []rune(margin), rest[cut:]
		}
		line = append(line, rest...)
	}
	return append(lines, string(line))
}

// Hang is Wrap with every line but the first indented, so that several texts one below
// the other are told apart.
func Hang(text string, columns int) []string {
	if columns <= 2*gap || length(text) <= columns {
		return Wrap(text, columns)
	}
	indent := strings.Repeat(" ", gap)
	lines := Wrap(indent+strings.TrimLeft(text, " "), columns)
	lines[0] = strings.TrimPrefix(lines[0], indent)
	return lines
}

// length is how many columns a text takes: all that is printed here is of one column
// for each rune.
func length(text string) int { return utf8.RuneCountInString(text) }
