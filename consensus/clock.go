package consensus

import (
	"encoding/binary"
	"fmt"
)

// Clock is a replica's word for what its clock shows. It is authentic by its
// channel, and may be a lie.
type Clock struct{ Time Time }

// Encode returns the frame.
func (c Clock) Encode() []byte {
	return binary.BigEndian.AppendUint64([]byte{KindClock}, uint64(max(0, c.Time)))
}

// DecodeClock reads a frame of KindClock.
func DecodeClock(frame []byte) (*Clock, error) {
	if len(frame) != 9 || frame[0] != KindClock || frame[1] > 127 {
		return nil, fmt.Errorf("clock of %d bytes: %w", len(frame), ErrMalformed)
	}
	return &Clock{Time: Time(binary.BigEndian.Uint64(frame[1:]))}, nil
}
