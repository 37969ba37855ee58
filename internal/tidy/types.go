package tidy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// checker gives types to the packages of the module. Other modules and the
// standard library come from the export data that the go command keeps.
type checker struct {
	tree    *module
	own     map[string]*listed        // the module's packages by import path
	checked map[string]*types.Package // those of them that have types, without their tests
	foreign types.Importer
	seen    func(home string, info *types.Info)
	errs    []error
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath, Export                 string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

// goList asks the go command about packages of the module in dir.
func goList(dir string, args ...string) (map[string]*listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-tags=acceptance"}, args...)...)
	cmd.Dir = dir
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, complaint.Bytes())
	}
	all := map[string]*listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &listed{}
		switch err := d.Decode(p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		all[p.ImportPath] = p
	}
}

// typecheck gives types to every package of the module in dir and then to their
// tests. It tells seen of the uses in each, and returns the packages.
func (t *module) typecheck(dir string, seen func(home string, info *types.Info)) (own, foreign map[string]*types.Package, err error) {
	c := &checker{tree: t, checked: map[string]*types.Package{}, seen: seen}
	if c.own, err = goList(dir, "-json=ImportPath,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./..."); err != nil {
		return nil, nil, err
	}
	// pkg json, and many others, know the interfaces of package encoding.
	others := []string{"encoding"}
	for _, p := range c.own {
		others = slices.AppendSeq(others, slices.Values(slices.Concat(p.Imports, p.TestImports, p.XTestImports)))
	}
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(p string) bool { return p == "C" || p == "unsafe" || c.own[p] != nil })
	exports, err := goList(dir, append([]string{"-deps", "-export", "-json=ImportPath,Export"}, others...)...)
	if err != nil {
		return nil, nil, err
	}
	c.foreign = importer.ForCompiler(t.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path].Export) })
	for path := range c.own {
		if _, err := c.Import(path); err != nil {
			return nil, nil, err
		}
	}
	for path, p := range c.own {
		c.checkTests(path, p)
	}
	foreign = map[string]*types.Package{}
	for _, path := range others {
		if foreign[path], err = c.foreign.Import(path); err != nil {
			return nil, nil, err
		}
	}
	return c.checked, foreign, errors.Join(c.errs...)
}

// Import implements types.Importer.
func (c *checker) Import(path string) (*types.Package, error) {
	p, own := c.own[path]
	if !own {
		return c.foreign.Import(path)
	}
	if c.checked[path] == nil {
		before := len(c.errs)
		c.checked[path] = c.check(path, path, p.GoFiles)
		if len(c.errs) > before {
			return nil, fmt.Errorf("%s does not compile: %w", path, c.errs[before])
		}
	}
	return c.checked[path], nil
}

// checkTests gives types to the tests of a package. External ones are seen
// twice, with the package as it is and with what its own tests add to it: the
// compiler would build the packages between anew, here a mistake is passed over.
func (c *checker) checkTests(path string, p *listed) {
	plain := c.checked[path]
	grown := c.check(path, path, slices.Concat(p.GoFiles, p.TestGoFiles))
	if len(p.XTestGoFiles) == 0 {
		return
	}
	for _, home := range []*types.Package{grown, plain} {
		c.checked[path] = home
		c.check(path+"_test", path, p.XTestGoFiles)
	}
}

// check gives types to files in the directory of the package home.
func (c *checker) check(path, home string, names []string) *types.Package {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	tests := c.checked[home] != nil
	config := types.Config{Importer: c, Error: func(err error) {
		if !tests {
			c.errs = append(c.errs, err)
		}
	}}
	p, _ := config.Check(path, c.tree.fset, c.tree.syntax(inModule(home), names), info)
	c.seen(home, info)
	return p
}

// inModule is a package's path within the module.
func inModule(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, modulePath), "/")
}

// syntax finds the files with the given names in a directory.
func (t *module) syntax(dir string, names []string) []*ast.File {
	var files []*ast.File
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if p.Path == path.Clean(dir) && slices.Contains(names, path.Base(f.Path)) {
				files = append(files, f.ast)
			}
		}
	}
	return files
}
