//go:build linux

// Command load is what `make bench-proxy` measures with: a SOAP service, and
// clients that call it through something.
//
//	load serve -http ADDR -https ADDR -ca FILE   a service; writes its certificate
//	load calls -c 32 -d 3s URL                   calls per second over kept connections
//	load latency -n 2000 -turn 50 URL URL        median time of a call by each way, taking turns
//	load idle -n 2000 -pid PID ADDR              memory of a process for each idle connection
package main

import (
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	commands := map[string]func([]string) error{"serve": serve, "calls": calls, "latency": latency, "idle": idle}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: load serve|calls|latency|idle ...")
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		log.Fatal(fmt.Errorf("load %s: %w", os.Args[1], err))
	}
}
