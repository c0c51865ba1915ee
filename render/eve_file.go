package render

import "sniff/record"

// eveFileInfo is a file that was carried. Sniff keeps digests of what is there
// even when bytes are missing; as Suricata does not, such a file has none.
type eveFileInfo struct {
	Filename string `json:"filename"`
	Magic    string `json:"magic,omitempty"`
	Gaps     bool   `json:"gaps"`
	State    string `json:"state"`
	MD5      string `json:"md5,omitempty"`
	SHA1     string `json:"sha1,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	Stored   bool   `json:"stored"`
	Start    *int64 `json:"start,omitempty"`
	End      *int64 `json:"end,omitempty"`
	Size     int64  `json:"size"`
	TxID     int    `json:"tx_id"`
}

// fileInfo describes a body. whole says that the end of what carried it was
// seen.
func fileInfo(c *record.Content, name string, whole bool, tx int) *eveFileInfo {
	f := &eveFileInfo{Filename: name, Gaps: c.Missing != 0, State: "CLOSED", Size: c.Size, TxID: tx, Stored: c.Stored != ""}
	if !whole || c.Partial {
		f.State = "TRUNCATED"
		return f
	}
	f.MD5, f.SHA1, f.SHA256 = c.MD5, c.SHA1, c.SHA256
	return f
}
