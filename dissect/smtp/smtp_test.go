package smtp

import (
	"testing"

	"sniff/dissect/dissecttest"
)

func TestTranscripts(t *testing.T) { dissecttest.Run(t, Protocol()) }

func FuzzDissector(f *testing.F) { dissecttest.Fuzz(f, Protocol()) }
