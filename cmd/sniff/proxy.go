package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sniff/content"
	"sniff/diagnose"
	"sniff/dissect/soap"
	"sniff/flow"
	"sniff/proxy"
	"sniff/proxy/ca"
	"sniff/record"
	"sniff/render"
)

// proxyFlags are the flags of `sniff proxy` as they were given.
type proxyFlags struct {
	config      string
	printConfig bool
	listeners   []map[string][]string // of the configuration file
	listen, to  []string
	mode        string
	tls         string
	verify      string
	caDir       string
	upstreamCA  string
	clientCert  string
	clientKey   string
	keylog      string
	write       []string
	rotate      string
	allow       []string
	foreignData bool
	proxyIn     bool
	proxyOut    int
	via         string
	grace       time.Duration
	idle        time.Duration
	dial        time.Duration
	handshake   time.Duration
	connections int
	perClient   int

	ssh           string
	sshHostKey    string
	sshIdentities []string
	sshAcceptNew  bool
	sshAgent      bool
	asciicast     string
	knownHosts    []string
}

func (a *app) proxyCommand() *cobra.Command {
	var p proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy --listen ADDR --to HOST:PORT | -c FILE",
		Short: "Stand between client and server and see everything",
		Long: `Relay connections between clients and servers that are yours or that you may
test, also the encrypted parts, and say what happens in them as it happens.

Ways in: reverse (--listen and --to, in pairs), socks (SOCKS4, 4a and 5), http
(a forward proxy: CONNECT and absolute URIs), transparent (connections that the
firewall redirected here, Linux; see sniff proxy setup). Protocols are recognised by what they say.

TLS is intercepted, from the first byte or after STARTTLS and AUTH TLS, with
certificates of the proxy's own authority (see sniff ca), which clients must
trust. Upstream certificates are verified as the client would have done. --tls
says otherwise: passthrough relays TLS unread; strip speaks TLS to the server and
none to the client (--to tls://HOST:PORT where it begins with the connection on a
port that does not tell); require refuses what one side says without.

SSH is intercepted with a host key of the proxy's own, which clients must take
for the server's; the upstream's must be in known_hosts. Passwords and questions
are relayed. A signature by the client's key cannot be: give the proxy the key
that logs in at the upstream (--ssh-identity), or let it use the client's agent
(--ssh-agent, and ssh -A).`,
		Example: `  sniff proxy --listen 127.0.0.1:2525 --to mail.example.org:25
  sniff proxy --listen 127.0.0.1:2121 --to ftp.example.org:21 -w traffic.pcapng
  sniff proxy --mode socks --listen 127.0.0.1:1080 -o jsonl -w traffic.pcapng --rotate 100MB
  sniff proxy --listen 127.0.0.1:2525 --to mail.example.org:25 -o text -w mail/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.proxy(&p, cmd.Flags()) },
	}
	cmd.AddCommand(a.setupCommand(), a.teardownCommand())
	f := cmd.Flags()
	f.StringVarP(&p.config, "config", "c", "", "YAML `FILE` with listeners and with flags as keys; what is given here goes before")
	f.BoolVar(&p.printConfig, "print-config", false, "print the settings as such a file, and end")
	f.StringArrayVar(&p.listen, "listen", nil, "`ADDR` to listen on, host:port; repeat with --to for several pairs")
	f.StringArrayVar(&p.to, "to", nil, "where the --listen before it relays to, `HOST:PORT`")
	f.StringVar(&p.mode, "mode", "reverse", "way in: reverse, socks, http or transparent")
	f.StringVar(&p.tls, "tls", "intercept", "intercept reads inside TLS; passthrough relays it unread; strip speaks TLS to servers and none to clients; require intercepts, and refuses what is said without")
	f.StringVar(&p.verify, "upstream-verify", "on", "upstream certificates that do not verify: on refuses, report goes on and says so, off does not look")
	f.StringVar(&p.upstreamCA, "upstream-ca", "", "PEM `FILE` of authorities for upstream certificates, instead of the system's")
	f.StringVar(&p.clientCert, "client-cert", "", "PEM `FILE` with the certificate shown to upstreams that ask for one")
	f.StringVar(&p.clientKey, "client-key", "", "PEM `FILE` with its key")
	f.StringVar(&p.caDir, "ca-dir", "", "`FOLDER` of the proxy's authority (default: sniff in the user's configuration folder)")
	f.StringVar(&p.keylog, "keylog", "", "append the TLS secrets of both legs to `FILE` (NSS format, mode 0600)")
	f.StringVar(&p.ssh, "ssh", "intercept", "intercept or passthrough")
	f.StringVar(&p.sshHostKey, "ssh-host-key", "", "private key `FILE` that clients see as the host key (default: ssh_host_ed25519_key in the --ca-dir, made once)")
	f.StringArrayVar(&p.sshIdentities, "ssh-identity", nil, "private key `FILE` to log in at upstreams for clients that use a public key; repeatable")
	f.BoolVar(&p.sshAgent, "ssh-agent", false, "let clients in that prove a key which the upstream wants, and log in there with the agent that they forward")
	f.StringArrayVar(&p.knownHosts, "known-hosts", nil, "`FILE` with the host keys of upstreams; repeatable (default: the user's and the system's)")
	f.StringVar(&p.asciicast, "asciicast", "", "record SSH shells, and programs with a terminal, as asciicast v2 files in `DIR` (play them with asciinema)")
	f.BoolVar(&p.sshAcceptNew, "ssh-accept-new", false, "add the keys of unknown upstreams to the first --known-hosts file")
	f.StringArrayVarP(&p.write, "write", "w", nil, "write to `PATH`: NAME.pcapng gets the traffic as the applications saw it; a folder gets messages (.eml), files and envelopes (.xml), or with -o zeek and -o parquet their files; repeatable")
	f.StringVar(&p.rotate, "rotate", "", "begin the next capture, NAME-0002.pcapng and so on, at this `SIZE` or after this time, such as 100MB or 1h")
	f.StringArrayVar(&p.allow, "allow", nil, "clients other than loopback that may connect, as `CIDR`; repeatable")
	f.BoolVar(&p.foreignData, "allow-foreign-data", false, "let FTP data connections go to other hosts than the peers (FXP)")
	f.BoolVar(&p.proxyIn, "proxy-protocol-in", false, "callers name the client in a PROXY protocol header, version 1 or 2")
	f.IntVar(&p.proxyOut, "proxy-protocol-out", 0, "name the client to upstreams in a PROXY protocol header of `VERSION` 1 or 2")
	f.StringVar(&p.via, "via", "", "reach upstreams through this further proxy, which looks up their names: `URL` like socks5://user:password@host:1080 or http://host:3128")
	f.DurationVar(&p.grace, "grace", 5*time.Second, "how long open connections may finish after an interrupt")
	f.DurationVar(&p.idle, "idle", time.Hour, "end connections that are silent for this long")
	f.DurationVar(&p.dial, "dial-timeout", 30*time.Second, "how long connecting to an upstream may take")
	f.DurationVar(&p.handshake, "handshake-timeout", 30*time.Second, "how long a handshake of TLS or SSH may take, and what SOCKS, CONNECT and the PROXY protocol say first")
	f.IntVar(&p.connections, "max-connections", 10_000, "most connections at a time")
	f.IntVar(&p.perClient, "max-per-client", 1_000, "most connections of one client address")
	a.outputFlags(cmd, "what to print: table (a line per session), text (the dialogue), jsonl, csv, eve (Suricata's events), zeek (its logs, in the folder -w) or parquet (a file for each kind of record, there too)")
	f.StringVar(&a.failOn, "fail-on", "", "exit with status 1 if a finding of this `SEVERITY` or above was made")
	return cmd
}

// The values of flags that configuration files have too.
var (
	proxyModes   = []string{"reverse", "socks", "http", "transparent"}
	tlsModes     = []string{"intercept", "passthrough", "strip", "require"}
	proxyOutputs = []string{"table", "text", "jsonl", "csv", "eve", "zeek", "parquet"}
)

func (a *app) proxy(p *proxyFlags, flags *pflag.FlagSet) error {
	if p.config != "" {
		if err := p.loadFile(p.config, flags); err != nil {
			return err
		}
	}
	if err := a.checkFlags(proxyOutputs...); err != nil {
		return err
	}
	if p.printConfig {
		listeners, err := p.allListeners(flags)
		if err != nil {
			return err
		}
		p.print(a.stdout, flags, listeners)
		return nil
	}
	cfg, watcher, closers, err := a.proxyConfig(*p, flags)
	defer func() { closers.close(a) }()
	if err != nil {
		return err
	}
	// Whoever reads that it listens may interrupt it.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	server, err := proxy.Start(cfg)
	if err != nil {
		if capture, ok := cfg.Tap.(*render.PcapNG); ok {
			capture.Discard() // it would stand in the way of the next attempt
		}
		return usageError{hinted{err, startHint(err)}}
	}
	closers = append(closers, watcher) // a proxy that did not start has nothing to sum up
	for i, l := range server.Addrs() {
		to := ""
		if cfg.Listeners[i].To != "" {
			to = " and relays to " + cfg.Listeners[i].To
		}
		if at, ok := l.(*net.TCPAddr); ok && !at.IP.IsLoopback() && len(cfg.Listeners[i].Allow) == 0 {
			to += ", for clients on loopback only: --allow names others"
		}
		a.note("listens on %s%s", l, to)
	}
	<-stop
	if server.Stats().Active > 0 {
		a.note("stopping; open connections have %s to finish, or until the next interrupt", p.grace)
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-stop:
			server.Cut()
		case <-over:
		}
	}()
	server.Shutdown(p.grace)
	close(over)
	st := server.Stats()
	if st.Cut > 0 {
		a.note("cut %s that had not finished", record.Count(st.Cut, "connection"))
	}
	a.note("%s, %d refused, %s from clients, %s from servers", record.Count(st.Accepted, "connection"), st.Refused, record.Bytes(st.ClientBytes), record.Bytes(st.ServerBytes))
	return cfg.Engine.Close()
}

// startHint says what to do about an address that cannot be listened on.
func startHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there, which ss -ltnp shows; end it or choose another port"
	case errors.Is(err, syscall.EACCES):
		return "ports below 1024 take root or CAP_NET_BIND_SERVICE; choose one above"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no interface of this host has that address; ip addr lists those it has"
	}
	return ""
}

// closers are what must be closed when the proxy ends, last first.
type closers []io.Closer

func (c closers) close(a *app) {
	for i := len(c) - 1; i >= 0; i-- {
		if err := c[i].Close(); err != nil {
			a.note("%v", err)
		}
	}
}

// proxyConfig returns the proxy's settings, the end of the way of its records,
// and what was opened for it.
func (a *app) proxyConfig(p proxyFlags, flags *pflag.FlagSet) (cfg proxy.Config, watcher *diagnose.Watcher, open closers, err error) {
	listeners, err := p.allListeners(flags)
	if err != nil {
		return cfg, nil, open, err
	}
	for _, l := range listeners {
		if l.clientCert != "" {
			cert, err := tls.LoadX509KeyPair(l.clientCert, l.clientKey)
			if err != nil {
				return cfg, nil, open, inputError{fmt.Errorf("the certificate for upstreams, %s with the key %s: %w", l.clientCert, l.clientKey, err)}
			}
			l.ClientCert = &cert
		}
		cfg.Listeners = append(cfg.Listeners, l.Listener)
	}
	cfg.Verify = proxy.Verify(p.verify)
	cfg.AllowForeignData = p.foreignData
	cfg.Limits = proxy.Limits{Connections: p.connections, PerClient: p.perClient, Idle: p.idle, Dial: p.dial, Handshake: p.handshake}
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	cfg.Log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	if slices.ContainsFunc(cfg.Listeners, func(l proxy.Listener) bool { return l.TLS == proxy.Intercept || l.TLS == proxy.Require }) {
		dir, err := caDir(p.caDir)
		if err != nil {
			return cfg, nil, open, err
		}
		auth, made, err := ca.LoadOrCreate(dir, time.Now())
		if err != nil {
			return cfg, nil, open, err
		}
		if made {
			a.note("made a certificate authority in %s; clients must trust it: sniff ca export", dir)
		}
		cfg.CA = auth
	}
	if cfg.SSH, err = a.proxySSH(p, cfg.Listeners); err != nil {
		return cfg, nil, open, err
	}
	if p.upstreamCA != "" {
		pem, err := os.ReadFile(p.upstreamCA)
		if err != nil {
			return cfg, nil, open, inputError{err}
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(pem) {
			return cfg, nil, open, inputError{fmt.Errorf("%s holds no PEM certificate", p.upstreamCA)}
		}
	}
	if p.keylog != "" {
		f, err := os.OpenFile(p.keylog, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return cfg, nil, open, inputError{err}
		}
		open = append(open, f)
		cfg.KeyLog = f
	}
	writes, err := a.sortWrites(p.write)
	if err != nil {
		return cfg, nil, open, err
	}
	sink, err := a.records(true)
	if err != nil {
		return cfg, nil, open, err
	}
	capture, err := writes.capture(p.rotate)
	if err != nil {
		return cfg, nil, open, err
	}
	if capture != nil {
		open = append(open, capture)
		cfg.Tap = capture
	}
	store, closeStore, err := writes.store()
	if err != nil {
		return cfg, nil, open, err
	}
	if store != nil {
		open = append(open, closerFunc(closeStore))
	}
	if p.asciicast != "" {
		casts, err := render.OpenAsciicasts(p.asciicast)
		if err != nil {
			return cfg, nil, open, inputError{err}
		}
		open = append(open, casts)
		cfg.SSH.Screens = casts
	}
	layer, err := (&app{ca: p.upstreamCA}).tlsLayer(nil)
	if err != nil {
		return cfg, nil, open, err
	}
	key, err := tokenKey()
	if err != nil {
		a.note("%v: the marks of masked secrets will differ from run to run", err)
	}
	secrets := record.NewKeyer(key)
	bodies := content.New(content.Config{Loads: loads(secrets, &soap.Contracts{}), Keep: a.keep(), Store: store})
	open = append(open, closerFunc(func() error { bodies.Close(); return nil }))
	watcher = diagnose.NewWatcher(a.watchFindings(sink), diagnose.Families())
	cfg.Engine = flow.New(flow.Config{
		Protocols: protocols(nil),
		TLS:       layer,
		Content:   bodies,
		Sink:      watcher,
		Secrets:   secrets,
	})
	return cfg, watcher, open, nil
}

// allListeners returns the listeners of the command line, or else those of the
// file, with what the command line says about all of them.
func (p proxyFlags) allListeners(flags *pflag.FlagSet) ([]listenerSettings, error) {
	for flag, c := range map[string]struct {
		value string
		among []string
	}{
		"--mode": {p.mode, proxyModes}, "--tls": {p.tls, tlsModes},
		"--ssh": {p.ssh, []string{"intercept", "passthrough"}}, "--upstream-verify": {p.verify, []string{"on", "report", "off"}},
	} {
		if err := oneOf(flag, c.value, c.among...); err != nil {
			return nil, err
		}
	}
	for _, key := range []string{"proxy-protocol-out", "max-connections", "max-per-client", "idle", "dial-timeout", "handshake-timeout", "grace"} {
		if err := checkSetting(key, flags.Lookup(key).Value.String()); err != nil {
			return nil, usageError{fmt.Errorf("--%s: %w", key, err)}
		}
	}
	for key, like := range map[string]string{"listen": "127.0.0.1:2525", "to": "mail.example.org:25"} {
		addresses, _ := flags.GetStringArray(key)
		for _, a := range addresses {
			if err := checkSetting(key, a); err != nil {
				return nil, usageError{hinted{fmt.Errorf("--%s: %w", key, err), "write it like " + like}}
			}
		}
	}
	list := p.listeners
	if len(p.listen) > 0 {
		switch reverse := p.mode == string(proxy.Reverse); {
		case reverse && len(p.to) != len(p.listen):
			return nil, usageError{hinted{fmt.Errorf("%d --listen and %d --to", len(p.listen), len(p.to)), "in reverse mode each --listen has its --to"}}
		case !reverse && len(p.to) > 0:
			return nil, usageError{hinted{fmt.Errorf("--to %s with --mode %s, in which clients say where they want to go", p.to[0], p.mode), "listeners of several modes go into a file: -c sniff.yaml"}}
		}
		list = nil
		for i, addr := range p.listen {
			l := map[string][]string{"listen": {addr}}
			if i < len(p.to) {
				l["to"] = p.to[i : i+1]
			}
			list = append(list, l)
		}
	}
	if len(list) == 0 {
		return nil, usageError{hinted{errors.New("no address to listen on"), "sniff proxy --listen 127.0.0.1:2525 --to mail.example.org:25"}}
	}
	var out []listenerSettings
	for _, of := range list {
		l, err := p.listener(of, flags)
		if err != nil {
			return nil, usageError{err}
		}
		out = append(out, l)
	}
	return out, nil
}

// listenerSettings is a listener whose files were not read yet.
type listenerSettings struct {
	proxy.Listener
	clientCert, clientKey string
}

// listener puts a listener together of what the file says about it, and of
// what is said about all.
func (p proxyFlags) listener(of map[string][]string, flags *pflag.FlagSet) (l listenerSettings, err error) {
	one := func(key, all string) string {
		if v := of[key]; len(v) > 0 && !flags.Changed(key) {
			return v[0]
		}
		return all
	}
	l.Listener = proxy.Listener{Mode: proxy.Mode(one("mode", p.mode)), TLS: proxy.TLSMode(one("tls", p.tls)), Listen: of["listen"][0]}
	if strings.HasPrefix(l.Listen, ":") {
		l.Listen = "127.0.0.1" + l.Listen
	}
	switch to := of["to"]; {
	case l.Mode == proxy.Reverse && len(to) == 0:
		return l, hinted{fmt.Errorf("listener %s: where it relays to is missing", l.Listen), "a listener in reverse mode has a to: HOST:PORT"}
	case l.Mode == proxy.Reverse:
		l.To = to[0]
	}
	l.ProxyProtocolIn = one("proxy-protocol-in", strconv.FormatBool(p.proxyIn)) == "true"
	if l.ProxyProtocolOut, err = strconv.Atoi(one("proxy-protocol-out", strconv.Itoa(p.proxyOut))); err != nil {
		return l, err
	}
	l.clientCert, l.clientKey = one("client-cert", p.clientCert), one("client-key", p.clientKey)
	if (l.clientCert == "") != (l.clientKey == "") {
		return l, errors.New("--client-cert and --client-key go together")
	}
	if via := one("via", p.via); via != "" {
		if l.Via, err = proxy.ParseVia(via); err != nil {
			return l, err
		}
	}
	allow := of["allow"]
	if allow == nil || flags.Changed("allow") {
		allow = p.allow
	}
	for _, s := range allow {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return l, hinted{fmt.Errorf("--allow %s: %w", s, err), "write it like 192.0.2.0/24"}
		}
		l.Allow = append(l.Allow, prefix)
	}
	return l, nil
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }
