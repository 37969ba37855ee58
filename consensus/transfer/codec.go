package transfer

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The smallest encodings, in bytes: a count that promises more than the frame
// can hold is refused before anything is allocated.
const (
	itemOverhead = 2 + crypto.DigestSize
	partOverhead = 2 + 3
)

// AppendItems appends the list of a FETCH for parts: a count (2 bytes), then
// per item its id behind its length (2 bytes), and its hash. More than
// MaxItemsPerFetch items, or an id over MaxItemID, are a mistake of the caller's.
func AppendItems(dst []byte, items []consensus.Item) []byte {
	dst = appendCount(dst, len(items))
	for _, it := range items {
		dst = appendID(dst, it.ID)
		dst = append(dst, it.Hash[:]...)
	}
	return dst
}

// ReadItems reads what AppendItems wrote from the front of s. An empty list is
// refused: it asks for nothing. Errors wrap consensus.ErrMalformed.
func ReadItems(s *cryptobyte.String) ([]consensus.Item, error) {
	count, ok := readCount(s, itemOverhead)
	if !ok || count == 0 {
		return nil, fmt.Errorf("items: count: %w", consensus.ErrMalformed)
	}
	items := make([]consensus.Item, count)
	for i := range items {
		if !readID(s, &items[i].ID) || !s.CopyBytes(items[i].Hash[:]) {
			return nil, fmt.Errorf("items: item %d: %w", i, consensus.ErrMalformed)
		}
	}
	return items, nil
}

// AppendParts appends the list of a FETCH-REPLY: a count (2 bytes), then per part its
// id behind its length (2 bytes), and its bytes behind theirs (3 bytes). The
// limits of AppendItems hold.
func AppendParts(dst []byte, parts []consensus.Part) []byte {
	dst = appendCount(dst, len(parts))
	for _, p := range parts {
		dst = appendID(dst, p.ID)
		dst = consensus.AppendBytes(dst, p.Bytes)
	}
	return dst
}

// partsSize is the length of AppendParts' output, in bytes.
func partsSize(parts []consensus.Part) int {
	size := 2
	for _, p := range parts {
		size += partOverhead + len(p.ID) + len(p.Bytes)
	}
	return size
}

// ReadParts reads what AppendParts wrote from the front of s; the parts' bytes
// alias s. The list may be empty. Errors wrap consensus.ErrMalformed.
func ReadParts(s *cryptobyte.String) ([]consensus.Part, error) {
	count, ok := readCount(s, partOverhead)
	if !ok {
		return nil, fmt.Errorf("parts: count: %w", consensus.ErrMalformed)
	}
	if count == 0 {
		return nil, nil
	}
	parts := make([]consensus.Part, count)
	for i := range parts {
		if !readID(s, &parts[i].ID) || !consensus.ReadBytes(s, &parts[i].Bytes) {
			return nil, fmt.Errorf("parts: part %d: %w", i, consensus.ErrMalformed)
		}
	}
	return parts, nil
}

func appendCount(dst []byte, n int) []byte {
	if n > consensus.MaxItemsPerFetch {
		panic(fmt.Sprintf("transfer: list of %d, limit %d", n, consensus.MaxItemsPerFetch))
	}
	return binary.BigEndian.AppendUint16(dst, uint16(n))
}

func appendID(dst []byte, id string) []byte {
	if len(id) > consensus.MaxItemID {
		panic(fmt.Sprintf("transfer: id of %d bytes, limit %d", len(id), consensus.MaxItemID))
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(id)))
	return append(dst, id...)
}

func readCount(s *cryptobyte.String, least int) (int, bool) {
	var count uint16
	if !s.ReadUint16(&count) || int(count) > consensus.MaxItemsPerFetch || int(count)*least > len(*s) {
		return 0, false
	}
	return int(count), true
}

// readID copies the id: it outlives the frame in maps and on disk.
func readID(s *cryptobyte.String, id *string) bool {
	var v cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&v) || len(v) > consensus.MaxItemID {
		return false
	}
	*id = string(v)
	return true
}
