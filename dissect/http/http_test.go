package http_test

import (
	"testing"

	"sniff/content"
	"sniff/dissect/dissecttest"
	"sniff/dissect/http"
	"sniff/dissect/soap"
	"sniff/record"
)

func reader() content.Opener {
	return content.New(content.Config{Workers: -1, Loads: []content.Load{soap.NewLoad(soap.Config{Secret: record.NewKeyer([]byte("key")).Secret})}})
}

func TestTranscripts(t *testing.T) {
	dissecttest.Run(t, http.Protocol(), dissecttest.WithContent(reader))
}

func TestGaps(t *testing.T) {
	dissecttest.Gaps(t, http.Protocol(), dissecttest.WithContent(reader))
}

func FuzzDissector(f *testing.F) {
	dissecttest.Fuzz(f, http.Protocol(), dissecttest.WithContent(reader), dissecttest.RecordsPerByte(4))
}
