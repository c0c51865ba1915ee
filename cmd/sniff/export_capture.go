package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"sniff/capture"
	"sniff/export"
	"sniff/export/anonymise"
	"sniff/record"
)

// exportCapture writes a capture of the wanted sessions. The input is read
// three times: for the sessions, for the packets that they came in, and to
// copy those.
func (a *app) exportCapture(files []string, path string, sessions []string, anonymous bool) error {
	if path == "" {
		return usageError{hinted{errors.New("where to write is missing"), "name a file with -w out.pcapng"}}
	}
	choice, err := a.newChoice(files, sessions, "--pcap reads")
	if err != nil {
		return err
	}
	var hide *anonymise.Anonymiser
	var sink record.Sink = choice
	if anonymous {
		hide = anonymise.New()
		sink = both{choice, hide}
	}
	if err := a.analyse(files, sink, 0, nil); err != nil {
		return tooMany(err)
	}
	wanted, all, err := counted(choice)
	if err != nil {
		return err
	}
	set := &export.Packets{}
	err = a.again(files, func(r *capture.Reader) (err error) {
		set, err = choice.Packets(r)
		return err
	})
	if err != nil {
		return err
	}
	var rewrite func(*capture.Packet) []byte
	var streams *anonymise.Streams
	if anonymous {
		if streams, err = a.streamsOf(files, set, hide); err != nil {
			return err
		}
		rewrite = streams.Packet
	}
	var packets uint64
	err = a.again(files, func(r *capture.Reader) (err error) {
		packets, err = export.CopyPackets(r, set, path, rewrite)
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return usageError{hinted{fmt.Errorf("%s exists already", path), "name another file; nothing is overwritten"}}
	}
	if err != nil {
		return err
	}
	if anonymous && streams.LeftOut > 0 {
		a.note("left out %s: not plain TCP", record.Count(streams.LeftOut, "packet"))
	}
	a.note("wrote %s of %d of %s to %s", record.Count(packets, "packet"), wanted, record.Count(all, "session"), path)
	return nil
}

// both is a sink that writes to two.
type both [2]record.Sink

func (b both) Write(r record.Record) error { return errors.Join(b[0].Write(r), b[1].Write(r)) }
func (b both) Close() error                { return errors.Join(b[0].Close(), b[1].Close()) }

// streamsOf puts the payload of the wanted packets together and rewrites it.
func (a *app) streamsOf(files []string, set *export.Packets, hide *anonymise.Anonymiser) (*anonymise.Streams, error) {
	streams := hide.Streams()
	err := a.again(files, func(r *capture.Reader) error { return export.EachPacket(r, set, streams.Add) })
	if errors.Is(err, anonymise.ErrTooLarge) {
		err = usageError{hinted{err, "choose fewer sessions with --where or --session"}}
	}
	if err != nil {
		return nil, err
	}
	streams.Rewrite()
	return streams, nil
}

// again opens the input once more. Its damage was told the first time.
func (a *app) again(files []string, read func(*capture.Reader) error) error {
	r, err := a.open(files, capture.Options{Filter: a.filter, CheckChecksums: a.checkChecksums})
	if err != nil {
		return err
	}
	return errors.Join(read(r), r.Close())
}

// wanted says which records make their session wanted: those that --where
// takes, and those of the sessions that --session names. Without either all.
func (a *app) wanted(sessions []string) func(record.Record) (bool, error) {
	if a.choice.expr == nil && len(sessions) == 0 {
		return nil
	}
	return func(r record.Record) (bool, error) {
		h := r.Head()
		if slices.Contains(sessions, h.Session) || slices.Contains(sessions, strconv.FormatUint(h.Number, 10)) {
			return true, nil
		}
		if a.choice.expr == nil {
			return false, nil
		}
		return a.choice.take(r)
	}
}
