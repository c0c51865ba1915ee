//go:build linux

package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// idle opens connections, says one thing over each, lets them be, and prints by
// how many KiB a process has grown for each of them.
func idle(args []string) error {
	f := flag.NewFlagSet("idle", flag.ExitOnError)
	n := f.Int("n", 2000, "connections")
	pid := f.Int("pid", 0, "process whose memory is looked at")
	settle := f.Duration("settle", 15*time.Second, "how long the connections are idle before the memory is looked at")
	_ = f.Parse(args)
	// One connection first: what a process allocates once is not counted.
	var conns []net.Conn
	open := func() error {
		c, err := net.Dial("tcp", f.Arg(0))
		if err != nil {
			return err
		}
		conns = append(conns, c)
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		in := bufio.NewReaderSize(c, 64)
		if _, err := in.ReadSlice('\n'); err != nil {
			return err
		}
		if _, err := c.Write([]byte("EHLO me\r\n")); err != nil {
			return err
		}
		_, err = in.ReadSlice('\n')
		return err
	}
	for range 20 {
		if err := open(); err != nil {
			return err
		}
	}
	before, err := resident(*pid)
	if err != nil {
		return err
	}
	for range *n {
		if err := open(); err != nil {
			return fmt.Errorf("connection %d: %w", len(conns), err)
		}
	}
	time.Sleep(*settle)
	after, err := resident(*pid)
	if err != nil {
		return err
	}
	fmt.Printf("%.1f\n", float64(after-before)/float64(*n))
	return nil
}

// resident is the memory of a process in KiB.
func resident(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := strings.CutPrefix(string(line), "VmRSS:"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, fmt.Errorf("no VmRSS for process %d", pid)
}
