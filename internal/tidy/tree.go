package tidy

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// module is the parsed source of a module.
type module struct {
	Packages []*pkg // by path
	fset     *token.FileSet
}

// pkg is one directory with Go files in it.
type pkg struct {
	Path  string // within the module: "pbft/message"
	Files []*sourceFile
}

// sourceFile is one parsed source file. All build constraints are taken as met.
type sourceFile struct {
	Path  string // within the module
	Lines int
	Test  bool
	text  string
	ast   *ast.File
}

// load parses every Go file below root but those that the go command ignores
// too: in testdata, vendor, hidden and underscored directories and in nested
// modules.
func load(root fs.FS) (*module, error) {
	t := &module{fset: token.NewFileSet()}
	packages := map[string]*pkg{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			// Tests of other packages come and go beside this one.
			if errors.Is(err, fs.ErrNotExist) && name != "." {
				return nil
			}
			return err
		}
		// The rules for what to look at are the go command's own, so that
		// nothing is judged that is never built and nothing built escapes.
		if d.IsDir() {
			return enter(root, name)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(path.Base(name), "_") || strings.HasPrefix(path.Base(name), ".") {
			return nil
		}
		f, err := t.parse(root, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &pkg{Path: dir}
			t.Packages = append(t.Packages, packages[dir])
		}
		packages[dir].Files = append(packages[dir].Files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the source tree: %w", err)
	}
	slices.SortFunc(t.Packages, func(a, b *pkg) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

// enter decides whether the walk goes into a directory.
func enter(root fs.FS, name string) error {
	base := path.Base(name)
	if name == "." {
		return nil
	}
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (t *module) parse(root fs.FS, name string) (*sourceFile, error) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.ParseFile(t.fset, name, b, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &sourceFile{
		Path: name, Lines: strings.Count(string(b), "\n"), Test: strings.HasSuffix(name, "_test.go"),
		text: string(b), ast: parsed,
	}, nil
}

// line is where a node stands in its file.
func (t *module) line(p token.Pos) int { return t.fset.Position(p).Line }

// function is a declared function, or a literal that a package variable holds.
type function struct {
	name  string
	at    token.Pos
	lines int // from func to the closing brace
}

func (t *module) functions(f *sourceFile) []function {
	var list []function
	// Literals within a declared function count as its lines, not on their own:
	// moving code into a closure makes no function shorter.
	measure := func(name string, n ast.Node) {
		list = append(list, function{name, n.Pos(), t.line(n.End()) - t.line(n.Pos()) + 1})
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			// The comment above belongs to the node; its length does not count.
			list = append(list, function{d.Name.Name, d.Type.Pos(), t.line(d.End()) - t.line(d.Type.Pos()) + 1})
		case *ast.GenDecl:
			ast.Inspect(d, func(n ast.Node) bool {
				literal, ok := n.(*ast.FuncLit)
				if ok {
					measure("function literal", literal)
				}
				return !ok
			})
		}
	}
	return list
}
