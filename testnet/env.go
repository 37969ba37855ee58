package testnet

import (
	"slices"
	"strings"

	"quorate.dev/quorate/home"
)

// personal are the settings that differ between the replicas of a cluster: in
// the environment of `testnet up` they would reach all of them alike.
var personal = []string{"replica", "listen", "admin", "genesis", "key", "data"}

// childEnv is the environment for a replica's process.
func childEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		key, ours := strings.CutPrefix(name, home.EnvPrefix)
		return ours && slices.Contains(personal, strings.ToLower(key))
	})
}
