package record

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Randomart draws the key's SHA-256 fingerprint as ssh-keygen -lv does: a
// bishop walks over a board of 17 by 9, two bits a step, and the more often a
// field is visited, the heavier it is drawn.
func (k *SSHHostKey) Randomart() []string {
	sum, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(k.SHA256, "SHA256:"))
	if err != nil {
		return nil
	}
	const width, height = 17, 9
	const marks = " .o+=*BOX@%&#/^SE"
	var board [height][width]int
	x, y := width/2, height/2
	for _, c := range sum {
		for range 4 {
			x += int(c&1)*2 - 1
			y += int(c&2) - 1
			x, y = min(max(x, 0), width-1), min(max(y, 0), height-1)
			if board[y][x] < len(marks)-3 {
				board[y][x]++
			}
			c >>= 2
		}
	}
	board[height/2][width/2] = len(marks) - 2
	board[y][x] = len(marks) - 1
	title := "[" + k.Type + "]"
	if long := "[" + k.Type + " " + strconv.Itoa(k.Bits) + "]"; k.Bits > 0 && len(long) <= width {
		title = long
	}
	lines := make([]string, 0, height+2)
	lines = append(lines, artFrame(title, width))
	for _, row := range board {
		var b [width + 2]byte
		b[0], b[width+1] = '|', '|'
		for i, n := range row {
			b[i+1] = marks[n]
		}
		lines = append(lines, string(b[:]))
	}
	return append(lines, artFrame("[SHA256]", width))
}

func artFrame(title string, width int) string {
	title = title[:min(len(title), width)]
	left := (width - len(title)) / 2
	return "+" + strings.Repeat("-", left) + title + strings.Repeat("-", width-left-len(title)) + "+"
}
