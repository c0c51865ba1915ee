package sftp_test

import (
	"testing"

	"sniff/dissect/dissecttest"
	"sniff/dissect/sftp"
)

func TestTranscripts(t *testing.T) { dissecttest.Run(t, sftp.Protocol()) }

func TestGaps(t *testing.T) { dissecttest.Gaps(t, sftp.Protocol()) }

func FuzzDissector(f *testing.F) { dissecttest.Fuzz(f, sftp.Protocol()) }
