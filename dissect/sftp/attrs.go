package sftp

import (
	"fmt"
	"strconv"
	"time"

	"sniff/record"
)

// Flags of the attributes (draft 02, section 5; draft 13, section 7.1).
const (
	attrSize        = 0x00000001
	attrUIDGID      = 0x00000002 // version 3
	attrPermissions = 0x00000004
	attrTimes       = 0x00000008 // version 3: access and change; later: access
	attrCreateTime  = 0x00000010
	attrModifyTime  = 0x00000020
	attrACL         = 0x00000040
	attrOwnerGroup  = 0x00000080
	attrSubseconds  = 0x00000100
	attrBits        = 0x00000200
	attrAllocation  = 0x00000400
	attrTextHint    = 0x00000800
	attrMimeType    = 0x00001000
	attrLinkCount   = 0x00002000
	attrRawName     = 0x00004000
	attrChangeTime  = 0x00008000
	attrExtended    = 0x80000000
)

// attrs reads a file's attributes in the layout of the version.
func (r *reader) attrs(version uint32) *record.FileAttrs {
	if version < 4 {
		return r.attrs3()
	}
	a := &record.FileAttrs{Size: -1}
	flags := r.uint32()
	a.Type = fileType(r.byte())
	if flags&attrSize != 0 {
		a.Size = r.int64()
	}
	if flags&attrAllocation != 0 && version >= 6 {
		r.uint64()
	}
	if flags&attrOwnerGroup != 0 {
		a.Owner, a.Group = r.string(), r.string()
	}
	if flags&attrPermissions != 0 {
		a.Perm = octal(r.uint32())
	}
	when := func(flag uint32) int64 {
		if flags&flag == 0 {
			return 0
		}
		t := int64(r.uint64())
		if flags&attrSubseconds != 0 {
			r.uint32()
		}
		return t
	}
	when(attrTimes)
	when(attrCreateTime)
	if t := when(attrModifyTime); flags&attrModifyTime != 0 {
		a.Modified = stamp(t)
	}
	if version >= 6 {
		when(attrChangeTime)
	}
	if flags&attrACL != 0 {
		r.bytes()
	}
	if flags&attrBits != 0 && version >= 5 {
		r.uint32()
		if version >= 6 {
			r.uint32()
		}
	}
	if version >= 6 {
		if flags&attrTextHint != 0 {
			r.byte()
		}
		if flags&attrMimeType != 0 {
			r.bytes()
		}
		if flags&attrLinkCount != 0 {
			r.uint32()
		}
		if flags&attrRawName != 0 {
			r.bytes()
		}
	}
	r.extended(flags)
	return a
}

// attrs3 reads the attributes of version 3.
func (r *reader) attrs3() *record.FileAttrs {
	a := &record.FileAttrs{Size: -1}
	flags := r.uint32()
	if flags&attrSize != 0 {
		a.Size = r.int64()
	}
	if flags&attrUIDGID != 0 {
		a.Owner, a.Group = strconv.Itoa(int(r.uint32())), strconv.Itoa(int(r.uint32()))
	}
	if flags&attrPermissions != 0 {
		mode := r.uint32()
		a.Perm = octal(mode)
		switch mode & 0o170000 {
		case 0o100000:
			a.Type = "file"
		case 0o040000:
			a.Type = "dir"
		case 0o120000:
			a.Type = "link"
		case 0:
		default:
			a.Type = "other"
		}
	}
	if flags&attrTimes != 0 {
		r.uint32()
		a.Modified = stamp(int64(r.uint32()))
	}
	r.extended(flags)
	return a
}

// extended skips the pairs at the end.
func (r *reader) extended(flags uint32) {
	if flags&attrExtended == 0 {
		return
	}
	for n := r.uint32(); n > 0 && !r.short; n-- {
		r.bytes()
		r.bytes()
	}
}

func octal(mode uint32) string { return fmt.Sprintf("%04o", mode&0o7777) }

func stamp(seconds int64) string {
	if seconds < 0 || seconds > 1<<36 {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

// fileType names SSH_FILEXFER_TYPE_* (draft 13, section 7.2).
func fileType(t byte) string {
	switch t {
	case 1:
		return "file"
	case 2:
		return "dir"
	case 3:
		return "link"
	case 5:
		return ""
	}
	return "other"
}

// names reads the list of an SSH_FXP_NAME.
func (r *reader) names(version uint32) (entries []record.FileEntry, total int) {
	count := int(r.uint32())
	for i := 0; i < count && !r.short; i++ {
		e := record.FileEntry{Name: r.string(), Type: "other", Size: -1}
		if version < 4 {
			r.bytes() // the same again as a line of ls
		}
		a := r.attrs(version)
		if r.short {
			break
		}
		e.Size, e.Modified, e.Perm, e.Owner, e.Group = a.Size, a.Modified, a.Perm, a.Owner, a.Group
		if a.Type != "" {
			e.Type = a.Type
		}
		total++
		if len(entries) < maxNames {
			entries = append(entries, e)
		}
	}
	return entries, total
}
