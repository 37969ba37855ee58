package bounds

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus/quorum"
)

// ErrProtocol: there is no matrix for this protocol.
var ErrProtocol = errors.New("no matrix for this protocol")

// Both names the matrix of all protocols, side by side.
const Both = "both"

// Cells is the matrix of a protocol, or of all. Sections, rows and columns stand
// in the order in which they are to be shown. Errors wrap ErrProtocol.
func Cells(protocol string) ([]Cell, error) {
	known := append(quorum.Protocols(), Both)
	if !slices.Contains(known, protocol) {
		return nil, fmt.Errorf("%w: %q: choose %s", ErrProtocol, protocol, strings.Join(known, ", "))
	}
	all := slices.Concat(bothCells(), splitCells(), pbftCells())
	return slices.DeleteFunc(all, func(c Cell) bool { return protocol != Both && c.Spec.Protocol != protocol }), nil
}
