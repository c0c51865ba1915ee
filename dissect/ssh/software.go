package ssh

import (
	"strings"

	"sniff/record"
)

// nameSoftware names the software, its release and the operating system from a
// banner. What a banner does not tell stays empty.
func nameSoftware(id *record.SSHIdentification) {
	id.Software = "unknown"
	if p, ok := productOf(id.Banner); ok {
		id.Software, id.OS = p.name, p.os
		id.Release = strings.TrimLeft(id.Banner[len(p.prefix):], "_-/ ")
	}
	switch id.Software {
	case "OpenSSH":
		nameOpenSSH(id)
	case "PuTTY":
		id.Release = strings.TrimPrefix(id.Release, "Release_")
	case "Dropbear", "tinyssh":
		if id.Release == "noversion" {
			id.Release = ""
		}
	case "unknown":
		if strings.Contains(id.Comments, "Bitvise") || strings.Contains(id.Comments, "FlowSsh") {
			id.Software, id.OS, id.Release = "Bitvise", "Windows", ""
		}
	}
	if at := strings.IndexAny(id.Release, " ;("); at >= 0 {
		id.Release = id.Release[:at]
	}
}

// product is a banner's beginning and what sends it.
type product struct{ prefix, name, os string }

// productOf finds the product of a banner; a longer beginning stands before a
// shorter one.
func productOf(banner string) (product, bool) {
	table := [...]product{
		{"OpenSSH_for_Windows_", "OpenSSH", "Windows"},
		{"OpenSSH_", "OpenSSH", ""},
		{"OpenSSH-", "OpenSSH", ""},
		{"dropbear_", "Dropbear", ""},
		{"dropbear", "Dropbear", ""},
		{"tinyssh_", "tinyssh", ""},
		{"tinyssh", "tinyssh", ""},
		{"PuTTY_", "PuTTY", ""},
		{"PuTTY-", "PuTTY", ""},
		{"WinSCP_release_", "WinSCP", "Windows"},
		{"WinSCP", "WinSCP", "Windows"},
		{"FileZilla_", "FileZilla", ""},
		{"libssh2_", "libssh2", ""},
		{"libssh_", "libssh", ""},
		{"libssh-", "libssh", ""},
		{"paramiko_", "Paramiko", ""},
		{"AsyncSSH_", "AsyncSSH", ""},
		{"JSCH_", "JSch", ""},
		{"JSCH-", "JSch", ""},
		{"APACHE-SSHD-", "Apache MINA SSHD", ""},
		{"SSHD-CORE-", "Apache MINA SSHD", ""},
		{"SSHD-", "Apache MINA SSHD", ""},
		{"SSHJ_", "sshj", ""},
		{"Cisco-", "Cisco SSH", "Cisco IOS"},
		{"ROSSSH", "MikroTik SSH", "RouterOS"},
		{"HUAWEI-", "Huawei SSH", "Huawei VRP"},
		{"Comware-", "Comware SSH", "Comware"},
		{"Sun_SSH_", "Sun SSH", "Solaris"},
		{"NetScreen", "NetScreen SSH", "ScreenOS"},
		{"mod_sftp", "ProFTPD mod_sftp", ""},
		{"Erlang", "Erlang ssh", ""},
		{"Twisted", "Twisted Conch", ""},
		{"Ruby/Net::SSH_", "Net::SSH", ""},
		{"phpseclib_", "phpseclib", ""},
		{"RebexSSH_", "Rebex SSH", "Windows"},
		{"russh_", "russh", ""},
		{"Thrussh_", "thrussh", ""},
		{"wolfSSHv", "wolfSSH", ""},
		{"SecureCRT_", "SecureCRT", ""},
		{"SecureBlackbox", "SecureBlackbox", ""},
		{"CerberusFTPServer_", "Cerberus FTP Server", "Windows"},
		{"Serv-U_", "Serv-U", ""},
		{"WS_FTP", "WS_FTP", "Windows"},
		{"MOVEit", "MOVEit Transfer", "Windows"},
		{"CrushFTP", "CrushFTP", ""},
		{"AWS_SFTP_", "AWS Transfer", ""},
		{"GitLab-SSHD", "GitLab sshd", ""},
		{"babeld-", "GitHub babeld", ""},
		{"Teleport", "Teleport", ""},
		{"cryptlib", "cryptlib", ""},
		{"ConfD-", "ConfD", ""},
		{"ssh2js", "ssh2 (Node.js)", ""},
		{"Nmap-", "Nmap", ""},
		{"ZGrab", "ZGrab", ""},
		{"Cowrie", "Cowrie honeypot", ""},
		{"Go", "Go x/crypto/ssh", ""},
	}
	for i := range table {
		p := &table[i]
		if len(banner) >= len(p.prefix) && strings.EqualFold(banner[:len(p.prefix)], p.prefix) {
			return *p, true
		}
	}
	return product{}, false
}

// nameOpenSSH reads the distribution out of the comments: Debian-2+deb12u3,
// Ubuntu-3ubuntu0.6, FreeBSD-20240701, Raspbian-10+deb10u2, NetBSD_Secure...
func nameOpenSSH(id *record.SSHIdentification) {
	if at := strings.IndexByte(id.Release, '-'); at > 0 && strings.HasPrefix(id.Release[at:], "-hpn") {
		id.Release = id.Release[:at]
	}
	name, revision, _ := strings.Cut(id.Comments, "-")
	switch name {
	case "Debian", "Raspbian":
		id.OS, id.Package = name, revision
		if _, after, ok := strings.Cut(revision, "+deb"); ok {
			id.OS += " " + digits(after)
		} else if v := debianOf(id.Release); v != "" {
			id.OS += " " + v
		}
	case "Ubuntu":
		id.OS, id.Package = name, revision
		if v := ubuntuOf(id.Release); v != "" {
			id.OS += " " + v
		}
	case "FreeBSD":
		id.OS, id.Package = name, revision
	default:
		if strings.HasPrefix(id.Comments, "NetBSD") {
			id.OS = "NetBSD"
		}
	}
}

func digits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}

// debianOf is the release that shipped this version, for packages without
// +debNN in their revision.
func debianOf(release string) string {
	switch release {
	case "6.0p1":
		return "7"
	case "6.7p1":
		return "8"
	case "7.4p1":
		return "9"
	case "7.9p1":
		return "10"
	case "8.4p1":
		return "11"
	case "9.2p1":
		return "12"
	case "10.0p1", "10.0p2":
		return "13"
	}
	return ""
}

// ubuntuOf is the long-term release that shipped this version.
func ubuntuOf(release string) string {
	switch release {
	case "5.9p1":
		return "12.04"
	case "6.6.1p1":
		return "14.04"
	case "7.2p2":
		return "16.04"
	case "7.6p1":
		return "18.04"
	case "8.2p1":
		return "20.04"
	case "8.9p1":
		return "22.04"
	case "9.6p1":
		return "24.04"
	}
	return ""
}
