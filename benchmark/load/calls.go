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
	"sync"
	"sync/atomic"
	"time"
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
	if u.Scheme == "https" {
		// What is measured is the proxy, not whether it is trusted.
		c = tls.Client(c, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
	}
	ask := fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"urn:example:orders#PlaceOrder\"\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
	return &caller{c: c, in: &messages{in: c}, ask: []byte(ask)}, nil
}

// call makes one call and checks that the whole answer came.
func (c *caller) call() error {
	if _, err := c.c.Write(c.ask); err != nil {
		return err
	}
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
	var done atomic.Int64
	var counting, stop atomic.Bool
	errs := make(chan error, *concurrent)
	var wg, ready sync.WaitGroup
	for range *concurrent {
		ready.Add(1)
		wg.Go(func() {
			// The first call brings the connection up and is not counted.
			c, err := dial(u)
			if err == nil {
				defer c.c.Close()
				err = c.call()
			}
			ready.Done()
			for err == nil && !stop.Load() {
				if err = c.call(); err == nil && counting.Load() {
					done.Add(1)
				}
			}
			if err != nil {
				errs <- err
			}
		})
	}
	ready.Wait()
	counting.Store(true)
	began := time.Now()
	time.Sleep(*duration)
	counting.Store(false)
	took := time.Since(began)
	stop.Store(true)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	fmt.Printf("%.0f\n", float64(done.Load())/took.Seconds())
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
