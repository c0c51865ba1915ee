package diagnose

import (
	"strings"

	"sniff/record"
)

// sshProxyInfos are the findings behind what a proxy that terminates SSH
// reports of its own.
func sshProxyInfos() []Info {
	return []Info{
		{
			Code: "ssh.proxy_host_key", Severity: record.SeverityError,
			Explanation: "The proxy refused the server's host key on behalf of the client, which sees the proxy's own and cannot judge: it is not known, is another one than is known, or is revoked.",
			Advice:      "Compare the fingerprint with what the server's owner says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there). If it is right, add the key to the file of --known-hosts, or start the proxy with --ssh-accept-new; if it has changed and nobody knows why, somebody may stand in between.",
			Reference:   "RFC 4251, section 4.1",
		},
		{
			Code: "ssh.proxy_publickey", Severity: record.SeverityWarning,
			Explanation: "The server would take the client's key, but the client's signature is good for its connection to the proxy only, and the proxy has no key of its own that the server takes.",
			Advice:      "Give the proxy a key for the server (--ssh-identity), or let it use the client's agent (--ssh-agent, and ssh -A). --ssh passthrough leaves the connection as it is.",
			Reference:   "RFC 4252, section 7",
		},
		{
			Code: "ssh.proxy_client_left", Severity: record.SeverityWarning,
			Explanation: "The client ended the connection when it saw the proxy's host key, as clients do that expect the server's.",
			Advice:      "Have the client take the proxy's host key: the fingerprint is in the detail, the key in ssh_host_ed25519_key of the --ca-dir or in the file of --ssh-host-key.",
			Reference:   "RFC 4251, section 4.1",
		},
		{
			Code: "ssh.proxy_failed", Severity: record.SeverityError,
			Explanation: "The proxy could not carry SSH on between the client and the server, and ended both connections.",
			Advice:      "The detail names the side and the reason. --ssh passthrough leaves SSH as it is: what works so is for the proxy to learn.",
		},
	}
}

// sshProxyCode returns the finding behind what the proxy reports of its SSH.
func sshProxyCode(anomaly string) string {
	what, ok := strings.CutPrefix(anomaly, "proxy_ssh_")
	switch {
	case !ok:
		return ""
	case strings.HasPrefix(what, "host_key"), what == "known_hosts":
		return "ssh.proxy_host_key"
	case what == "publickey", what == "client_left":
		return "ssh.proxy_" + what
	}
	return "ssh.proxy_failed"
}

// endedByProxy reports whether it is known why a handshake ended.
func endedByProxy(rep *Reporter) bool {
	return rep.Has("ssh.proxy_host_key") || rep.Has("ssh.proxy_failed") || rep.Has("ssh.proxy_client_left")
}
