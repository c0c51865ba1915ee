#!/bin/sh
# Records the SOAP samples: spyne, Python's XML-RPC and a plain web server on
# the one side (service.py), zeep, PHP, curl and Python on the other.
#
# Needs root and the packages python3-spyne python3-zeep php-cli php-soap curl,
# beside those of lab.sh. Usage: record.sh [CASE...] (all without arguments).
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
for port in 8011 8012 8020 8030; do wait_port "$port"; done

envelope quote '<GetQuote xmlns="urn:stock.example"><symbol>IBM</symbol></GetQuote>'
post() { # PATH CURL-OPTIONS...
	path=$1
	shift
	set -- curl -sS --data-binary "@$lab_dir/quote.xml" -H 'Content-Type: text/xml; charset=utf-8' \
		-H 'SOAPAction: "urn:stock.example#GetQuote"' "$@" "http://server.example:8030$path"
	case_of "$case_now" "$@"
}

for c in soap11 soap12 username-token username-digest xml-rpc pipelined; do
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
