package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set at the link of a release.
var version = "development"

// versionCommand is quorate version.
func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version", Flags: []cli.Flag{outputFlag()},
		Action: does(0, 0, func(c *cli.Context, _ []string) error {
			revision, platform := revisionOf(debug.ReadBuildInfo()), runtime.GOOS+"/"+runtime.GOARCH
			return show(c, map[string]string{"version": version, "revision": revision, "go": runtime.Version(), "platform": platform}, func() error {
				fmt.Fprintf(c.App.Writer, "quorate %s %s %s %s\n", version, revision, runtime.Version(), platform)
				return nil
			})
		}),
	}
}

// revisionOf is what the build knows of the source it was made from.
func revisionOf(b *debug.BuildInfo, ok bool) string {
	revision, changed := "unknown", ""
	if !ok {
		return revision
	}
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	return revision + changed
}
