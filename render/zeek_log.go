package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// zeekColumns are the columns of each log with their types, as Zeek 8 has them.
func zeekColumns(log string) string {
	const id = "ts:time uid:string id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port "
	switch log {
	case "conn":
		return id + "proto:enum service:string duration:interval orig_bytes:count resp_bytes:count conn_state:string local_orig:bool local_resp:bool missed_bytes:count history:string orig_pkts:count orig_ip_bytes:count resp_pkts:count resp_ip_bytes:count tunnel_parents:set[string] ip_proto:count"
	case "smtp":
		return id + "trans_depth:count helo:string mailfrom:string rcptto:set[string] date:string from:string to:set[string] cc:set[string] reply_to:string msg_id:string in_reply_to:string subject:string x_originating_ip:addr first_received:string second_received:string last_reply:string path:vector[addr] user_agent:string tls:bool fuids:vector[string]"
	case "ftp":
		return id + "user:string password:string command:string arg:string mime_type:string file_size:count reply_code:count reply_msg:string data_channel.passive:bool data_channel.orig_h:addr data_channel.resp_h:addr data_channel.resp_p:port fuid:string"
	case "ssh":
		return id + "version:count auth_success:bool auth_attempts:count direction:enum client:string server:string cipher_alg:string mac_alg:string compression_alg:string kex_alg:string host_key_alg:string host_key_fingerprint:string"
	case "ssl":
		return id + "version:string cipher:string curve:string server_name:string resumed:bool last_alert:string next_protocol:string established:bool ssl_history:string cert_chain_fps:vector[string] client_cert_chain_fps:vector[string] sni_matches_cert:bool"
	case "x509":
		return "ts:time fingerprint:string certificate.version:count certificate.serial:string certificate.subject:string certificate.issuer:string certificate.not_valid_before:time certificate.not_valid_after:time certificate.key_alg:string certificate.sig_alg:string certificate.key_type:string certificate.key_length:count certificate.exponent:string certificate.curve:string san.dns:vector[string] san.uri:vector[string] san.email:vector[string] san.ip:vector[addr] basic_constraints.ca:bool basic_constraints.path_len:count host_cert:bool client_cert:bool"
	case "http":
		return id + "trans_depth:count method:string host:string uri:string referrer:string version:string user_agent:string origin:string request_body_len:count response_body_len:count status_code:count status_msg:string info_code:count info_msg:string tags:set[enum] username:string password:string proxied:set[string] orig_fuids:vector[string] orig_filenames:vector[string] orig_mime_types:vector[string] resp_fuids:vector[string] resp_filenames:vector[string] resp_mime_types:vector[string]"
	case "files":
		return "ts:time fuid:string uid:string id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port source:string depth:count analyzers:set[string] mime_type:string filename:string duration:interval local_orig:bool is_orig:bool seen_bytes:count total_bytes:count missing_bytes:count overflow_bytes:count timedout:bool parent_fuid:string md5:string sha1:string sha256:string extracted:string extracted_cutoff:bool extracted_size:count"
	case "weird":
		return id + "name:string addl:string notice:bool peer:string source:string"
	case "notice":
		return id + "fuid:string file_mime_type:string file_desc:string proto:enum note:enum msg:string sub:string src:addr dst:addr p:port n:count peer_descr:string actions:set[enum] email_dest:set[string] suppress_for:interval remote_location.country_code:string remote_location.region:string remote_location.city:string remote_location.latitude:double remote_location.longitude:double"
	}
	return ""
}

// zeekLog is one open log.
type zeekLog struct {
	f     *os.File
	w     *bufio.Writer
	json  bool
	names []string
	line  []byte
}

