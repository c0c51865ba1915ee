#include "textflag.h"

// SHA-256 (FIPS 180-4, section 6.2.2) of two messages at once with the SHA
// extensions of x86. One message alone waits four cycles for each SHA256RNDS2
// that the unit could begin every second; the other fills the gap.
//
// Each message has its own registers: the state as the instructions want it
// (ABEF and CDGH) and four words of schedule at a time in each of four
// registers. X0 (the implied operand of SHA256RNDS2) and X13 are renamed by the
// processor, so both may use them.

// ROUNDS does four rounds with the words in m and the constants at k(AX).
#define ROUNDS(k, abef, cdgh, m) \
	MOVOU k(AX), X0;            \
	PADDD m, X0;                \
	SHA256RNDS2 X0, abef, cdgh; \
	PSHUFD $0x0e, X0, X0;       \
	SHA256RNDS2 X0, cdgh, abef

// FIRST loads words of the message and does four rounds.
#define FIRST(i, p, abef, cdgh, m) \
	MOVOU i(p), m;  \
	PSHUFB X14, m;  \
	ROUNDS(i, abef, cdgh, m)

// NEXT finishes the four words of schedule in next by those in m and last, the
// ones before m.
#define NEXT(m, last, next) \
	MOVOU m, X13;          \
	PALIGNR $4, last, X13; \
	PADDD X13, next;       \
	SHA256MSG2 m, next

// Four rounds of both messages each: at the beginning, in the middle, at the end.
#define BEGIN2(i, a, b) \
	FIRST(i, SI, X1, X2, a); \
	FIRST(i, DX, X7, X8, b)
#define BEGIN2M(i, a, alast, b, blast) \
	BEGIN2(i, a, b);      \
	SHA256MSG1 a, alast;  \
	SHA256MSG1 b, blast
#define MIDDLE2(k, a, alast, anext, b, blast, bnext) \
	ROUNDS(k, X1, X2, a);  \
	ROUNDS(k, X7, X8, b);  \
	NEXT(a, alast, anext); \
	NEXT(b, blast, bnext)
#define MIDDLE2M(k, a, alast, anext, b, blast, bnext) \
	MIDDLE2(k, a, alast, anext, b, blast, bnext); \
	SHA256MSG1 a, alast;                          \
	SHA256MSG1 b, blast

// LOAD brings a state into the instructions' order, STORE back.
#define LOAD(h, abef, cdgh) \
	MOVOU 0(h), abef;          \
	MOVOU 16(h), cdgh;         \
	PSHUFD $0xb1, abef, abef;  \
	PSHUFD $0x1b, cdgh, cdgh;  \
	MOVOU abef, X13;           \
	PALIGNR $8, cdgh, abef;    \
	PBLENDW $0xf0, X13, cdgh
#define STORE(h, abef, cdgh) \
	PSHUFD $0x1b, abef, abef;  \
	PSHUFD $0xb1, cdgh, cdgh;  \
	MOVOU abef, X13;           \
	PBLENDW $0xf0, cdgh, abef; \
	PALIGNR $8, X13, cdgh;     \
	MOVOU abef, 0(h);          \
	MOVOU cdgh, 16(h)

// func blocksSHA(ha, hb *[8]uint32, a, b *byte, n int, k *[64]uint32)
TEXT ·blocksSHA(SB), NOSPLIT, $64-48
	MOVQ ha+0(FP), DI
	MOVQ hb+8(FP), R8
	MOVQ a+16(FP), SI
	MOVQ b+24(FP), DX
	MOVQ n+32(FP), CX
	TESTQ CX, CX
	JZ done
	MOVQ k+40(FP), AX
	MOVOU swap<>(SB), X14
	LOAD(DI, X1, X2)
	LOAD(R8, X7, X8)

loop:
	MOVOU X1, 0(SP)
	MOVOU X2, 16(SP)
	MOVOU X7, 32(SP)
	MOVOU X8, 48(SP)

	BEGIN2(0, X3, X9)
	BEGIN2M(16, X4, X3, X10, X9)
	BEGIN2M(32, X5, X4, X11, X10)
	MOVOU 48(SI), X6
	PSHUFB X14, X6
	MOVOU 48(DX), X12
	PSHUFB X14, X12
	MIDDLE2M(48, X6, X5, X3, X12, X11, X9)
	MIDDLE2M(64, X3, X6, X4, X9, X12, X10)
	MIDDLE2M(80, X4, X3, X5, X10, X9, X11)
	MIDDLE2M(96, X5, X4, X6, X11, X10, X12)
	MIDDLE2M(112, X6, X5, X3, X12, X11, X9)
	MIDDLE2M(128, X3, X6, X4, X9, X12, X10)
	MIDDLE2M(144, X4, X3, X5, X10, X9, X11)
	MIDDLE2M(160, X5, X4, X6, X11, X10, X12)
	MIDDLE2M(176, X6, X5, X3, X12, X11, X9)
	MIDDLE2M(192, X3, X6, X4, X9, X12, X10)
	MIDDLE2(208, X4, X3, X5, X10, X9, X11)
	MIDDLE2(224, X5, X4, X6, X11, X10, X12)
	ROUNDS(240, X1, X2, X6)
	ROUNDS(240, X7, X8, X12)

	MOVOU 0(SP), X0
	PADDD X0, X1
	MOVOU 16(SP), X0
	PADDD X0, X2
	MOVOU 32(SP), X0
	PADDD X0, X7
	MOVOU 48(SP), X0
	PADDD X0, X8
	ADDQ $64, SI
	ADDQ $64, DX
	DECQ CX
	JNZ loop

	STORE(DI, X1, X2)
	STORE(R8, X7, X8)
done:
	RET

// func cpuid7() (ebx uint32)
TEXT ·cpuid7(SB), NOSPLIT, $0-4
	XORL AX, AX
	CPUID
	XORL BX, BX
	CMPL AX, $7
	JLT none
	MOVL $7, AX
	XORL CX, CX
	CPUID
	MOVL BX, ebx+0(FP)
	RET
none:
	MOVL $0, ebx+0(FP)
	RET

// The bytes of each word the other way round.
DATA swap<>+0(SB)/8, $0x0405060700010203
DATA swap<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap<>(SB), RODATA|NOPTR, $16
