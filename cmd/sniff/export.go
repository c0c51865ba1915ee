package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sniff/export"
)

func (a *app) exportCommand() *cobra.Command {
	var want export.What
	var dir, ascii string
	var knownHosts, streams, packets, anonymous, decrypted bool
	var sessions []string
	cmd := &cobra.Command{
		Use:   "export FILE... -w DIR",
		Short: "Write messages (.eml), files, envelopes (.xml), streams or a smaller capture",
		Long: `Write what was carried to DIR: mail messages byte for byte as they were sent,
files of FTP and SFTP transfers, attachments, SOAP envelopes with their parts,
HTTP bodies. Without a choice mail, files and envelopes are written.

Files are named by their SHA-256; names from the traffic stand in index.jsonl
and, cleaned, behind the digest. Nothing is overwritten, nothing is written
outside of DIR. What has holes is marked ".partial". The parts of a transfer
that was resumed become one file, index.jsonl says which they were; parts that
differ where they overlap stay apart.

--where chooses what is written: what those messages, transfers, exchanges and
calls carried for which it is true. In a session in which it is true for other
records only (a command, a login, a finding), it chooses all that the session
carried. Of streams, certificates and host keys it chooses those of all these
sessions, and --session names some.

--streams writes what each side of each connection sent, as it went over the
wire. --pcap writes a capture of the sessions that --where or --session picks,
and of those that belong to them, packet for packet as they were; -w names the
file then. --decrypted writes the sessions in which TLS could be read as plain
TCP, for tools that cannot decrypt: real addresses and times, what led to
TLS (STARTTLS, AUTH TLS, CONNECT) left out, and the port of the protocol in the clear in place of
one for TLS (a comment at the first packet names the real one).`,
		Example: `  sniff export mail.pcap --mail --attachments -w out
  sniff export ftp.pcap --files -w out
  sniff export mail.pcap --mail -Y 'outcome == "refused"' -w out
  sniff export --pcap --where 'kind == "smtp.message" && outcome != "delivered"' -w refused.pcapng mail.pcap
  sniff export --anonymise -w ticket.pcapng mail.pcap
  sniff export mail.pcap --certs -w out
  sniff export --decrypted --keylog keys -w plain.pcapng mail.pcap
  sniff export ssh.pcap --known-hosts   host keys as lines of known_hosts`,
		Args: files(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkFlags(); err != nil {
				return err
			}
			switch {
			case knownHosts:
				return a.exportKnownHosts(args, dir, sessions)
			case packets || anonymous:
				return a.exportCapture(args, dir, sessions, anonymous)
			case decrypted:
				return a.exportDecrypted(args, dir, sessions)
			}
			switch ascii {
			case "received":
			case "local":
				want.LocalText = true
			default:
				return usageError{fmt.Errorf("--ascii %s: not one of received, local", ascii)}
			}
			if want == (export.What{LocalText: want.LocalText}) && !streams {
				want.Mail, want.Files, want.SOAP = true, true, true
			}
			return a.exportArtefacts(args, dir, sessions, want, streams)
		},
	}
	a.inputFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&dir, "write", "w", "", "`DIR` to write to; it is made if there is none")
	f.BoolVar(&want.Mail, "mail", false, "messages as .eml")
	f.BoolVar(&want.Attachments, "attachments", false, "named parts of messages")
	f.BoolVar(&want.Files, "files", false, "files of FTP and SFTP transfers")
	f.StringVar(&ascii, "ascii", "received", "line ends of files that FTP moved as text (TYPE A): `received`, which is CR LF, or local, those of this machine")
	f.BoolVar(&want.SOAP, "soap", false, "XML bodies, and the parts that came with envelopes")
	f.BoolVar(&want.Bodies, "http", false, "all other HTTP bodies")
	f.BoolVar(&want.Certificates, "certs", false, "certificates that TLS peers show, as PEM, named by their fingerprint; index.jsonl has the order of each chain")
	f.BoolVar(&streams, "streams", false, "what each side of each connection sent, in a file for each")
	f.BoolVar(&packets, "pcap", false, "a capture of the wanted sessions, to the file -w")
	f.BoolVar(&decrypted, "decrypted", false, "the plaintext of the sessions in which TLS can be read, as a capture, to the file -w")
	f.BoolVar(&anonymous, "anonymise", false, "the same, with stand-ins for addresses, names, accounts and secrets")
	f.StringSliceVar(&sessions, "session", nil, "only of these sessions, by the `NUMBER` that sniff read prints, or by id")
	f.StringVarP(&a.choice.where, "where", "Y", "", "only what records carried for which this `EXPR` over their fields is true, or else their sessions, such as 'kind == \"smtp.message\" && outcome != \"delivered\"'")
	f.BoolVar(&knownHosts, "known-hosts", false, "only the SSH host keys seen, as lines of known_hosts, on standard output or to the file -w")
	return cmd
}
