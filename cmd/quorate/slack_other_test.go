//go:build !linux

package main

// slackMain is a command of tests of Linux.
func slackMain() {}
