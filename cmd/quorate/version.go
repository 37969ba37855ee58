package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// Set at the link by make, which asks git; "" = what the toolchain has recorded.
var version, revision string

// build is what is known of how this program was made.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionCommand is quorate version.
func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version", Flags: []cli.Flag{outputFlag()},
		Action: does(0, 0, func(c *cli.Context, _ []string) error {
			b := buildOf(debug.ReadBuildInfo())
			return show(c, b, func() error {
				_, err := fmt.Fprintln(c.App.Writer, b)
				return err
			})
		}),
	}
}

// String is the build on one line.
func (b build) String() string {
	if b.Revision == "" {
		return fmt.Sprintf("quorate %s %s %s; its revision was not recorded: build it by make", b.Version, b.Go, b.Platform)
	}
	return fmt.Sprintf("quorate %s %s %s %s", b.Version, b.Revision, b.Go, b.Platform)
}

// buildOf prefers what make has set, for the toolchain records a revision only where
// it finds the repository and is allowed to.
func buildOf(info *debug.BuildInfo, ok bool) build {
	b := build{Version: version, Revision: revision, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if ok && b.Revision == "" {
		b.Revision = revisionOf(info)
	}
	if ok && b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version // of go install MODULE@VERSION, or made of the repository
	}
	b.Version = cmp.Or(b.Version, "development")
	return b
}

// revisionOf is the revision that the toolchain has recorded, or "".
func revisionOf(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	hash := settings["vcs.revision"]
	if hash != "" && settings["vcs.modified"] == "true" {
		return hash[:min(12, len(hash))] + "+changes"
	}
	return hash[:min(12, len(hash))]
}
