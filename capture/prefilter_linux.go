package capture

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sniff/capture/filter"
)

// prefilter is the program that runs in the kernel, so that what a filter does
// not select never takes room in the ring. What it lets pass is filtered again:
// it may select more than the filter, and never less. So without a program, or
// with one that cannot be translated, everything passes.
//
// loopback is the index of an interface of which every packet is seen twice, as
// it leaves and as it comes back; the first of the two is thrown away.
func prefilter(program *filter.Program, cooked bool, loopback, snapLen int) []bpf.Instruction {
	pass := bpf.RetConstant{Val: uint32(snapLen)}
	var out []bpf.Instruction
	if loopback > 0 {
		out = append(out,
			bpf.LoadExtension{Num: bpf.ExtInterfaceIndex},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(loopback), SkipTrue: 3},
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
			bpf.RetConstant{Val: 0})
	}
	if program == nil {
		return append(out, pass)
	}
	// The kernel has taken off the outer VLAN tag, on which a filter may count,
	// or will do so behind this program: what has one is for the filter alone.
	out = append(out,
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtProto},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherVLAN, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherQinQ, SkipTrue: 1},
		pass)
	body := program.Instructions()
	if cooked {
		var ok bool
		if body, ok = uncooked(body); !ok {
			return append(out, pass)
		}
	}
	for _, in := range body {
		if r, ok := in.(bpf.RetConstant); ok && r.Val > 0 {
			in = pass
		}
		out = append(out, in)
	}
	return out
}

// sll2Size is the size of the header of cooked packets, LINKTYPE_LINUX_SLL2.
const sll2Size = 20

// uncooked translates a program for packets with an SLL2 header, which is put
// in front of them only when they are read, to what the kernel sees.
func uncooked(program []bpf.Instruction) ([]bpf.Instruction, bool) {
	out := make([]bpf.Instruction, 0, len(program))
	for _, in := range program {
		switch i := in.(type) {
		case bpf.LoadAbsolute:
			if i.Off >= sll2Size {
				i.Off -= sll2Size
				in = i
				break
			}
			extension, ok := map[bpf.LoadAbsolute]bpf.Extension{
				{Off: 0, Size: 2}:  bpf.ExtProto,
				{Off: 4, Size: 4}:  bpf.ExtInterfaceIndex,
				{Off: 8, Size: 2}:  bpf.ExtLinkLayerType,
				{Off: 10, Size: 1}: bpf.ExtType,
			}[i]
			if !ok {
				return nil, false
			}
			in = bpf.LoadExtension{Num: extension}
		case bpf.LoadIndirect:
			if i.Off < sll2Size {
				return nil, false
			}
			i.Off -= sll2Size
			in = i
		case bpf.LoadMemShift:
			if i.Off < sll2Size {
				return nil, false
			}
			i.Off -= sll2Size
			in = i
		case bpf.LoadExtension: // the length, which the header adds to
			return nil, false
		}
		out = append(out, in)
	}
	return out, true
}
