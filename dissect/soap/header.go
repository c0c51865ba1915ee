package soap

import (
	"strconv"
	"strings"

	"sniff/record"
)

// Bounds of the lists taken out of header blocks.
const (
	maxBlocks = 32
	maxList   = 16
)

// headers takes the header blocks apart: SOAP 1.1, section 4.2; SOAP 1.2 part
// 1, section 5.2.
func (p *parser) headers(e *envelope, all string) {
	m := &e.msg
	nodes := p.doc.header
	for i := 0; i < len(nodes); {
		n := &nodes[i]
		end := i + 1
		for end < len(nodes) && nodes[end].depth > n.depth {
			end++
		}
		block := nodes[i:end]
		v := n.value(all)
		if len(v) > p.load.config.Value {
			v = v[:p.load.config.Value] + "…"
		}
		if v != "" && n.secret {
			v = record.Mask
		}
		if len(m.Headers) < maxBlocks {
			m.Headers = append(m.Headers, record.SOAPHeader{Name: n.local, Namespace: n.space, Role: n.attributes().role, MustUnderstand: n.attributes().must, Value: strings.ToValidUTF8(v, "\uFFFD")})
		}
		switch {
		case strings.Contains(n.space, "/addressing"):
			addressing(m, block, all)
		case n.local == "Security" && strings.Contains(n.space, "secext"):
			p.security(e, block, all)
		case strings.Contains(n.space, "/rm") || strings.Contains(n.space, "ws-rx"):
			reliable(m, block, all)
		}
		i = end
	}
}

// addressing reads one block of WS-Addressing 1.0 core, section 3.
func addressing(m *record.SOAPMessage, block []node, all string) {
	a := m.Addressing
	if a == nil {
		a = &record.SOAPAddressing{Namespace: block[0].space}
		m.Addressing = a
	}
	v := block[0].value(all)
	// An endpoint reference keeps its address one level deeper.
	for i := range block[1:] {
		if block[1+i].local == "Address" {
			v = block[1+i].value(all)
			break
		}
	}
	switch block[0].local {
	case "MessageID":
		a.MessageID = v
	case "RelatesTo":
		a.RelatesTo = v
	case "Action":
		a.Action = v
	case "To":
		a.To = v
	case "From":
		a.From = v
	case "ReplyTo":
		a.ReplyTo = v
	case "FaultTo":
		a.FaultTo = v
	}
}

// reliable reads WS-ReliableMessaging's Sequence and SequenceAcknowledgement.
func reliable(m *record.SOAPMessage, block []node, all string) {
	s := m.Sequence
	if s == nil {
		s = &record.SOAPReliable{}
		m.Sequence = s
	}
	for i := range block[1:] {
		n := &block[1+i]
		v := n.value(all)
		switch n.local {
		case "Identifier":
			s.Identifier = v
		case "MessageNumber":
			s.Number, _ = strconv.ParseInt(v, 10, 64)
		case "LastMessage":
			s.Last = true
		case "AcknowledgementRange":
			if len(s.Acked) < maxList {
				s.Acked = append(s.Acked, n.attributes().ref)
			}
		}
	}
}
