package tidy

import (
	"fmt"
	"slices"
	"strings"
)

// honest are the packages of which production is made.
var honest = []string{"home", "node", "client", "transcript", "p2p", "storage"}

// lying are those that know how to lie, or how to make others do so.
var lying = []string{"byzantine", "byzantine/*", "sim", "sim/*", "testnet", "experiment/*"}

// checkHonest finds the honest packages that reach a lying one, over however
// many imports: a replica of production cannot do what it does not link.
func (t *module) checkHonest() []string {
	imports := map[string][]string{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			for _, spec := range f.ast.Imports {
				if to, own := strings.CutPrefix(importPath(spec), modulePath+"/"); own {
					imports[p.Path] = append(imports[p.Path], to)
				}
			}
		}
	}
	var found []string
	for _, from := range honest {
		if chain := importChain(imports, []string{from}, map[string]bool{}); chain != nil {
			found = append(found, fmt.Sprintf("%s is honest and reaches %s: %s", from, chain[len(chain)-1], strings.Join(chain, " imports ")))
		}
	}
	return found
}

// importChain extends a chain of imports to the first lying package that it
// reaches; nil if there is none.
func importChain(imports map[string][]string, chain []string, seen map[string]bool) []string {
	at := chain[len(chain)-1]
	if matches(lying, at) {
		return chain
	}
	for _, to := range imports[at] {
		if seen[to] {
			continue
		}
		seen[to] = true
		if found := importChain(imports, append(slices.Clone(chain), to), seen); found != nil {
			return found
		}
	}
	return nil
}
