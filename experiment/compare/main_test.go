package compare

import (
	"os"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/testnet"
)

// TestMain lets this program be the replicas of the tests' clusters.
func TestMain(m *testing.M) {
	testnet.Serve(kv.Store{})
	os.Exit(m.Run())
}
