package main

import (
	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/dissect/http"
	"sniff/dissect/sftp"
	"sniff/dissect/smtp"
	"sniff/dissect/soap"
	"sniff/dissect/ssh"
	"sniff/record"
)

// protocols is the list that the engine probes, in this order. A new protocol
// is one folder under dissect and one line here. sshKeys may be nil.
func protocols(sshKeys *ssh.KeyLog) []dissect.Protocol {
	return []dissect.Protocol{
		ssh.Config{Keys: sshKeys}.Protocol(),
		http.Protocol(),
		smtp.Protocol(),
		ftp.Protocol(),
		ftp.DataProtocol(),
		// Inside of SSH only; their probes take nothing.
		sftp.Protocol(),
		sftp.SCP(),
	}
}

// loads is the list of documents that bodies are searched for.
func loads(secrets record.Keyer, contracts *soap.Contracts) []content.Load {
	return []content.Load{
		soap.NewLoad(soap.Config{Secret: secrets.Secret, Contracts: contracts}),
		soap.NewContractLoad(contracts),
	}
}
