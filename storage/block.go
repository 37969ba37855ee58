package storage

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Identity says whose disk this is. It stands in every file of the log, so
// that files of two replicas or two clusters are never mixed up.
type Identity struct {
	Cluster crypto.Digest
	Replica consensus.ReplicaID
}

// The small fixed files (birth record, base, head of a segment) share one
// shape: a block of blockBytes with a checksum over all of it.
const (
	blockBytes    = 96
	formatVersion = 1

	birthMagic   = "QRTbirth"
	baseMagic    = "QRTbase\n"
	segmentMagic = "QRTsegm\n"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// block is the content of a small fixed file. What the fields mean depends on
// the magic; unused ones are zero.
type block struct {
	magic  string // 8 bytes
	id     Identity
	flags  uint16
	fields [5]uint64
}

// encode returns blockBytes bytes: magic (8), version (4), replica (2), flags
// (2), cluster (32), five fields (8 each), zero (4), CRC32C of all before (4).
func (b *block) encode() []byte {
	out := make([]byte, 0, blockBytes)
	out = append(out, b.magic...)
	out = binary.BigEndian.AppendUint32(out, formatVersion)
	out = binary.BigEndian.AppendUint16(out, uint16(b.id.Replica))
	out = binary.BigEndian.AppendUint16(out, b.flags)
	out = append(out, b.id.Cluster[:]...)
	for _, v := range b.fields {
		out = binary.BigEndian.AppendUint64(out, v)
	}
	out = append(out, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// decodeBlock reads the block at the front of raw, which came from file, and
// refuses one that is damaged, of another version, or of another identity. The
// version is judged before the rest, whose layout it decides, but after the
// checksum: a flipped bit in it is damage, not a newer version.
func decodeBlock(file, magic string, id Identity, raw []byte) (*block, error) {
	if len(raw) < blockBytes {
		return nil, damaged(file, int64(len(raw)), "it ends inside its first %d bytes", blockBytes)
	}
	raw = raw[:blockBytes]
	if crc32.Checksum(raw[:blockBytes-4], castagnoli) != binary.BigEndian.Uint32(raw[blockBytes-4:]) {
		return nil, damaged(file, 0, "its first %d bytes fail their checksum", blockBytes)
	}
	if string(raw[:8]) != magic {
		return nil, damaged(file, 0, "it is a file of another kind, or not one of ours")
	}
	if v := binary.BigEndian.Uint32(raw[8:]); v != formatVersion {
		return nil, fmt.Errorf("%s: format version %d, this program knows %d: %w: start the program that wrote it", file, v, formatVersion, errVersion)
	}
	b := &block{magic: magic, flags: binary.BigEndian.Uint16(raw[14:])}
	b.id = Identity{Replica: consensus.ReplicaID(binary.BigEndian.Uint16(raw[12:])), Cluster: crypto.Digest(raw[16:48])}
	for i := range b.fields {
		b.fields[i] = binary.BigEndian.Uint64(raw[48+8*i:])
	}
	if b.id != id {
		return nil, fmt.Errorf("%s %w: it is of replica %d of cluster %s, this is replica %d of cluster %s: start it with its own genesis and home",
			file, ErrForeign, b.id.Replica, b.id.Cluster.Short(), id.Replica, id.Cluster.Short())
	}
	return b, nil
}

// readBlock reads the small file at path; fs.ErrNotExist if there is none.
func readBlock(path, magic string, id Identity) (*block, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(raw) > blockBytes {
		return nil, damaged(path, blockBytes, "it is %d bytes too long", len(raw)-blockBytes)
	}
	return decodeBlock(path, magic, id, raw)
}

// writeBlock puts the small file in place atomically: afterwards either the
// old or the new content is there, also after a power loss unless volatile.
func writeBlock(path string, b *block, volatile bool) error {
	temp := path + tempSuffix
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b.encode())
	if err == nil && !volatile {
		err = f.Sync()
	}
	if err = cmp.Or(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	if volatile {
		return nil
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the entries of dir durable: a synced file in a directory that
// was not synced may be gone after a power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err = cmp.Or(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
