package filter_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"sniff/capture/filter"
)

var expressions = []string{
	"ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "sctp", "igmp", "esp", "ah", "pim", "vrrp",
	"host 10.1.2.3", "src host 10.1.2.3", "dst host 10.1.2.3", "src 10.1.2.3", "ip host 192.168.7.9",
	"arp host 10.1.2.3", "rarp src host 10.1.2.3", "host 2001:db8::1", "dst host 2001:db8:1::2", "ip6 host ff02::1",
	"src and dst host 10.1.2.3", "src or dst host 192.168.7.9",
	"net 10", "net 10.1", "net 10.1.2.0/24", "src net 192.168.0.0 mask 255.255.0.0", "dst net 10.0.0.0/8",
	"net 2001:db8::/32", "ip6 src net 2001:db8:1::/48", "net 0.0.0.0/0", "host 10.1.2.9", "net 224.0.0.0/4",
	"port 25", "src port 25", "dst port 25", "tcp port 25", "udp port 25", "tcp dst port 587", "sctp port 25",
	"port 25 or 587", "tcp port 25 or 587 or 21", "port (21 or 22)", "src and dst port 25", "port smtp", "tcp port ssh",
	"portrange 20-25", "tcp portrange 25-600", "src portrange 587-21", "tcp src port 25 and dst port 25",
	"not port 25", "not tcp", "! udp", "not (tcp or udp)", "tcp and not port 25", "ip or arp and tcp", "tcp or udp and port 25",
	"tcp && port 25 || udp", "host 10.1.2.3 and (port 25 or port 21) and not src port 25",
	"ip proto 6", "ip proto \\tcp", "ip6 proto 58", "proto 17", "proto \\udp", "ip proto 47", "ip6 proto 44",
	"ether proto 0x800", "ether proto \\arp", "ether proto 0x86dd", "ether host 02:00:00:00:00:0a",
	"ether src 02:00:00:00:00:0b", "ether dst 2-0-0-0-0-b", "ether broadcast", "broadcast", "multicast", "ether multicast",
	"ip multicast", "ip6 multicast", "less 60", "greater 100", "len > 200", "len <= 54", "len - 14 < 60",
	"vlan", "vlan 100", "vlan and tcp", "vlan 100 and port 25", "vlan 200 and vlan 100", "vlan and vlan and tcp",
	"not vlan", "tcp and vlan", "vlan 7 or vlan 100", "vlan and ip6", "not vlan and tcp",
	"mpls", "mpls 1", "mpls and tcp", "mpls 1 and mpls 2 and host 10.1.2.3", "vlan and mpls and tcp port 25", "mpls and ip6",
	"pppoes", "pppoes 9", "pppoes and tcp port 25", "pppoes 8", "pppoed", "pppoes and ip6",
	"tcp[13] & 2 != 0", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[tcpflags] == tcp-syn|tcp-ack", "tcp[tcpflags] & tcp-rst != 0",
	"tcp[2:2] = 25", "tcp[0:2] = tcp[2:2]", "ip[2:2] > 200", "ip[0] & 0xf > 5", "ip[6:2] & 0x3fff != 0", "ip[8] < 65",
	"((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0", "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0", "(tcp[13] & 18) == 18",
	"icmp[icmptype] = icmp-echo", "icmp[icmptype] != icmp-echo and icmp[0] != icmp-echoreply", "icmp[icmpcode] = 1",
	"icmp6[icmp6type] == icmp6-echo", "icmp6[0] = 135", "udp[4:2] > 20", "ip6[6] = 6", "ip6[4:2] * 2 > 100", "ether[0] & 1 = 1",
	"ip[1] | 2 & 2 = 2", "ip[2:2] / 7 * 7 = ip[2:2]", "ip[2:2] % 4 == 0", "ip[8] ^ 64 = 0", "len = ip[2:2] + 14", "ip[9] * 0x10 + 5 > -1",
	"arp[6:2] = 1", "tcp[4:4] = 0", "1 = 1", "2 + 3 * 2 = 8", "1 + 1 = 3", "tcp[100] = 0 or tcp", "not tcp[100] = 0", "ip[2:2] / (ip[1]) = 3",
	"inbound", "outbound", "inbound and tcp port 25", "dst port 25 and src host (10.1.2.3 or 192.168.7.9)", "port not 25",
	"ip[2:2] & 6 ^ 3 = 1", "ip[2:2] ^ 3 & 6 = 1", "2 + ip[0] > 70", "1 + tcp[13] > 5", "ip[0] + (tcp[13] - 2) > 5", "ip6[tcp[0]] = 0",
	"len & 3 | 4 = 4", "len & 3 << 1 = 4", "len * 2 % 3 = 0", "tcp[12] >> 4 > 5", "tcp[13] & 2 != 0 and not tcp[13] & 16 != 0", "ip and len >= 100 and len < 700", "udp and port 53 or 5353",
}

