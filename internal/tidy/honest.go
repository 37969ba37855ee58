package tidy

import (
	"fmt"
	"path"
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
		if road := roadToLies(imports, []string{from}, map[string]bool{}); road != nil {
			found = append(found, fmt.Sprintf("%s is honest and reaches %s: %s", from, road[len(road)-1], strings.Join(road, " imports ")))
		}
	}
	return found
}

// roadToLies follows imports from the end of a road to a lying package; nil if
// there is none.
func roadToLies(imports map[string][]string, road []string, seen map[string]bool) []string {
	at := road[len(road)-1]
	if slices.ContainsFunc(lying, func(pattern string) bool { match, _ := path.Match(pattern, at); return match }) {
		return road
	}
	for _, to := range imports[at] {
		if seen[to] {
			continue
		}
		seen[to] = true
		if found := roadToLies(imports, append(slices.Clone(road), to), seen); found != nil {
			return found
		}
	}
	return nil
}
