package testnet

import (
	"slices"
	"strings"
)

// personal are the settings that differ between the replicas of a cluster: in
// the environment of `testnet up` they would reach all of them alike.
var personal = []string{"replica", "listen", "admin", "genesis", "key", "data"}

// otherEnv are the variables with our prefix that are no settings of a home.
var otherEnv = []string{"QUORATE_DIR", "QUORATE_HOME", "QUORATE_TIMEOUT", "QUORATE_PASSPHRASE"}

// UnknownEnv lists the variables of an environment (name=value) that have our
// prefix and that nothing reads.
func UnknownEnv(environment []string) []string {
	var known, unknown []string
	c := DefaultHomeConfig()
	for _, s := range settingsOf(&c) {
		known = append(known, s.env())
	}
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(known, name) && !slices.Contains(otherEnv, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// childEnv is the environment for a replica's process.
func childEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		key, ours := strings.CutPrefix(name, EnvPrefix)
		return ours && slices.Contains(personal, strings.ToLower(key))
	})
}