// stricter lists what tcpdump takes and we refuse, and looser the other way
// round, by a part of the expression; everything else must agree.
var (
	stricter = []string{}
	looser   = []string{}
)

func TestSelectsWhatTcpdumpSelects(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	dir := t.TempDir()
	for _, link := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeLinuxSLL, layers.LinkTypeLinuxSLL2,
		layers.LinkTypeRaw, layers.LinkTypePPP, layers.LinkTypeNull} {
		packets := samples(t, link)
		file := filepath.Join(dir, fmt.Sprintf("%d.pcap", link))
		writeCapture(t, file, link, packets)
		t.Run(link.String(), func(t *testing.T) {
			for _, text := range expressions {
				want, wantErr := tcpdump(t, file, text)
				got, gotErr := ours(text, link, packets)
				switch {
				case wantErr != nil && gotErr != nil:
				case wantErr != nil:
					if !contains(looser, text) {
						t.Errorf("%q: tcpdump refuses it (%v), we take it", text, wantErr)
					}
				case gotErr != nil:
					if !contains(stricter, text) {
						t.Errorf("%q: %v, tcpdump takes it", text, gotErr)
					}
				default:
					for i := range packets {
						if want[i] != got[i] {
							t.Errorf("%q: packet %d of %d bytes (%d captured): tcpdump says %v, we %v\n% x",
								text, i+1, packets[i].wire, len(packets[i].data), want[i], got[i], packets[i].data[:min(len(packets[i].data), 64)])
							break
						}
					}
				}
			}
		})
	}
}

func contains(list []string, text string) bool {
	for _, part := range list {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// writeCapture numbers the packets by their seconds.
func writeCapture(t *testing.T, file string, link layers.LinkType, packets []sample) {
	t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriter(&buf)
	if err := w.WriteFileHeader(262144, link); err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		ci := gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(p.data), Length: p.wire}
		if err := w.WritePacket(ci, p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tcpdump runs without its optimizer, which drops loads whose result does not
// matter and swaps others, so that packets are taken that the expression as it
// stands rejects for being cut too short.
func tcpdump(t *testing.T, file, expr string) ([]bool, error) {
	t.Helper()
	cmd := exec.Command("tcpdump", "-O", "-n", "-r", file, "-w", "-", expr)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimSpace(stderr.String()))
	}
	selected := make([]bool, 1<<16)
	r, err := pcapgo.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, ci, err := r.ReadPacketData()
		if err == io.EOF {
			return selected, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		selected[ci.Timestamp.Unix()] = true
	}
}

func ours(text string, link layers.LinkType, packets []sample) ([]bool, error) {
	expr, err := filter.Parse(text)
	if err != nil {
		return nil, err
	}
	p, err := expr.Compile(uint32(link))
	if err != nil {
		return nil, err
	}
	selected := make([]bool, len(packets))
	for i, s := range packets {
		selected[i] = p.Match(s.data, s.wire)
	}
	return selected, nil
}
