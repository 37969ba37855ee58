package tidy

import (
	"fmt"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// An exported name is one of a package (a constant, a variable, a type, a
// function) or a method of an exported type that is no interface. It is used
// if another package mentions it, tests included, or cannot do without it:
//
//   - it is a type that occurs in what is used: whoever calls a function should
//     find the type of its result in the documentation;
//   - it is a constant of a type, and another constant of that type is used:
//     nobody wants half an enumeration;
//   - it is a method by which its type satisfies an interface that somebody
//     mentions;
//   - it is an interface that a type of another package satisfies: whoever has
//     one may ask whether it can do more.
//
// A package's own tests do not count. Fields are left out: JSON, TOML and
// templates use them by reflection, where no compiler sees it.
type exported struct {
	names      map[string]types.Object // of package or method, by key
	owners     map[string]*types.Named // of methods
	used       map[string]bool
	interfaces map[string][]*types.Interface // by the name of each method
}

// exportedNames finds the exported names of the module in dir, and their uses.
func exportedNames(dir string) (*exported, error) {
	e := &exported{
		names: map[string]types.Object{}, owners: map[string]*types.Named{},
		used: map[string]bool{}, interfaces: map[string][]*types.Interface{},
	}
	// Many know the interfaces of package encoding without importing it.
	const parts = packages.NeedName | packages.NeedImports | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo
	all, err := packages.Load(&packages.Config{Dir: dir, Mode: parts, Tests: true, BuildFlags: []string{"-tags=acceptance"}}, "./...", "encoding")
	if err != nil {
		return nil, fmt.Errorf("load the packages: %w", err)
	}
	var own []*types.Package
	for _, p := range all {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("load %s: %w", p.ID, p.Errors[0])
		}
		e.see(p)
		// A package with its tests has an ID of its own.
		if p.ID == p.PkgPath && inModule(p.PkgPath) != p.PkgPath {
			own = append(own, p.Types)
		}
	}
	for _, p := range own {
		if p.Name() != "main" {
			e.declare(p.Scope())
		}
	}
	for _, p := range own {
		e.implement(p)
	}
	e.spread()
	return e, nil
}

// key tells names apart, and is the same however often a package is compiled,
// for itself and for tests. What belongs to no package has none.
func key(o types.Object) string {
	if f, ok := o.(*types.Func); ok {
		return f.Origin().FullName()
	}
	if o.Pkg() == nil || o.Parent() != o.Pkg().Scope() {
		return ""
	}
	return o.Pkg().Path() + "." + o.Name()
}

// inModule is a package's path within the module.
func inModule(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, modulePath), "/")
}

// see takes note of what a package, or its test, mentions.
func (e *exported) see(p *packages.Package) {
	home := strings.TrimSuffix(p.PkgPath, "_test")
	for _, o := range p.TypesInfo.Uses {
		if o.Pkg() != nil && o.Pkg().Path() != home {
			e.used[key(o)] = true
		}
	}
	for _, tv := range p.TypesInfo.Types {
		e.know(tv.Type)
	}
	for _, imported := range append(p.Types.Imports(), p.Types) {
		if inModule(imported.Path()) == imported.Path() {
			for _, name := range imported.Scope().Names() {
				e.know(imported.Scope().Lookup(name).Type())
			}
		}
	}
}

// know remembers t if it is an interface.
func (e *exported) know(t types.Type) {
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return
	}
	for m := range i.Methods() {
		if !slices.Contains(e.interfaces[m.Name()], i) {
			e.interfaces[m.Name()] = append(e.interfaces[m.Name()], i)
		}
	}
}

// declare enters the exported names of a package.
func (e *exported) declare(scope *types.Scope) {
	for _, name := range scope.Names() {
		o := scope.Lookup(name)
		if !o.Exported() {
			continue
		}
		e.names[key(o)] = o
		t, ok := o.Type().(*types.Named)
		if _, isType := o.(*types.TypeName); !ok || !isType || types.IsInterface(t) {
			continue
		}
		for m := range t.Methods() {
			if m.Exported() {
				e.names[key(m)], e.owners[key(m)] = m, t
			}
		}
	}
}

