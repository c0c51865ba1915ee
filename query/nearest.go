package query

import "strings"

// Nearest returns the name that is closest to a misspelt one, "" when none is
// close: at most a third of the letters may differ, and one that it begins
// with, or that begins with it, counts as close.
func Nearest(name string, names []string) string {
	best, bestAt := "", len(name)/3+1
	lower := strings.ToLower(name)
	for _, n := range names {
		d := distance(lower, n)
		if d < bestAt || d == bestAt && best == "" {
			best, bestAt = n, d
		}
	}
	if best != "" || len(name) < 3 {
		return best
	}
	for _, n := range names {
		if strings.HasPrefix(n, lower) || strings.HasSuffix(n, "_"+lower) || len(n) > 3 && strings.HasPrefix(lower, n) {
			if best == "" || len(n) < len(best) {
				best = n
			}
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or exchange with
// their neighbour to make a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
