//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const request = `<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:example:orders">
  <soap:Header>
    <o:Trace>6f1f2a10-8a5e-4b43-9b8e-2f7b1f0a9d11</o:Trace>
  </soap:Header>
  <soap:Body>
    <o:PlaceOrder>
      <o:Customer><o:Name>Ada Example</o:Name><o:Street>1 Main Street</o:Street><o:City>Springfield</o:City></o:Customer>
      <o:Items>
        <o:Item><o:Sku>A-100</o:Sku><o:Quantity>3</o:Quantity><o:Price currency="EUR">19.90</o:Price></o:Item>
        <o:Item><o:Sku>B-200</o:Sku><o:Quantity>1</o:Quantity><o:Price currency="EUR">249.00</o:Price></o:Item>
      </o:Items>
    </o:PlaceOrder>
  </soap:Body>
</soap:Envelope>
`

const response = `<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:example:orders">
  <soap:Body>
    <o:PlaceOrderResponse>
      <o:Order><o:Number>4711</o:Number><o:Total currency="EUR">308.70</o:Total><o:Delivery>2026-01-15</o:Delivery></o:Order>
    </o:PlaceOrderResponse>
  </soap:Body>
</soap:Envelope>
`

// caller calls the service over one connection that is kept.
type caller struct {
	c   net.Conn
	in  *messages
	ask []byte
}

func dial(u *url.URL) (*caller, error) {
	c, err := net.DialTimeout("tcp", u.Host, 10*time.Second)
	if err != nil {
		return nil, err
	}
	// Longer than any run takes: what hangs is told.
	_ = c.SetDeadline(time.Now().Add(10 * time.Minute))
	return newCaller(over(c, u)), nil
}

// over puts TLS over a connection, if the URL says so.
func over(c net.Conn, u *url.URL) net.Conn {
	if u.Scheme != "https" {
		return c
	}
	// What is measured is the proxy, not whether it is trusted.
	return tls.Client(c, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
}

func newCaller(c net.Conn) *caller {
	ask := fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"urn:example:orders#PlaceOrder\"\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
	return &caller{c: c, in: &messages{in: c}, ask: []byte(ask)}
}

// call makes one call and checks that the whole answer came.
func (c *caller) call() error {
	if err := c.send(); err != nil {
		return err
	}
	return c.answer()
}

func (c *caller) send() error {
	_, err := c.c.Write(c.ask)
	return err
}

func (c *caller) answer() error {
	head, body, err := c.in.next()
	switch {
	case err != nil:
		return err
	case !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")):
		return fmt.Errorf("the answer begins with %q", head)
	case string(body) != response:
		return errors.New("another answer came than the service gives")
	}
	return nil
}

// calls prints how many calls per second come through.
func calls(args []string) error {
	f := flag.NewFlagSet("calls", flag.ExitOnError)
	concurrent := f.Int("c", 32, "connections")
	duration := f.Duration("d", 3*time.Second, "how long")
	_ = f.Parse(args)
	u, err := url.Parse(f.Arg(0))
	if err != nil {
		return err
	}
	l, err := newLoop()
	if err != nil {
		return err
	}
	events := make([]unix.EpollEvent, *concurrent)
	done := 0
	for range *concurrent {
		c, err := net.DialTimeout("tcp", u.Host, 10*time.Second)
		if err != nil {
			return err
		}
		w, err := newWire(c)
		if err != nil {
			return err
		}
		// The first call brings the connection up and is not counted.
		caller := newCaller(over(w, u))
		if err := caller.call(); err != nil {
			return err
		}
		if err := l.add(w, func() error {
			switch err := caller.answer(); {
			case err == nothing:
				return nil
			case err != nil:
				return err
			}
			done++
			return caller.send()
		}); err != nil {
			return err
		}
		if err := caller.send(); err != nil {
			return err
		}
	}
	done = 0
	began := time.Now()
	for time.Since(began) < *duration {
		n, err := l.wait(10*time.Second, events)
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("no answer within 10 seconds")
		}
	}
	took := time.Since(began)
	fmt.Printf("%.0f\n", float64(done)/took.Seconds())
	return nil
}

// latency prints the median time of a call by each of the URLs, in
// microseconds. The ways take turns, so that what else the machine does falls
// on all of them alike. Turns of one call find the caches full of another way's
// code and data; in longer turns a client calls one way again and again.
func latency(args []string) error {
	f := flag.NewFlagSet("latency", flag.ExitOnError)
	n := f.Int("n", 2000, "calls by each way")
	turn := f.Int("turn", 1, "calls of each turn")
	_ = f.Parse(args)
	ways := make([]*caller, f.NArg())
	took := make([][]time.Duration, f.NArg())
	for i := range ways {
		u, err := url.Parse(f.Arg(i))
		if err != nil {
			return err
		}
		if ways[i], err = dial(u); err != nil {
			return err
		}
		defer ways[i].c.Close()
	}
	for done := -*n / 10; done < *n; done += *turn { // the first tenth is not counted
		for i, c := range ways {
			for range *turn {
				began := time.Now()
				if err := c.call(); err != nil {
					return err
				}
				if done >= 0 {
					took[i] = append(took[i], time.Since(began))
				}
			}
		}
	}
	for i := range took {
		slices.Sort(took[i])
		fmt.Printf("%.1f ", float64(took[i][len(took[i])/2].Nanoseconds())/1000)
	}
	fmt.Println()
	return nil
}
