package diagnose

import "sniff/record"

func soapCodes() []Info {
	return []Info{
		{
			Code: "soap.fault_server", Severity: record.SeverityError,
			Explanation: "The service took the call for valid and failed to carry it out: the fault lies with the service or behind it.",
			Advice:      "Read the fault's detail and the service's log. The same call may succeed later.",
			Reference:   "SOAP 1.1, section 4.4.1; SOAP 1.2 part 1, section 5.4.6",
		},
		{
			Code: "soap.fault_client", Severity: record.SeverityWarning,
			Explanation: "The service refused the call as wrong or incomplete: the same call will fail again.",
			Advice:      "Compare the call's elements, namespaces and order with the WSDL; the reason often names the element.",
			Reference:   "SOAP 1.1, section 4.4.1; SOAP 1.2 part 1, section 5.4.6",
		},
		{
			Code: "soap.must_understand", Severity: record.SeverityError,
			Explanation: "The call has a header block that the receiver must understand and does not.",
			Advice:      "Turn on support for that header in the service (WS-Security, WS-Addressing), or leave it out of the call.",
			Reference:   "SOAP 1.1, section 4.2.3; SOAP 1.2 part 1, section 5.4.8",
		},
		{
			Code: "soap.version_mismatch", Severity: record.SeverityError,
			Explanation: "The service does not accept the SOAP version that the call is written in.",
			Advice:      "Set the client to the version of the service's binding: 1.1 is text/xml with SOAPAction, 1.2 is application/soap+xml.",
			Reference:   "SOAP 1.2 part 1, appendix A",
		},
		{
			Code: "soap.authentication", Severity: record.SeverityError,
			Explanation: "The service refused the caller's identity.",
			Advice:      "Check account and password, whether digest or text is wanted, and the clocks of both sides: a token that is too old is refused like a wrong one.",
			Reference:   "WSS SOAP Message Security 1.1, section 12",
		},
		{
			Code: "soap.fault_with_success", Severity: record.SeverityNotice,
			Explanation: "The fault came with an HTTP status of success. Clients and monitors that look at the status alone take the call for done.",
			Advice:      "SOAP 1.1 wants 500 for a fault; SOAP 1.2 wants 400 for Sender and 500 for the others.",
			Reference:   "SOAP 1.1, section 6.2; SOAP 1.2 part 2, section 7.5.2.2",
		},
		{
			Code: "soap.result_with_error", Severity: record.SeverityWarning,
			Explanation: "The envelope holds a result and no fault, but the HTTP status says that the call failed. Clients differ in what they believe.",
			Advice:      "Mend the status in the service or in the proxy in front of it.",
			Reference:   "SOAP 1.1, section 6.2",
		},
		{
			Code: "soap.html_answer", Severity: record.SeverityError,
			Explanation: "The answer is a web page, not an envelope. It comes from a web server, proxy or login page in front of the service, not from the service.",
			Advice:      "Read the page (sniff show). Check the endpoint's URL, and who answers there.",
			Reference:   "",
		},
		{
			Code: "soap.no_soap_answer", Severity: record.SeverityError,
			Explanation: "The answer has a body that is neither SOAP nor a page, or an error status without a body.",
			Advice:      "Check the endpoint's URL and the service's log.",
			Reference:   "",
		},
		{
			Code: "soap.refused", Severity: record.SeverityError,
			Explanation: "The call was refused by HTTP before the service saw it: 401 and 403 want other credentials, 404 and 405 mean a wrong endpoint, 413 a call that is too big, 415 a media type that this SOAP version does not use.",
			Advice:      "Mend what the status names; the service itself has nothing in its log.",
			Reference:   "RFC 9110, section 15.5",
		},
		{
			Code: "soap.gateway", Severity: record.SeverityError,
			Explanation: "A gateway in front of the service could not reach it (502), has nobody to give the call to (503), or waited in vain (504).",
			Advice:      "Look at the service behind the gateway; with 504 the call may have been carried out all the same.",
			Reference:   "RFC 9110, section 15.6",
		},
		{
			Code: "soap.not_answered", Severity: record.SeverityError,
			Explanation: "The call was sent and no response came before the connection ended. Whether it was carried out cannot be known.",
			Advice:      "See who ended the connection and after what time: round figures such as 30 or 60 seconds are timeouts of the client or of a device between.",
			Reference:   "RFC 9112, section 9.5",
		},
		{
			Code: "soap.cut", Severity: record.SeverityError,
			Explanation: "The connection ended in the middle of a message.",
			Advice:      "Look for a crash, or for timeouts and size limits on the way.",
			Reference:   "RFC 9112, section 8",
		},
		{
			Code: "soap.malformed", Severity: record.SeverityError,
			Explanation: "The document is not well-formed XML; no XML parser will take it.",
			Advice:      "Look at the place that is named. Text that was put into XML without escaping & and < is the most frequent cause.",
			Reference:   "XML 1.0, section 2.1",
		},
		{
			Code: "soap.encoding", Severity: record.SeverityWarning,
			Explanation: "The bytes of the document are not in the encoding that is declared, or the places that declare it differ. Letters outside of ASCII come out wrong, or the parser gives up.",
			Advice:      "Write the document in the encoding that it declares, and let charset parameter and XML declaration agree.",
			Reference:   "RFC 7303, section 3",
		},
		{
			Code: "soap.namespace", Severity: record.SeverityError,
			Explanation: "The document is nearly a SOAP envelope: its namespace or its root element is wrong. Receivers answer with VersionMismatch or take it for plain XML.",
			Advice:      "Use http://schemas.xmlsoap.org/soap/envelope/ (1.1, with the slash) or http://www.w3.org/2003/05/soap-envelope (1.2, without).",
			Reference:   "SOAP 1.1, section 3; SOAP 1.2 part 1, section 5.1",
		},
		{
			Code: "soap.media_type", Severity: record.SeverityNotice,
			Explanation: "The media type is not the one of the envelope's SOAP version. Strict receivers refuse it with 415.",
			Advice:      "SOAP 1.1 is sent as text/xml, SOAP 1.2 as application/soap+xml.",
			Reference:   "SOAP 1.1, section 6; RFC 3902",
		},
		{
			Code: "soap.action_mismatch", Severity: record.SeverityWarning,
			Explanation: "The action of the carrier and the one of WS-Addressing differ. A service that dispatches by one of them may carry out another operation than one that dispatches by the other: a known attack, and a frequent mistake.",
			Advice:      "Set both to the same value.",
			Reference:   "WS-Addressing 1.0 SOAP binding, section 6.1",
		},
		{
			Code: "soap.action_missing", Severity: record.SeverityNotice,
			Explanation: "A call of SOAP 1.1 over HTTP came without the SOAPAction field, which it must have. Services that dispatch by it, and firewalls that filter by it, refuse the call.",
			Advice:      "Send SOAPAction with the value of the WSDL's binding, in quotes; an empty one is written \"\".",
			Reference:   "SOAP 1.1, section 6.1.1; WS-I Basic Profile 1.1, R1109",
		},
		{
			Code: "soap.entity_attack", Severity: record.SeverityCritical,
			Explanation: "The document declares entities that read files or fetch from the network, or that grow when they are expanded. Parsers that follow them give away data or run out of memory.",
			Advice:      "Find out who sent it. Turn off DTDs in the service's XML parser; SOAP forbids them.",
			Reference:   "SOAP 1.2 part 1, section 5; CWE-611; CWE-776",
		},
		{
			Code: "soap.dtd", Severity: record.SeverityNotice,
			Explanation: "The document has a document type declaration, which SOAP forbids.",
			Advice:      "Leave it out.",
			Reference:   "SOAP 1.1, section 3; SOAP 1.2 part 1, section 5",
		},
		{
			Code: "soap.limits", Severity: record.SeverityWarning,
			Explanation: "The document nests too deep, or has tags or attributes beyond all measure: damage, or an attempt to exhaust the receiver.",
			Advice:      "Find out who sent it.",
			Reference:   "CWE-400",
		},
		{
			Code: "soap.slow", Severity: record.SeverityNotice,
			Explanation: "The call took long. The title says where the time went: in the client's sending, in the service, or in the sending of the answer.",
			Advice:      "In the service: look at the operation and what it waits for. In sending: look at the network, the receiver's window and the size of the message.",
			Reference:   "",
		},
		{
			Code: "soap.repeated", Severity: record.SeverityWarning,
			Explanation: "The very same call was sent again after it failed or was not answered. SOAP calls are POSTs: a repeated one may be carried out twice.",
			Advice:      "Give calls a MessageID that the service checks, or use WS-ReliableMessaging.",
			Reference:   "RFC 9110, section 9.2.2",
		},
		{
			Code: "soap.expired", Severity: record.SeverityWarning,
			Explanation: "The message's Timestamp had expired when it was captured, or lies in the future: a receiver with a right clock refuses it.",
			Advice:      "Compare the clocks of sender and receiver (NTP), and look for queues that hold messages back.",
			Reference:   "WSS SOAP Message Security 1.1, section 10",
		},
		{
			Code: "soap.clock", Severity: record.SeverityWarning,
			Explanation: "Client and server do not agree on what time it is, by the Created of the request and the Date of the answer. Messages with a Timestamp or a UsernameToken expire on the way, or come from the future, and are refused although account and password are right.",
			Advice:      "Set the clock that is wrong (NTP). When only the client's times lie in the past, look for a queue that holds messages back.",
			Reference:   "WSS SOAP Message Security 1.1, section 10; RFC 9110, section 6.6.1",
		},
		{
			Code: "soap.replay", Severity: record.SeverityError,
			Explanation: "A nonce or MessageID that must be used once was used again: the message was replayed, or the sender makes no new ones.",
			Advice:      "Compare the two messages and their senders. Let the service remember nonces for as long as it accepts their Created.",
			Reference:   "WSS UsernameToken Profile 1.1, section 3",
		},
		{
			Code: "soap.password_clear", Severity: record.SeverityError,
			Explanation: "A UsernameToken with its password in the clear went over a connection without TLS.",
			Advice:      "Use HTTPS. PasswordDigest only hinders: it can be guessed offline.",
			Reference:   "WSS UsernameToken Profile 1.1, section 6",
		},
		{
			Code: "soap.part_missing", Severity: record.SeverityError,
			Explanation: "The envelope refers to a part by its Content-ID, and no such part came with it.",
			Advice:      "Compare the Content-IDs; cid: URLs are percent-encoded and stand without brackets. Gateways that drop attachments are another cause.",
			Reference:   "XOP 1.0, section 3; SOAP Messages with Attachments; RFC 2392",
		},
		{
			Code: "soap.contract", Severity: record.SeverityWarning,
			Explanation: "The message is not what the WSDL of the service says it must be. The evidence is the XPath of the node, in the message's own prefixes. A strict service refuses it; a lenient one may take a wrong or a default value.",
			Advice:      "Make the client anew from the current WSDL, or mend the WSDL if the service changed.",
			Reference:   "WSDL 1.1, section 3; XML Schema part 1, section 3.9; WS-I Basic Profile 1.1, section 4.4",
		},
		{
			Code: "soap.contract_operation", Severity: record.SeverityWarning,
			Explanation: "The WSDL of the service has no operation with this body: the element's name or its namespace is another one.",
			Advice:      "Compare name and namespace of the body's first element with the WSDL; a changed targetNamespace is the most frequent cause.",
			Reference:   "WSDL 1.1, section 2.4; WS-I Basic Profile 1.1, R2710",
		},
		{
			Code: "soap.oversize", Severity: record.SeverityNotice,
			Explanation: "The envelope is very big. Parsers that build a tree take several times its size in memory.",
			Advice:      "Send bulk data as MTOM parts, or in pieces.",
			Reference:   "",
		},
	}
}
