package anonymise

import "strings"

// vocabulary are words that name nobody: those of the protocols, which must
// stay for the dialogue to be understood, and the most common in names.
var vocabulary = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`
		user pass acct auth login plain cram digest md4 md5 gssapi krb5 oauthbearer xoauth2 ntlm scram sha1 sha256 external anonymous
		helo ehlo lhlo mail rcpt data bdat rset vrfy expn help noop quit from last size body eight bit mime smtp esmtp
		smtps esmtpa esmtps lmtp chunking starttls pipelining pipeconnect prdr smtputf8 dsn notify never success failure delay
		accepted queued bye closing connection service ready greetings hello unknown local localhost mailer daemon postmaster
		cwd cdup smnt rein port pasv epsv eprt type stru mode retr stor stou appe allo rest rnfr rnto abor dele rmd mkd pwd list
		nlst site syst stat feat opts mlsd mlst mdtm prot pbsz ccc ascii binary directory file transfer complete entering
		passive extended data pub bin txt iso tar zip
		modify create perm unique lang unix uid gid group owner groupname ownername
		http https get post put head delete options host accept agent server client date content length encoding language
		transfer chunked gzip deflate keep alive close cookie location cache control application text html xml json soap action
		envelope header body fault faultcode faultstring detail code reason subcode value xmlns xsd xsi wsdl wsse wsu password
		username usernametoken passwordtext passworddigest nonce created security mustunderstand schemas xmlsoap org www open
		oasis example com net edu gov mil int info biz arpa test invalid
		subject message received return path reply sender version charset boundary multipart mixed alternative related
		attachment inline filename name utf ascii base64 quoted printable disposition delivered for with via the and der und
		report status notification feedback delivery undelivered returned system recipient original final action diagnostic reporting mta
		remote rfc822 global headers image jpeg png gif pdf csv octet stream signed encrypted signature calendar form
		openssh ssh sftp curl python urn uri url dns tcp tls ssl none true false yes not null
		mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep oct nov dec`) {
		m[w] = true
	}
	return m
}()
