package testnet

import (
	"os"
)

// tryLock cannot lock here: commands at the same time need keys of their own.
func tryLock(*os.File) (free bool, err error) { return true, nil }
