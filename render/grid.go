package render

import (
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

func displayWidth(s string) int { return twwidth.Width(s) }
func runeWidth(r rune) int      { return twwidth.Width(string(r)) }

// Grid writes rows in columns without borders: header dim, two spaces between
// columns. A cell may hold several lines. The last column takes what is left
// of the width; the others are as wide as they need.
type Grid struct {
	Style  Style
	Header []string
	Rows   [][]string
	// Right marks columns that are aligned to the right.
	Right []int
}

// lastColumnMin is the least that the last column gets, even if the row is
// then wider than the terminal.
const lastColumnMin = 24

// Fits reports whether no row is wider than the terminal.
func (g *Grid) Fits() bool {
	return g.Style.Width <= 0 || g.taken()+min(g.wide(len(g.Header)-1), lastColumnMin) <= g.Style.Width
}

// taken is the width of all columns but the last.
func (g *Grid) taken() int {
	taken := 0
	for c := range len(g.Header) - 1 {
		taken += g.wide(c) + 2
	}
	return taken
}

// wide is the width of one column.
func (g *Grid) wide(c int) int {
	wide := displayWidth(g.Header[c])
	for _, row := range g.Rows {
		for line := range strings.SplitSeq(row[c], "\n") {
			wide = max(wide, displayWidth(line))
		}
	}
	return wide
}

// Write writes the grid to w.
func (g *Grid) Write(w io.Writer) error {
	last := len(g.Header) - 1
	left := 0
	if g.Style.Width > 0 {
		left = max(g.Style.Width-g.taken(), lastColumnMin)
	}
	aligns := make([]tw.Align, len(g.Header))
	for i := range aligns {
		aligns[i] = tw.AlignLeft
	}
	for _, i := range g.Right {
		aligns[i] = tw.AlignRight
	}
	padding := tw.CellPadding{Global: tw.Padding{Left: tw.Empty, Right: "  ", Overwrite: true}}
	format := tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off}
	var out strings.Builder
	t := tablewriter.NewTable(&out,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
		})),
		tablewriter.WithConfig(tablewriter.Config{
			Header:   tw.CellConfig{Formatting: format, Padding: padding, Alignment: tw.CellAlignment{Global: tw.AlignLeft, PerColumn: aligns}},
			Row:      tw.CellConfig{Formatting: format, Padding: padding, Alignment: tw.CellAlignment{Global: tw.AlignLeft, PerColumn: aligns}},
			Behavior: tw.Behavior{TrimSpace: tw.Off},
		}),
	)
	head := make([]string, len(g.Header))
	for i, h := range g.Header {
		head[i] = g.Style.paint(dim, h)
	}
	t.Header(head)
	for _, row := range g.Rows {
		cells := append([]string(nil), row...)
		var lines []string
		for part := range strings.SplitSeq(cells[last], "\n") {
			lines = append(lines, wrap(part, left)...)
		}
		cells[last] = strings.Join(lines, "\n")
		if err := t.Append(cells); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	for line := range strings.Lines(out.String()) {
		if _, err := io.WriteString(w, trimmed(line)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// trimmed takes the blanks off the end of a line, with which the renderer pads
// the last column: they would make it wider than the terminal. In colour they
// stand between marks that end a style.
func trimmed(line string) string {
	const reset = "\x1b[0m"
	styled := false
	for {
		line = strings.TrimRight(line, " \n")
		rest, ok := strings.CutSuffix(line, reset)
		if !ok {
			break
		}
		line, styled = rest, true
	}
	if styled {
		line += reset
	}
	return line
}
