//go:build !linux

package capture

import (
	"fmt"
	"runtime"
)

// OpenLive reads the packets of a network interface; it is supported on Linux
// only.
func OpenLive(iface string, o Options) (*Reader, error) {
	return nil, fmt.Errorf("capture: live capture is not supported on %s: write a file with tcpdump and read that", runtime.GOOS)
}
