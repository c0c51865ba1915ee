//go:build !amd64

package digest

const both = false

func blocks(ha, hb *[8]uint32, a, b *byte, n int) { panic("digest: no blocks on this processor") }
