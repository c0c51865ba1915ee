package main

import (
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"

	"sniff/proxy"
)

// proxySSH sets up how the proxy intercepts SSH; the zero value lets it pass.
func (a *app) proxySSH(p proxyFlags, listeners []proxy.Listener) (cfg proxy.SSH, err error) {
	reads := slices.ContainsFunc(listeners, func(l proxy.Listener) bool { return l.TLS != proxy.Passthrough })
	if p.ssh != "intercept" || !reads {
		return cfg, nil
	}
	path := p.sshHostKey
	if path == "" {
		dir, err := caDir(p.caDir)
		if err != nil {
			return cfg, err
		}
		path = filepath.Join(dir, proxy.HostKeyFile)
	}
	key, made, err := proxy.LoadOrCreateHostKey(path)
	if err != nil {
		return cfg, inputError{err}
	}
	if made {
		a.note("made an SSH host key, %s, in %s; clients must take it for the server's", ssh.FingerprintSHA256(key.PublicKey()), path)
	}
	cfg.HostKey, cfg.AcceptNew, cfg.Agent = key, p.sshAcceptNew, p.sshAgent
	for _, f := range p.sshIdentities {
		id, err := proxy.LoadKey(f)
		if err != nil {
			return cfg, inputError{err}
		}
		cfg.Identities = append(cfg.Identities, id)
	}
	if cfg.KnownHosts = p.knownHosts; len(cfg.KnownHosts) == 0 {
		if home, err := os.UserHomeDir(); err == nil {
			cfg.KnownHosts = append(cfg.KnownHosts, filepath.Join(home, ".ssh", "known_hosts"))
		}
		cfg.KnownHosts = append(cfg.KnownHosts, "/etc/ssh/ssh_known_hosts")
	}
	return cfg, nil
}
