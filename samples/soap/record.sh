#!/bin/sh
# Records the SOAP samples: spyne, Python's XML-RPC and a plain web server
# (service.py), and PHP (service.php) on the one side, zeep, PHP, Java's SAAJ, curl
# and Python on the other; gSOAP with itself and with curl; Go's HTTP/2 likewise;
# a mail by swaks to aiosmtpd.
#
# Needs root, Go, a JDK, and the packages python3-spyne python3-zeep php-cli
# php-soap libsaaj-ri-java curl gsoap libgsoap-dev gcc swaks python3-aiosmtpd,
# beside those of lab.sh.
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
server_run php php -S 192.0.2.20:8070 "$here/service.php"

for port in 25 8011 8012 8020 8030 8050 8060 8070; do wait_port "$port"; done

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
on_client ip addr add 192.0.2.66/24 dev eth0
case_of replay "$python" "$here/client.py" replay
case_of php php "$here/client.php"

jars=/usr/share/java
saaj=$jars/javax.xml.soap-api.jar:$jars/saaj-impl.jar:$jars/stax-ex.jar:$jars/mimepull.jar:$jars/javax.activation.jar
javac -d "$lab_dir" -cp "$saaj" "$here/Saaj.java"
case_of saaj java -cp "$lab_dir:$saaj" Saaj

case_now=chunked post /quotes -H 'Transfer-Encoding: chunked'
case_now=gzip post /gzip --compressed
case_now=html-error post /html
case_now=one-way post /oneway
case_now=cut post /cut

# A packet of WDDX, by hand.
printf "<wddxPacket version='1.0'><header><comment>quote</comment></header><data><struct><var name='symbol'><string>IBM</string></var><var name='days'><number>3</number></var></struct></data></wddxPacket>" >"$lab_dir/packet.xml"
case_of wddx curl -sS --data-binary "@$lab_dir/packet.xml" -H 'Content-Type: text/xml' http://server.example:8030/wddx

# A client whose clock is two hours slow: its message has expired on arrival.
wss=http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity
stamp() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }
cat >"$lab_dir/stamped.xml" <<EOF
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>
  <w:Security s:mustUnderstand="1" xmlns:w="$wss-secext-1.0.xsd" xmlns:u="$wss-utility-1.0.xsd">
    <u:Timestamp><u:Created>$(stamp '-2 hours')</u:Created><u:Expires>$(stamp '-115 minutes')</u:Expires></u:Timestamp>
  </w:Security></s:Header>
  <s:Body><GetQuote xmlns="urn:stock.example"><symbol>IBM</symbol></GetQuote></s:Body></s:Envelope>
EOF
case_of clock curl -sS --data-binary "@$lab_dir/stamped.xml" -H 'Content-Type: text/xml; charset=utf-8' \
	-H 'SOAPAction: "urn:stock.example#GetQuote"' http://server.example:8030/secure

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

# What gSOAP and PHP say to a header that they must understand and do not, and to
# an envelope in a namespace that nobody has.
printf '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><p:Pay xmlns:p="urn:pay.example" s:mustUnderstand="1">now</p:Pay></s:Header><s:Body><n:getQuote xmlns:n="urn:stock.example"><symbol>IBM</symbol></n:getQuote></s:Body></s:Envelope>' >"$lab_dir/mandatory.xml"
printf '<s:Envelope xmlns:s="http://schemas.example/soap/9.9/"><s:Body><n:getQuote xmlns:n="urn:stock.example"><symbol>IBM</symbol></n:getQuote></s:Body></s:Envelope>' >"$lab_dir/version.xml"
set --
for port in 8060 8070; do
	for name in mandatory version; do
		set -- "$@" --next -sS --data-binary "@$lab_dir/$name.xml" -H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: ""' "http://server.example:$port/"
	done
done
shift
case_of faults curl "$@"

case_of mtom "$lab_dir/stock" mtom

# HTTP/2 with prior knowledge: three calls over one connection, the last one
# faults while the first is still under way.
case_of http2 "$lab_dir/h2c" call

# An envelope in a mail, and the answer to it in another one.
envelope answer '<GetQuoteResponse xmlns="urn:stock.example"><GetQuoteResult>172.5</GetQuoteResult></GetQuoteResponse>'
case_of mail sh "$here/mails.sh" "$lab_dir"
