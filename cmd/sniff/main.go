// Command sniff shows what really happened in SMTP, FTP, SOAP and SSH traffic.
//
// This folder holds one file per command: its flags, the wiring of capture,
// engine, diagnosis and renderer, and the exit status; nothing else.
//
// Output rules: results go to standard output, everything else to standard
// error with the prefix "sniff: ", in lower case and without a full stop;
// what to do about an error stands in a line of its own that begins "hint: ".
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