func openZeekLog(dir, log string, json bool, at time.Time) (*zeekLog, error) {
	f, err := os.OpenFile(filepath.Join(dir, log+".log"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	l := &zeekLog{f: f, w: bufio.NewWriter(f), json: json}
	var kinds []string
	for _, column := range strings.Fields(zeekColumns(log)) {
		name, kind, _ := strings.Cut(column, ":")
		l.names = append(l.names, name)
		kinds = append(kinds, kind)
	}
	if !json {
		fmt.Fprintf(l.w, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t%s\n#open\t%s\n#fields\t%s\n#types\t%s\n",
			log, zeekStamp(at), strings.Join(l.names, "\t"), strings.Join(kinds, "\t"))
	}
	return l, nil
}

// zeekStamp is the time in a log's head and foot. It is the capture's, so that
// the same capture gives the same log.
func zeekStamp(t time.Time) string { return t.UTC().Format("2006-01-02-15-04-05") }

func (l *zeekLog) write(r *zeekRow) error {
	l.line = l.line[:0]
	if l.json {
		return l.writeJSON(r)
	}
	for i, name := range l.names {
		if i > 0 {
			l.line = append(l.line, '\t')
		}
		l.line = append(l.line, zeekText(r.values[name])...)
	}
	l.line = append(l.line, '\n')
	_, err := l.w.Write(l.line)
	return err
}

// writeJSON writes a line as Zeek does with LogAscii::use_json: unset values
// are left out, times are seconds.
func (l *zeekLog) writeJSON(r *zeekRow) error {
	l.line = append(l.line, '{')
	for _, name := range l.names {
		v, ok := r.values[name]
		if !ok || v == nil {
			continue
		}
		if len(l.line) > 1 {
			l.line = append(l.line, ',')
		}
		l.line = strconv.AppendQuote(l.line, name)
		l.line = append(l.line, ':')
		switch x := v.(type) {
		case time.Time:
			l.line = append(l.line, zeekSeconds(x)...)
		case time.Duration:
			l.line = strconv.AppendFloat(l.line, x.Seconds(), 'f', -1, 64)
		case string:
			b, err := json.Marshal(strings.ToValidUTF8(x, "\uFFFD"))
			if err != nil {
				return err
			}
			l.line = append(l.line, b...)
		default:
			b, err := json.Marshal(x)
			if err != nil {
				return err
			}
			l.line = append(l.line, b...)
		}
	}
	l.line = append(l.line, '}', '\n')
	_, err := l.w.Write(l.line)
	return err
}

func (l *zeekLog) close(at time.Time) error {
	if !l.json {
		fmt.Fprintf(l.w, "#close\t%s\n", zeekStamp(at))
	}
	if err := l.w.Flush(); err != nil {
		l.f.Close()
		return err
	}
	return l.f.Close()
}

func zeekSeconds(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// zeekText writes a value of a column.
func zeekText(v any) string {
	switch x := v.(type) {
	case time.Time:
		return zeekSeconds(x)
	case time.Duration:
		return fmt.Sprintf("%.6f", x.Seconds())
	case bool:
		if x {
			return "T"
		}
		return "F"
	case int64:
		return strconv.FormatInt(x, 10)
	case netip.Addr:
		return x.String()
	case []netip.Addr:
		parts := make([]string, len(x))
		for i, a := range x {
			parts[i] = a.String()
		}
		return zeekList(parts)
	case []string:
		return zeekList(x)
	case string:
		switch x {
		case "-":
			return `\x2d`
		case "(empty)":
			return `\x28empty)`
		case "":
			return "(empty)"
		}
		return zeekEscape(x, false)
	}
	return "-"
}

// zeekList writes a set or a vector.
func zeekList(list []string) string {
	if len(list) == 0 {
		return "(empty)"
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == "-" {
			out[i] = `\x2d`
			continue
		}
		out[i] = zeekEscape(s, true)
	}
	return strings.Join(out, ",")
}

// zeekEscape writes what would break a line as \xNN: the separator, control
// characters, bytes that are no UTF-8, and commas inside of lists.
func zeekEscape(s string, inList bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r < 0x20 || r == 0x7f || r == utf8.RuneError && n == 1 || inList && r == ',':
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}
