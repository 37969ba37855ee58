package tidy

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
)

// engines are the packages of protocols. Everybody else asks package protocol,
// so that a protocol can be added without being known to anybody else.
var engines = []string{"pbft", "pbft/message", "raft", "paxos"}

// engineUsers may import an engine all the same, by patterns of path.Match: the
// registry, each protocol's lies, the parts of PBFT that stand apart from its
// replica, and the model that runs those parts exhaustively.
var engineUsers = []string{"pbft", "pbft/*", "raft", "paxos", "protocol", "byzantine/*", "checkpoint", "viewchange", "internal/model"}

// judgeEngine says what is wrong with a package importing an engine, or nothing.
func judgeEngine(from, to string) string {
	if matches(engineUsers, from) || !slices.Contains(engines, to) {
		return ""
	}
	return from + " imports the engine " + to + ": ask package protocol, which knows all protocols"
}

// registryFile is where package protocol says which names there are.
const registryFile = "protocol/protocol.go"

// protocolNames are the names of protocols, by the constants of the registry.
func (t *module) protocolNames() map[string]string {
	names := map[string]string{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Path != registryFile {
				continue
			}
			for _, d := range f.ast.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
					collectTexts(names, g)
				}
			}
		}
	}
	return names
}

// collectTexts adds the texts of a declaration of constants.
func collectTexts(names map[string]string, g *ast.GenDecl) {
	for _, s := range g.Specs {
		v := s.(*ast.ValueSpec)
		for i, value := range v.Values {
			if lit, ok := value.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					names[v.Names[i].Name] = text
				}
			}
		}
	}
}

// checkNames finds comparisons with the name of a protocol, and tables by such
// names, outside of package protocol: what they mean to ask is a property, which
// a protocol that is added later has or has not.
func (t *module) checkNames(p *pkg, f *sourceFile) []string {
	if p.Path == "protocol" {
		return nil
	}
	registry, names := importedAs(f, modulePath+"/protocol"), t.protocolNames()
	var found []string
	judge := func(what string, list ...ast.Expr) {
		for _, e := range list {
			if namesProtocol(e, registry, names) {
				found = append(found, t.breach(f, e.Pos(), "%s the name of a protocol: ask for a property that package protocol has for each", what))
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				judge("comparison with", n.X, n.Y)
			}
		case *ast.CaseClause:
			judge("comparison with", n.List...)
		case *ast.KeyValueExpr:
			judge("table by", n.Key)
		}
		return true
	})
	return found
}

// namesProtocol reports whether an expression is the name of a protocol, as a
// string or as a constant of the registry.
func namesProtocol(e ast.Expr, registry string, names map[string]string) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return err == nil && e.Kind == token.STRING && slices.Contains(slices.Collect(maps.Values(names)), text)
	case *ast.SelectorExpr:
		of, ok := e.X.(*ast.Ident)
		_, known := names[e.Sel.Name]
		return ok && known && registry != "" && of.Name == registry
	}
	return false
}

// importedAs is the name by which a file knows a package; "" if it does not.
func importedAs(f *sourceFile, pkg string) string {
	for _, spec := range f.ast.Imports {
		switch {
		case importPath(spec) != pkg:
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(pkg)
		}
	}
	return ""
}
