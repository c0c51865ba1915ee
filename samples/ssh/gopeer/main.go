// Command gopeer is an SSH client or server of golang.org/x/crypto/ssh, as
// record.sh runs it:
//
//	gopeer client ADDR USER PASSWORD|KEYFILE COMMAND
//	gopeer server ADDR HOSTKEYFILE PASSWORD
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "gopeer: client ADDR USER SECRET COMMAND, or server ADDR KEY PASSWORD")
		os.Exit(2)
	}
	run := serve
	if os.Args[1] == "client" {
		run = call
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "gopeer:", err)
		os.Exit(1)
	}
}

func readKey(file string) (ssh.Signer, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(pem)
}

func call(args []string) error {
	auth := ssh.Password(args[2])
	if strings.HasPrefix(args[2], "/") {
		key, err := readKey(args[2])
		if err != nil {
			return err
		}
		auth = ssh.PublicKeys(key)
	}
	c, err := ssh.Dial("tcp", args[0], &ssh.ClientConfig{User: args[1], Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	s.Stdout = os.Stdout
	return s.Run(args[3])
}

func serve(args []string) error {
	key, err := readKey(args[1])
	if err != nil {
		return err
	}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if string(p) != args[2] {
			return nil, errors.New("wrong password")
		}
		return nil, nil
	}}
	config.AddHostKey(key)
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		go answer(nc, config)
	}
}

// answer runs no command: it says what it was asked for.
func answer(nc net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(nc, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for nch := range channels {
		ch, reqs, err := nch.Accept()
		if err != nil {
			return
		}
		for r := range reqs {
			r.Reply(r.Type == "exec" || r.Type == "env", nil)
			if r.Type == "exec" {
				io.WriteString(ch, "asked for "+string(r.Payload[4:])+"\n")
				ch.SendRequest("exit-status", false, make([]byte, 4))
				ch.Close()
			}
		}
	}
}
