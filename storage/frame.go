package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is one record in a segment: a head of frameHead bytes, the payload,
// and zeros up to a multiple of frameAlign. Frames stand at aligned offsets so
// that a search for them after damage need not look at every byte.
const (
	frameHead  = 40
	frameAlign = 8
)

// maxRecordBytes bounds one record: the largest frame of the network with
// plenty of room around it.
const maxRecordBytes = 32 << 20

// The kinds of frames. Zero is none of them, so that zeros are no frame.
const (
	frameRecord byte = 1
	frameLazy   byte = 2
	frameSeal   byte = 3 // the segment's end: the next segment exists; slot is its number
)

// frame is a head's content. On disk, big endian: CRC32C of salt and the rest
// of the head (4), length (4), seq (8), slot (8), synced (8), kind (1), zero
// (3), chain (4). The salt is the segment's own random number: bytes of an
// earlier use of the file, and bytes that a client put into a request to look
// like a frame, do not pass.
type frame struct {
	length uint32 // of the payload, bytes
	seq    uint64 // sequence number in the log; of a seal, that of the last record
	slot   uint64
	synced uint64 // everything up to this sequence number was synced when the frame was written
	kind   byte
	chain  uint32 // CRC32C of the chain so far, this head without its checksums, and the padded payload
}

// frameSize is the room that a payload of n bytes takes in a segment.
func frameSize(n int) int64 { return frameHead + int64(padded(n)) }

func padded(n int) int { return (n + frameAlign - 1) &^ (frameAlign - 1) }

// appendFrame appends the frame and sets f.chain; prev is the chain before it.
func appendFrame(dst []byte, salt uint64, prev uint32, f *frame, payload []byte) []byte {
	start := len(dst)
	f.length = uint32(len(payload))
	var head [frameHead]byte
	f.put(head[:])
	dst = append(dst, head[:]...)
	dst = append(dst, payload...)
	dst = append(dst, make([]byte, padded(len(payload))-len(payload))...)
	f.chain = chainOf(prev, head[:], dst[start+frameHead:])
	binary.BigEndian.PutUint32(dst[start+36:], f.chain)
	binary.BigEndian.PutUint32(dst[start:], headSum(salt, dst[start:start+frameHead]))
	return dst
}

// put writes all of the head but its two checksums.
func (f *frame) put(head []byte) {
	binary.BigEndian.PutUint32(head[4:], f.length)
	binary.BigEndian.PutUint64(head[8:], f.seq)
	binary.BigEndian.PutUint64(head[16:], f.slot)
	binary.BigEndian.PutUint64(head[24:], f.synced)
	head[32] = f.kind
}

// readFrame reads a head of frameHead bytes; false if it is not one of the
// segment with this salt.
func readFrame(head []byte, salt uint64) (frame, bool) {
	if head[32] < frameRecord || head[32] > frameSeal || head[33]|head[34]|head[35] != 0 ||
		binary.BigEndian.Uint32(head) != headSum(salt, head) {
		return frame{}, false
	}
	f := frame{
		length: binary.BigEndian.Uint32(head[4:]),
		seq:    binary.BigEndian.Uint64(head[8:]),
		slot:   binary.BigEndian.Uint64(head[16:]),
		synced: binary.BigEndian.Uint64(head[24:]),
		kind:   head[32],
		chain:  binary.BigEndian.Uint32(head[36:]),
	}
	return f, f.length <= maxRecordBytes
}

// headSum is the checksum of a head alone: it lets a head be recognised
// without knowing what came before it.
func headSum(salt uint64, head []byte) uint32 {
	var s [8]byte
	binary.BigEndian.PutUint64(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, head[4:frameHead])
}

// chainOf continues the chain over a head and its padded payload.
func chainOf(prev uint32, head, body []byte) uint32 {
	return crc32.Update(crc32.Update(prev, castagnoli, head[4:36]), castagnoli, body)
}
