// Package files reads and writes the files that people edit: strict TOML with
// errors that name the file, the line and the key, sizes that are bounded, and
// writes that put a whole file in place or none, of these files and of all others
// that a command makes.
//
// It knows no meaning of any file, and keeps nothing.
package files
