package record

import (
	"strings"
	"testing"
	"time"
)

// TestMessageLines: a dialogue shows the header fields and the text of a mail,
// and no secret of an envelope that the mail carries.
func TestMessageLines(t *testing.T) {
	m := &SMTPMessage{DataAt: time.Unix(1, 0), Transfer: "DATA", Content: &Content{
		MediaType: "message/rfc822",
		Message:   &Message{Fields: []Field{{"Subject", Plain("Hello")}}},
		Parts: []*Content{{MediaType: "multipart/mixed", Parts: []*Content{
			{Path: "1", MediaType: "text/plain", Kept: []byte("Dear Bob,\r\nall is well.\r\n"), Size: 25},
			{Path: "2", MediaType: "text/xml", Name: "call.xml", Kept: []byte("<a><Password>hush</Password></a>"), Size: 32},
		}}},
	}}
	var got strings.Builder
	for _, l := range m.Lines() {
		got.WriteString(l.Text.String() + "\n")
		for _, f := range l.Fold {
			got.WriteString("| " + f + "\n")
		}
	}
	for _, want := range []string{"| Subject: Hello\n", "[part 1 text/plain, 25 B]\n| Dear Bob,\n| all is well.\n", "[part 2 text/xml \"call.xml\", 32 B]\n", "<Password>***</Password>"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no %q in\n%s", want, got.String())
		}
	}
	if strings.Contains(got.String(), "hush") || strings.Contains(got.String(), "multipart") {
		t.Errorf("a secret or an empty line shows in\n%s", got.String())
	}
}
