// Package table lays out rows and texts for a terminal of any width, and for none.
//
// Where a table is too wide, cells are broken between words; where that is not
// enough, each row becomes a paragraph with the names of the columns. No line is
// longer than the terminal is wide.
package table
