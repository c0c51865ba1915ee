// Command h2c answers SOAP calls over HTTP/2 with prior knowledge, with Go's own
// server; with the argument "call" it makes three of them at once over one
// connection. The HTTP/2 sample is recorded from it.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const answer = `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><GetQuoteResponse xmlns="urn:stock.example"><GetQuoteResult>172.5</GetQuoteResult></GetQuoteResponse></s:Body></s:Envelope>
`

const fault = `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text xml:lang="en">no such symbol</s:Text><s:Text xml:lang="de">kein solches Papier</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>
`

func quote(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/soap+xml; charset=utf-8")
	if strings.Contains(string(body), "NONE") {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, fault)
		return
	}
	if strings.Contains(string(body), "SLOW") {
		time.Sleep(100 * time.Millisecond)
	}
	io.WriteString(w, answer)
}

// call asks for three quotes at once.
func call() {
	client := &http.Client{Transport: &http.Transport{Protocols: new(http.Protocols)}}
	client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
	var all sync.WaitGroup
	for _, symbol := range []string{"SLOW", "IBM", "NONE"} {
		all.Go(func() {
			body := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><GetQuote xmlns="urn:stock.example"><symbol>` + symbol + `</symbol></GetQuote></s:Body></s:Envelope>`
			r, err := client.Post("http://server.example:8050/quotes", `application/soap+xml; charset=utf-8; action="urn:stock.example#GetQuote"`, strings.NewReader(body))
			if err != nil {
				log.Print(err)
				return
			}
			defer r.Body.Close()
			if _, err := io.Copy(os.Stdout, r.Body); err != nil {
				log.Print(err)
			}
		})
		time.Sleep(20 * time.Millisecond)
	}
	all.Wait()
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "call" {
		call()
		return
	}
	server := &http.Server{Addr: "192.0.2.20:8050", Handler: http.HandlerFunc(quote), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}
