#!/bin/sh
# Sends a call in a mail and its answer in another one; the envelopes are
# quote.xml and answer.xml in the folder that is named.
mail() { # FROM TO MESSAGE-ID NAME HEADER
	swaks --silent 2 --server server.example --helo "${1#*@}" --from "$1" --to "$2" --header "Message-Id: <$3>" --header 'Subject: SOAP' \
		--header 'X-Mailer: swaks' --body 'The envelope is attached.' --attach-type text/xml --attach-name "$4.xml" --attach "@$folder/$4.xml" \
		--add-header "$5"
}
folder=$1
mail orders@client.example quotes@server.example call-1@client.example quote 'Reply-To: orders@client.example'
mail quotes@server.example orders@client.example answer-1@server.example answer 'In-Reply-To: <call-1@client.example>'
