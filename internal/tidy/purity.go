package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// impurePackages may not be imported below the line, nor anything within them.
var impurePackages = []string{
	"context", "crypto/rand", "hash/maphash", "io/ioutil", "log", "net", "os", "plugin", "sync", "syscall",
	"golang.org/x/sync", "golang.org/x/sys", "golang.org/x/net",
}

// impureNames may not be used of packages that are otherwise welcome. For the
// random packages it is the other way round: what a seed feeds is pure, all
// else draws from a source of the process.
var impureNames = map[string]func(name string) bool{
	"time": oneOf("Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep", "Timer", "Ticker", "Local", "LoadLocation"),
	"fmt":  oneOf("Print", "Printf", "Println", "Scan", "Scanf", "Scanln"),

	"math/rand":    noneOf("New", "NewSource", "NewZipf", "Rand", "Source", "Source64", "Zipf"),
	"math/rand/v2": noneOf("New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"),
}

func oneOf(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

func noneOf(names ...string) func(string) bool {
	return func(name string) bool { return !slices.Contains(names, name) }
}

func impure(imported string) bool {
	return slices.ContainsFunc(impurePackages, func(p string) bool {
		return imported == p || strings.HasPrefix(imported, p+"/")
	})
}

// checkPurity finds what would let a package below the line see or do anything
// that is not in its inputs and outputs.
func (t *module) checkPurity(p *pkg, f *sourceFile) []string {
	var found []string
	complain := func(at token.Pos, what string) {
		found = append(found, t.breach(f, at, "%s in %s, which stands below the line", what, p.Path))
	}
	watched := map[string]func(string) bool{} // by the name that the file uses
	for _, spec := range f.ast.Imports {
		imported := importPath(spec)
		if impure(imported) {
			complain(spec.Pos(), "import of "+imported)
		}
		if names := impureNames[imported]; names != nil {
			local := path.Base(strings.TrimSuffix(imported, "/v2"))
			if spec.Name != nil {
				local = spec.Name.Name
			}
			watched[local] = names
			if local == "." {
				complain(spec.Pos(), "import of everything in "+imported)
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if what := impureSyntax(n, watched); what != "" {
			complain(n.Pos(), what)
		}
		return true
	})
	return found
}

// impureSyntax names what is impure about a node by itself, or nothing.
func impureSyntax(n ast.Node, watched map[string]func(string) bool) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement"
	case *ast.ChanType:
		return "channel type"
	case *ast.SendStmt:
		return "channel send"
	case *ast.SelectStmt:
		return "select statement"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "channel receive"
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && id.Obj == nil && (id.Name == "print" || id.Name == "println") {
			return "builtin " + id.Name
		}
	case *ast.SelectorExpr:
		// A variable may have the name of an import; the parser resolves
		// those, and leaves imports unresolved.
		if id, ok := n.X.(*ast.Ident); ok && id.Obj == nil && watched[id.Name] != nil && watched[id.Name](n.Sel.Name) {
			return id.Name + "." + n.Sel.Name
		}
	}
	return ""
}
