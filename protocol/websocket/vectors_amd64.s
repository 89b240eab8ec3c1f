#include "textflag.h"

// func unmaskVectors(b []byte, mask uint64) (ascii bool)
TEXT ·unmaskVectors(SB), NOSPLIT, $0-33
	MOVQ         b_base+0(FP), DI
	MOVQ         b_len+8(FP), CX
	VPBROADCASTQ mask+24(FP), Y0
	VPXOR        Y3, Y3, Y3        // all bytes of the result, by or
	VPXOR        Y4, Y4, Y4

block:
	VPXOR   (DI), Y0, Y1
	VPXOR   32(DI), Y0, Y2
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, 32(DI)
	VPOR    Y1, Y3, Y3
	VPOR    Y2, Y4, Y4
	ADDQ    $64, DI
	SUBQ    $64, CX
	JNZ     block

	VPOR      Y4, Y3, Y3
	VPMOVMSKB Y3, AX            // the highest bits of its bytes
	VZEROUPPER
	TESTL     AX, AX
	SETEQ     ascii+32(FP)
	RET

// func areVectorsASCII(b []byte) bool
TEXT ·areVectorsASCII(SB), NOSPLIT, $0-25
	MOVQ  b_base+0(FP), DI
	MOVQ  b_len+8(FP), CX
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4

block:
	VPOR (DI), Y3, Y3
	VPOR 32(DI), Y4, Y4
	ADDQ $64, DI
	SUBQ $64, CX
	JNZ  block

	VPOR      Y4, Y3, Y3
	VPMOVMSKB Y3, AX
	VZEROUPPER
	TESTL     AX, AX
	SETEQ     ret+24(FP)
	RET
