package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/storage"
)

// AdviseOnLog says what to do about a home whose log or birth record is not what was
// written (PROTOCOL.md, sections 8 and 10): who lost a part of it must come back as
// one who lost everything, where the others can make up for that. Errors of another
// kind are left as they are.
func AdviseOnLog(err error, g *consensus.Genesis) error {
	if !errors.Is(err, storage.ErrDamaged) && !errors.Is(err, storage.ErrNoBirth) && !errors.Is(err, storage.ErrNoLog) {
		return err
	}
	p, lookup := protocol.Of(*g)
	if lookup != nil {
		return err
	}
	system, lookup := p.Model.For(g)
	if lookup != nil {
		return err
	}
	advice := "check the disk, keep a copy of the data directory, remove it and start again: "
	switch {
	case system.Faults() == 0:
		advice = fmt.Sprintf("check the disk and put back what was there: in a cluster of %d none may forget its votes, so that nothing else helps but to make the whole cluster anew", system.Size())
	case p.Rejoins:
		advice += "the replica rejoins as one that lost its disk"
	default:
		advice += "the replica comes back as one that lost its disk, and what it alone had acknowledged is lost"
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// adviseOnState says what to do about a state that is not what was written. The log
// beside it is whole, and stays: with it the votes that were cast.
func (n *Node) adviseOnState(err error) error {
	if !damagedState(err) {
		return err
	}
	return fmt.Errorf("%w: %s", err, n.stateAdvice())
}

func damagedState(err error) bool {
	return errors.Is(err, storage.ErrDamaged) || errors.Is(err, state.ErrDamaged)
}

func (n *Node) stateAdvice() string {
	dir := stateDir(n.config.Disk.Data)
	if n.system.Size() == 1 {
		return fmt.Sprintf("check the disk and put %s back as it was: there is nobody else who has the state", dir)
	}
	return fmt.Sprintf("check the disk, move %s away and start again: the replica fetches the state from the others, and its log stays", filepath.Clean(dir))
}

// remedy is what an operator can do about a failed disk. Nothing that was
// answered is lost either way.
func (n *Node) remedy(err error) string {
	if damagedState(err) {
		return n.stateAdvice()
	}
	return remedy(err)
}

// adviseOnLack says what to do about a home that cannot be opened for want of room or
// the like. Errors of another kind are left as they are.
func adviseOnLack(err error) error {
	if remedy(err) == checkDisk {
		return err
	}
	return fmt.Errorf("%w: %s; nothing is lost", err, remedy(err))
}

// checkDisk is the remedy where nothing better is known.
const checkDisk = "check the disk and start the replica again"

// remedy is what helps whatever is on the disk.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room on the disk and start the replica again"
	case errors.Is(err, syscall.EMFILE):
		return "raise this process's limit of open files (ulimit -n) and start the replica again"
	case errors.Is(err, syscall.ENFILE):
		return "raise this machine's limit of open files and start the replica again"
	case errors.Is(err, syscall.EROFS):
		return "make the file system writable and start the replica again"
	}
	return checkDisk
}
