//go:build !linux || race

package proxy

import "net"

// quick is Linux's.
type quick struct{ net.Conn }

func newQuick(net.Conn) *quick { return nil }
