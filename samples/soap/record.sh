#!/bin/sh
# Records the SOAP samples: spyne, Python's XML-RPC and a plain web server on
# the one side (service.py), zeep, PHP, curl and Python on the other; gSOAP with
# itself; Go's HTTP/2 likewise; a mail by swaks to aiosmtpd.
#
# Needs root, Go, and the packages python3-spyne python3-zeep php-cli php-soap
# curl gsoap libgsoap-dev gcc swaks python3-aiosmtpd, beside those of lab.sh.
# GSOAP_ROOT is where libgsoap-dev was unpacked, when it is not installed.
# Usage: record.sh [CASE...] (all without arguments).
. "$(dirname "$0")/../lab.sh"

only=$*
case_of() { # CASE COMMAND...: record unless other cases were asked for
	if [ -n "$only" ]; then
		case " $only " in *" $1 "*) ;; *) return 0 ;; esac
	fi
	record "$@"
}
envelope() { # NAME TEXT: a file with an envelope of SOAP 1.1
	printf '<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">\n  <s:Body>\n    %s\n  </s:Body>\n</s:Envelope>\n' "$2" >"$lab_dir/$1.xml"
}

lab_up
python=/usr/bin/python3
server_run service "$python" "$here/service.py"
(cd "$here/h2c" && CGO_ENABLED=0 go build -o "$lab_dir/h2c" .)
server_run h2c "$lab_dir/h2c"
(
	cd "$lab_dir"
	soapcpp2 -c -I/usr/share/gsoap/import "$here/gsoap/stock.h" >/dev/null
	gcc -w -I"${GSOAP_ROOT:-}/usr/include" -I. -o stock "$here/gsoap/stock.c" soapC.c soapClient.c soapServer.c \
		"${GSOAP_ROOT:-}/usr/lib/$(gcc -print-multiarch)/libgsoap.a"
)
server_run gsoap "$lab_dir/stock" serve

for port in 25 8011 8012 8020 8030 8050 8060; do wait_port "$port"; done

envelope quote '<GetQuote xmlns="urn:stock.example"><symbol>IBM</symbol></GetQuote>'
post() { # PATH CURL-OPTIONS...
	path=$1
	shift
	set -- curl -sS --data-binary "@$lab_dir/quote.xml" -H 'Content-Type: text/xml; charset=utf-8' \
		-H 'SOAPAction: "urn:stock.example#GetQuote"' "$@" "http://server.example:8030$path"
	case_of "$case_now" "$@"
}

for c in soap11 soap12 username-token username-digest xml-rpc pipelined async-reply; do
	case_of "$c" "$python" "$here/client.py" "$c"
done
case_of php php "$here/client.php"

case_now=chunked post /quotes -H 'Transfer-Encoding: chunked'
case_now=gzip post /gzip --compressed
case_now=html-error post /html
case_now=one-way post /oneway
case_now=cut post /cut

# SOAP with Attachments: one part comes, the other one is missing.
envelope swa '<Put xmlns="urn:stock.example"><chart href="cid:chart@client.example"/><notes href="cid:notes@client.example"/></Put>'
{
	printf -- '--part\r\nContent-Type: text/xml; charset=utf-8\r\nContent-ID: <root@client.example>\r\n\r\n'
	cat "$lab_dir/swa.xml"
	printf -- '\r\n--part\r\nContent-Type: text/csv\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <chart@client.example>\r\n\r\n'
	printf 'day,quote\n1,172.5\n2,173.0\n' | base64
	printf -- '--part--\r\n'
} >"$lab_dir/swa.mime"
case_of attachments curl -sS --data-binary "@$lab_dir/swa.mime" -H 'SOAPAction: ""' \
	-H 'Content-Type: multipart/related; type="text/xml"; start="<root@client.example>"; boundary=part' http://server.example:8030/quotes

# Nothing but HTTP: pages, a refused login, the right one, a form.
case_of plain-http curl -sS http://server.example:8030/ http://server.example:8030/missing \
	http://bob:wrong@server.example:8030/private http://bob:secret1@server.example:8030/private

# The contract first, then a call that keeps it, and one that does not: its
# elements stand in the wrong order and days is no number.
envelope right '<t:History xmlns:t="urn:stock.example"><t:symbol>IBM</t:symbol><t:days>3</t:days></t:History>'
envelope wrong '<t:History xmlns:t="urn:stock.example"><t:days>three</t:days><t:symbol>IBM</t:symbol></t:History>'
case_of contract curl -sS 'http://server.example:8011/?wsdl' \
	--next -sS --data-binary "@$lab_dir/right.xml" -H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: "History"' http://server.example:8011/ \
	--next -sS --data-binary "@$lab_dir/wrong.xml" -H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: "Histories"' http://server.example:8011/

case_of gsoap "$lab_dir/stock"
case_of mtom "$lab_dir/stock" mtom

# HTTP/2 with prior knowledge: three calls over one connection, the last one
# faults while the first is still under way.
case_of http2 "$lab_dir/h2c" call

# An envelope in a mail, and the answer to it in another one.
envelope answer '<GetQuoteResponse xmlns="urn:stock.example"><GetQuoteResult>172.5</GetQuoteResult></GetQuoteResponse>'
case_of mail sh "$here/mails.sh" "$lab_dir"
