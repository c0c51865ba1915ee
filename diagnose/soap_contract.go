package diagnose

import (
	"fmt"

	"sniff/record"
)

// contract reports where a call departs from its WSDL.
func contract(c *record.SOAPCall, rep *Reporter) {
	if c.Contract == nil {
		return
	}
	for _, d := range c.Contract.Deviations {
		code := "soap.contract"
		if d.Code == "unknown_operation" {
			code = "soap.contract_operation"
		}
		seen := d.Path
		if seen == "" {
			seen = c.Contract.Location
		}
		f := rep.Raise(code, fmt.Sprintf("the %s of %s departs from its WSDL: %s", d.Message, c.Name(), d.Detail), c, record.Plain(seen))
		if c.Fault == nil && d.Message == "request" && code == "soap.contract" {
			// The service took the call all the same.
			f.Severity = record.SeverityNotice
		}
	}
}
