package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
)

// engines are the packages of protocols. Everybody else asks package protocol,
// so that a protocol can be added without being known to anybody else.
var engines = []string{"pbft", "pbft/message", "raft"}

// engineUsers may import an engine all the same, by patterns of path.Match: the
// registry, each protocol's lies, the parts of PBFT that stand apart from its
// replica, and the model that runs those parts exhaustively.
var engineUsers = []string{"pbft", "pbft/*", "raft", "protocol", "byzantine/*", "checkpoint", "viewchange", "internal/model"}

// judgeEngine says what is wrong with a package importing an engine, or nothing.
func judgeEngine(from, to string) string {
	if matches(engineUsers, from) || !slices.Contains(engines, to) {
		return ""
	}
	return from + " imports the engine " + to + ": ask package protocol, which knows all protocols"
}

// protocolNames are the names by which protocols might be told apart.
var protocolNames = []string{"pbft", "raft", "paxos"}

// checkNames finds comparisons with the name of a protocol, outside of package
// protocol: what they mean to ask is a property, which a protocol that is added
// later has or has not.
func (t *module) checkNames(p *pkg, f *sourceFile) []string {
	if p.Path == "protocol" {
		return nil
	}
	registry := importedAs(f, modulePath+"/protocol")
	var found []string
	judge := func(list ...ast.Expr) {
		for _, e := range list {
			if namesProtocol(e, registry) {
				found = append(found, t.breach(f, e.Pos(), "comparison with the name of a protocol: ask for a property that package protocol has for each"))
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				judge(n.X, n.Y)
			}
		case *ast.CaseClause:
			judge(n.List...)
		}
		return true
	})
	return found
}

// namesProtocol reports whether an expression is the name of a protocol, as a
// string or as a constant of the registry.
func namesProtocol(e ast.Expr, registry string) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return err == nil && e.Kind == token.STRING && slices.Contains(protocolNames, text)
	case *ast.SelectorExpr:
		of, ok := e.X.(*ast.Ident)
		return ok && registry != "" && of.Name == registry && (e.Sel.Name == "PBFT" || e.Sel.Name == "Raft")
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
