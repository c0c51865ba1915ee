package capture

import "net"

// AnyInterface is the name that stands for all interfaces.
const AnyInterface = "any"

// InterfaceNames lists what OpenLive can read.
func InterfaceNames() []string {
	names := []string{AnyInterface}
	all, err := net.Interfaces()
	if err != nil {
		return names
	}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}
