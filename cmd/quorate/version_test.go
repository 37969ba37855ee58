package main

import (
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
)

// TestBuilds: what each way to build records.
func TestBuilds(t *testing.T) {
	info := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	hash := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for name, test := range map[string]struct {
		info              *debug.BuildInfo
		version, revision string
	}{
		"go install at a version":  {info("v1.2.3"), "v1.2.3", ""},
		"go build in a repository": {info("v0.0.0-20261129-0123456789ab", hash), "v0.0.0-20261129-0123456789ab", "0123456789ab"},
		"with changes":             {info("(devel)", hash, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "development", "0123456789ab+changes"},
		"without its repository":   {info("(devel)"), "development", ""},
	} {
		if b := buildOf(test.info, true); b.Version != test.version || b.Revision != test.revision {
			t.Errorf("%s: %+v", name, b)
		}
	}
	if b := buildOf(nil, false); b.Version != "development" || !strings.Contains(b.String(), "was not recorded") {
		t.Errorf("%v", b)
	}
}

// TestMakeStampsTheBuild: by the names that the linker knows.
func TestMakeStampsTheBuild(t *testing.T) {
	makefile := readDocument(t, "Makefile")
	for _, name := range []string{"-X main.version=", "-X main.revision="} {
		if !strings.Contains(makefile, name) {
			t.Errorf("the Makefile does not set %s", name)
		}
	}
	out, err := exec.Command("quorate", "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "quorate ") || strings.Contains(string(out), "unknown") {
		t.Errorf("%q, %v", out, err)
	}
}
