package live

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"quorate.dev/quorate/testnet"
)

// TestMain lets this program run a home, as `quorate node --home` does: that
// is how the tests' replicas are processes of their own.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "node" && os.Args[2] == "--home" {
		os.Exit(runHome(os.Args[3]))
	}
	os.Exit(m.Run())
}

func runHome(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := testnet.LoadHome(dir, testnet.Overrides{Lookup: os.LookupEnv}, nil)
	if err == nil {
		err = h.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