// implement marks the interfaces of other packages that types of p satisfy.
func (e *exported) implement(p *types.Package) {
	for at, o := range e.names {
		i, ok := o.Type().Underlying().(*types.Interface)
		if _, isType := o.(*types.TypeName); !isType || !ok || e.used[at] || o.Pkg() == p || i.NumMethods() == 0 {
			continue
		}
		for _, name := range p.Scope().Names() {
			t := p.Scope().Lookup(name).Type()
			if !types.IsInterface(t) && (types.Implements(t, i) || types.Implements(types.NewPointer(t), i)) {
				e.used[at] = true
			}
		}
	}
}

// spread marks what those names that are used cannot do without.
func (e *exported) spread() {
	var queue []types.Object
	mark := func(o types.Object) {
		if k := key(o); e.names[k] != nil && !e.used[k] {
			e.used[k] = true
			queue = append(queue, o)
		}
	}
	for at, o := range e.names {
		if e.used[at] || e.satisfies(o) {
			e.used[at] = true
			queue = append(queue, o)
		}
	}
	for len(queue) > 0 {
		o := queue[0]
		queue = queue[1:]
		switch o := o.(type) {
		case *types.Const:
			for _, other := range e.names {
				c, ok := other.(*types.Const)
				if _, enumeration := o.Type().(*types.Named); ok && enumeration && types.Identical(c.Type(), o.Type()) {
					mark(c)
				}
			}
			mention(o.Type(), mark)
		case *types.TypeName:
			mention(o.Type().Underlying(), mark)
		default:
			mention(o.Type(), mark)
		}
	}
}

// satisfies reports whether o is a method by which its type satisfies an
// interface. pkg errors finds its methods by interfaces without a name.
func (e *exported) satisfies(o types.Object) bool {
	t, isMethod := e.owners[key(o)]
	if !isMethod {
		return false
	}
	return o.Name() == "Unwrap" || o.Name() == "Is" || slices.ContainsFunc(e.interfaces[o.Name()], func(i *types.Interface) bool {
		return types.Implements(t, i) || types.Implements(types.NewPointer(t), i)
	})
}

// mention marks the names of the types in t.
func mention(t types.Type, mark func(types.Object)) {
	switch t := t.(type) {
	case *types.Named:
		mark(t.Origin().Obj())
		for a := range t.TypeArgs().Types() {
			mention(a, mark)
		}
	case *types.Alias:
		mark(t.Obj())
		mention(t.Rhs(), mark)
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels and maps
		mention(t.Elem(), mark)
		if m, ok := t.(*types.Map); ok {
			mention(m.Key(), mark)
		}
	case *types.Signature:
		for v := range t.Params().Variables() {
			mention(v.Type(), mark)
		}
		for v := range t.Results().Variables() {
			mention(v.Type(), mark)
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				mention(f.Type(), mark)
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			mention(m.Type(), mark)
		}
	}
}

// unused lists the names that are not used, by package, as in "Store.Close".
func (e *exported) unused() map[string][]string {
	list := map[string][]string{}
	for at, o := range e.names {
		if e.used[at] {
			continue
		}
		name, pkg := o.Name(), inModule(o.Pkg().Path())
		if t := e.owners[at]; t != nil {
			name = t.Obj().Name() + "." + name
		}
		list[pkg] = append(list[pkg], name)
	}
	for _, names := range list {
		slices.Sort(names)
	}
	return list
}

// breachesOfNames lists what is exported for nobody, in the module in dir. Outside
// of the surface that is every name without a use; in the surface, those that
// are not listed as offered. What is listed in vain is a breach as well.
func breachesOfNames(dir string) ([]string, error) {
	e, err := exportedNames(dir)
	if err != nil {
		return nil, err
	}
	return judgeNames(e.unused(), surface), nil
}

func judgeNames(unused, offered map[string][]string) []string {
	var found []string
	for pkg, names := range unused {
		for _, name := range names {
			if !slices.Contains(offered[pkg], name) {
				found = append(found, fmt.Sprintf("%s: no other package uses %s: unexport it, delete it, or offer it in internal/tidy/surface.go", pkg, name))
			}
		}
	}
	for pkg, names := range offered {
		for _, name := range names {
			if !slices.Contains(unused[pkg], name) {
				found = append(found, fmt.Sprintf("%s: %s is listed in internal/tidy/surface.go, but it is used or gone: take it off", pkg, name))
			}
		}
	}
	slices.SortFunc(found, strings.Compare)
	return found
}
