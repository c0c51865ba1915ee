//go:build !linux

package main

func useHugePages([]string) {}
