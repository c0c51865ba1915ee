package query

import (
	"fmt"
	"net/netip"
	"time"
)

// address reads an address with or without a port.
func address(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// parsePrefix reads a network, or an address that stands for itself alone.
func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.Prefix{}, fmt.Errorf("%q is no network: write it like 10.0.0.0/8 or 2001:db8::/32", s)
}

// cidr reports whether an address, with or without a port, lies in one of the
// networks.
func cidr(params ...any) (any, error) {
	if len(params) < 2 {
		return nil, fmt.Errorf("cidr wants an address and a network: cidr(client, \"10.0.0.0/8\")")
	}
	s, _ := params[0].(string)
	a, ok := address(s)
	for _, p := range params[1:] {
		text, _ := p.(string)
		prefix, err := parsePrefix(text)
		if err != nil {
			return nil, err
		}
		if ok && prefix.Contains(a) {
			return true, nil
		}
	}
	return false, nil
}

// host returns the address without its port.
func host(params ...any) (any, error) {
	s, err := oneString("host", params)
	if a, ok := address(s); ok {
		return a.String(), err
	}
	return "", err
}

// port returns the port of an address, 0 when it has none.
func port(params ...any) (any, error) {
	s, err := oneString("port", params)
	if ap, bad := netip.ParseAddrPort(s); bad == nil {
		return int(ap.Port()), err
	}
	return 0, err
}

// seconds turns 200ms or 1h30m into the number that record fields hold.
func seconds(params ...any) (any, error) {
	s, err := oneString("seconds", params)
	if err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, fmt.Errorf("seconds: %q is no span of time: write it like 200ms or 1h30m", s)
	}
	return d.Seconds(), nil
}

func oneString(name string, params []any) (string, error) {
	if len(params) != 1 {
		return "", fmt.Errorf("%s wants one argument", name)
	}
	s, _ := params[0].(string)
	return s, nil
}
