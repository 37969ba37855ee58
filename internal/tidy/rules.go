package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxFunction is the number of lines that no function outside of tests may
// exceed.
const maxFunction = 70

// maxMethods is the number of methods that no type may exceed outside of tests:
// one that has more has parts that could have verbs of their own.
const maxMethods = 90

// breaches lists every breach of a rule that fails the tests, each with its file
// and line, in order.
func (t *module) breaches() []string {
	var found []string
	for _, p := range t.Packages {
		found = append(found, t.checkPackage(p)...)
		found = append(found, t.checkMethods(p)...)
		for _, f := range p.Files {
			found = append(found, t.checkMarks(f)...)
			if f.Test {
				continue
			}
			found = append(found, t.checkImports(p, f)...)
			found = append(found, t.checkNames(p, f)...)
			found = append(found, t.checkFunctions(f)...)
			if belowTheLine(p.Path) {
				found = append(found, t.checkPurity(p, f)...)
			}
		}
	}
	return append(found, t.checkHonest()...)
}

func (t *module) breach(f *sourceFile, at token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.Path, t.line(at), fmt.Sprintf(format, args...))
}

// checkPackage asks for a floor and for a doc.go that says what the package is
// for. Commands say it in their help, and tests alone need no doc.go.
func (t *module) checkPackage(p *pkg) []string {
	var found []string
	if _, known := floorOf(p.Path); !known {
		found = append(found, fmt.Sprintf("%s: stands on no floor: enter it in internal/tidy/floors.go", p.Path))
	}
	code := slices.ContainsFunc(p.Files, func(f *sourceFile) bool { return !f.Test && f.ast.Name.Name != "main" })
	documented := slices.ContainsFunc(p.Files, func(f *sourceFile) bool { return path.Base(f.Path) == "doc.go" && f.ast.Doc != nil })
	if code && !documented {
		found = append(found, fmt.Sprintf("%s: has no doc.go with the package's duty and invariants", p.Path))
	}
	return found
}

// checkImports holds the imports of the module's own packages against the
// floors. Other modules are nobody's floor: go.mod lists them for review.
func (t *module) checkImports(p *pkg, f *sourceFile) []string {
	var found []string
	for _, spec := range f.ast.Imports {
		to, own := strings.CutPrefix(importPath(spec), modulePath+"/")
		if !own || to == p.Path {
			continue
		}
		for _, wrong := range []string{judgeImport(p.Path, to), judgeEngine(p.Path, to)} {
			if wrong != "" {
				found = append(found, t.breach(f, spec.Pos(), "%s", wrong))
			}
		}
	}
	return found
}

func importPath(spec *ast.ImportSpec) string {
	s, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return s
}

// checkFunctions finds those that outgrew the limit. Tests are exempt, because
// a table of cases is no more complicated for being long.
func (t *module) checkFunctions(f *sourceFile) []string {
	var found []string
	for _, fn := range t.functions(f) {
		if fn.lines > maxFunction {
			found = append(found, t.breach(f, fn.at, "%s has %d lines, at most %d are allowed", fn.name, fn.lines, maxFunction))
		}
	}
	return found
}

// checkMethods finds the types that outgrew the limit.
func (t *module) checkMethods(p *pkg) []string {
	var found []string
	methods := map[string]int{}
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			name := receiver(fn.Recv.List[0].Type)
			if methods[name]++; methods[name] == maxMethods+1 {
				found = append(found, t.breach(f, fn.Pos(), "%s has more than %d methods: give its parts verbs of their own", name, maxMethods))
			}
		}
	}
	return found
}

// receiver names the type of a method.
func receiver(x ast.Expr) string {
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
		case *ast.IndexExpr: // of one type parameter
			x = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// marks are the words by which unfinished work announces itself.
// They are matched in comments only, as whole words.
var marks = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func (t *module) checkMarks(f *sourceFile) []string {
	var found []string
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if mark := marks.FindString(c.Text); mark != "" {
				found = append(found, t.breach(f, c.Pos(), "%s: finish it, or describe it as a limit", mark))
			}
		}
	}
	return found
}
