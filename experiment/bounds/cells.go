package bounds

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/protocol"
)

// ErrProtocol: there is no matrix for this protocol.
var errProtocol = errors.New("no matrix for this protocol")

// Both names the matrix of all protocols, side by side.
const Both = "both"

// Cells is the matrix of a protocol, or of all. Sections, rows and columns stand
// in the order in which they are to be shown. Errors wrap ErrProtocol.
func Cells(name string) ([]Cell, error) {
	known := append(protocol.Names(), Both)
	if !slices.Contains(known, name) {
		return nil, fmt.Errorf("%w: %q: choose %s", errProtocol, name, strings.Join(known, ", "))
	}
	all := slices.Concat(bothCells(), splitCells(), pbftCells())
	return slices.DeleteFunc(all, func(c Cell) bool { return name != Both && c.Spec.Protocol != name }), nil
}
