package tidy

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// What is worth a line in the report, and fails nothing.
const (
	longFile   = 400 // lines
	wideStruct = 15  // fields
)

// shape is what is measured of one package, tests left out but for their size.
type shape struct {
	lines, tests     int
	functions        []int // their lengths
	comments, filled int   // lines with a comment, lines that are not blank
}

// median is the length of the middle function, the upper one of two.
func (s *shape) median() int {
	if len(s.functions) == 0 {
		return 0
	}
	slices.Sort(s.functions)
	return s.functions[len(s.functions)/2]
}

// commentShare is in percent of the lines that hold anything.
func (s *shape) commentShare() int { return 100 * s.comments / max(s.filled, 1) }

// report describes the shape of the code for people: one line per package,
// then what is longer or wider than it should be, and the imports of tests
// that go upward or sideways, which are allowed but worth knowing.
func (t *module) report() string {
	var b strings.Builder
	var notable []string
	total := &shape{}
	fmt.Fprintf(&b, "%-16s %6s %6s %6s %7s %8s %9s\n", "package", "lines", "tests", "funcs", "median", "longest", "comments")
	row := func(name string, s *shape) {
		fmt.Fprintf(&b, "%-16s %6d %6d %6d %7d %8d %8d%%\n", name, s.lines, s.tests, len(s.functions), s.median(),
			slices.Max(append(s.functions, 0)), s.commentShare())
	}
	for _, p := range t.Packages {
		s := &shape{}
		for _, f := range p.Files {
			t.measure(s, f)
			notable = append(notable, t.notable(p, f)...)
		}
		total.add(s)
		row(p.Path, s)
	}
	row("all", total)
	for _, line := range notable {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (s *shape) add(other *shape) {
	s.lines += other.lines
	s.tests += other.tests
	s.functions = append(s.functions, other.functions...)
	s.comments += other.comments
	s.filled += other.filled
}

// measure adds one file to the shape of its package. A line with code and a
// comment behind it counts as a comment too.
func (t *module) measure(s *shape, f *sourceFile) {
	if f.Test {
		s.tests += f.Lines
		return
	}
	s.lines += f.Lines
	for _, fn := range t.functions(f) {
		s.functions = append(s.functions, fn.lines)
	}
	for _, group := range f.ast.Comments {
		s.comments += t.line(group.End()) - t.line(group.Pos()) + 1
	}
	for line := range strings.Lines(f.text) {
		if strings.TrimSpace(line) != "" {
			s.filled++
		}
	}
}

// notable lists what a reader of the report should look at in one file.
func (t *module) notable(p *pkg, f *sourceFile) []string {
	var lines []string
	if f.Lines > longFile {
		lines = append(lines, fmt.Sprintf("%s: %d lines, aim for %d", f.Path, f.Lines, longFile))
	}
	if f.Test {
		for _, found := range append(t.checkImports(p, f), t.checkFunctions(f)...) {
			lines = append(lines, found+" (a test: allowed)")
		}
		return lines
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if st, ok := spec.Type.(*ast.StructType); ok && fields(st) > wideStruct {
			lines = append(lines, t.breach(f, spec.Pos(), "%s has %d fields, aim for %d", spec.Name.Name, fields(st), wideStruct))
		}
		return true
	})
	return lines
}

// fields counts names, and an embedded field as one.
func fields(st *ast.StructType) int {
	n := 0
	for _, f := range st.Fields.List {
		n += max(len(f.Names), 1)
	}
	return n
}
