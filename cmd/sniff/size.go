package main

import (
	"strconv"
	"strings"
)

// byteUnits are those of sizes, decimal as everywhere.
var byteUnits = []struct {
	name string
	size int64
}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

// parseSize reads a size such as 100MB.
func parseSize(s string) (int64, bool) {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(strings.ToUpper(s), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		n *= float64(u.size)
		return int64(n), err == nil && n >= 0 && n < 1e18
	}
	return 0, false
}
