#include "textflag.h"

// What these functions take is cut into steps from its beginning, and some from its end, which may overlap: so no byte
// is done alone. All of a short text, and the end of a long one, is loaded before anything is stored, as a mask must not
// be applied twice. Up to 64 bytes it is SSE2, which every amd64 has; above them it is AVX2.

// func unmaskBytes(b []byte, mask uint32) (ascii bool)
TEXT ·unmaskBytes(SB), NOSPLIT, $0-33
	MOVQ   b_base+0(FP), DI
	MOVQ   b_len+8(FP), BX
	MOVL   mask+24(FP), AX
	LEAQ   (DI)(BX*1), SI
	CMPQ   BX, $8
	JLT    words
	MOVL   AX, X0
	PSHUFD $0, X0, X0       // the mask from the beginning
	LEAL   (BX*8), CX
	RORL   CX, AX
	MOVL   AX, X1
	PSHUFD $0, X1, X1       // and from the end, less a multiple of its length
	CMPQ   BX, $32
	JGT    above32
	CMPQ   BX, $16
	JLT    below16
	MOVOU  (DI), X2
	MOVOU  -16(SI), X3
	PXOR   X0, X2
	PXOR   X1, X3
	MOVOU  X2, (DI)
	MOVOU  X3, -16(SI)
	POR    X3, X2
	JMP    done

below16:
	MOVQ   (DI), X2
	MOVQ   -8(SI), X3
	PXOR   X0, X2
	PXOR   X1, X3
	MOVQ   X2, (DI)
	MOVQ   X3, -8(SI)
	POR    X3, X2
	PSLLDQ $8, X2        // nothing but a mask is in its upper half
	JMP    done

above32:
	CMPQ  BX, $64
	JGT   above64
	MOVOU (DI), X2
	MOVOU 16(DI), X3
	MOVOU -32(SI), X4
	MOVOU -16(SI), X5
	PXOR  X0, X2
	PXOR  X0, X3
	PXOR  X1, X4
	PXOR  X1, X5
	MOVOU X2, (DI)
	MOVOU X3, 16(DI)
	MOVOU X4, -32(SI)
	MOVOU X5, -16(SI)
	POR   X3, X2
	POR   X5, X4
	POR   X4, X2

done:
	PMOVMSKB X2, AX          // the highest bits of its bytes
	TESTL    AX, AX
	SETEQ    ascii+32(FP)
	RET

above64:
	CMPB         ·hasAVX2(SB), $0
	JEQ          words
	VPBROADCASTD X0, Y0
	VPBROADCASTD X1, Y1
	VPXOR        -64(SI), Y1, Y4
	VPXOR        -32(SI), Y1, Y5
	VPOR         Y4, Y5, Y6      // all bytes of the result, by or
	VPXOR        Y7, Y7, Y7
	SUBQ         $64, BX

block:
	VPXOR   (DI), Y0, Y2
	VPXOR   32(DI), Y0, Y3
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	VPOR    Y2, Y6, Y6
	VPOR    Y3, Y7, Y7
	ADDQ    $64, DI
	SUBQ    $64, BX
	JG      block

	VMOVDQU   Y4, -64(SI)
	VMOVDQU   Y5, -32(SI)
	VPOR      Y7, Y6, Y6
	VPMOVMSKB Y6, AX
	VZEROUPPER
	TESTL     AX, AX
	SETEQ     ascii+32(FP)
	RET

words:
	JMP ·unmaskWords(SB)

// func copyASCII(dst, src []byte) (ascii bool)
TEXT ·copyASCII(SB), NOSPLIT, $0-49
	MOVQ  dst_base+0(FP), DI
	MOVQ  src_base+24(FP), SI
	MOVQ  src_len+32(FP), BX
	CMPQ  BX, $8
	JLT   words
	LEAQ  (DI)(BX*1), DX
	LEAQ  (SI)(BX*1), CX
	CMPQ  BX, $32
	JGT   above32
	CMPQ  BX, $16
	JLT   below16
	MOVOU (SI), X2
	MOVOU -16(CX), X3
	MOVOU X2, (DI)
	MOVOU X3, -16(DX)
	POR   X3, X2
	JMP   done

below16:
	MOVQ (SI), X2
	MOVQ -8(CX), X3
	MOVQ X2, (DI)
	MOVQ X3, -8(DX)
	POR  X3, X2
	JMP  done

above32:
	CMPQ  BX, $64
	JGT   above64
	MOVOU (SI), X2
	MOVOU 16(SI), X3
	MOVOU -32(CX), X4
	MOVOU -16(CX), X5
	MOVOU X2, (DI)
	MOVOU X3, 16(DI)
	MOVOU X4, -32(DX)
	MOVOU X5, -16(DX)
	POR   X3, X2
	POR   X5, X4
	POR   X4, X2

done:
	PMOVMSKB X2, AX
	TESTL    AX, AX
	SETEQ    ascii+48(FP)
	RET

above64:
	CMPB    ·hasAVX2(SB), $0
	JEQ     words
	VMOVDQU -64(CX), Y4
	VMOVDQU -32(CX), Y5
	VPOR    Y4, Y5, Y6
	VPXOR   Y7, Y7, Y7
	SUBQ    $64, BX

block:
	VMOVDQU (SI), Y2
	VMOVDQU 32(SI), Y3
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	VPOR    Y2, Y6, Y6
	VPOR    Y3, Y7, Y7
	ADDQ    $64, SI
	ADDQ    $64, DI
	SUBQ    $64, BX
	JG      block

	VMOVDQU   Y4, -64(DX)
	VMOVDQU   Y5, -32(DX)
	VPOR      Y7, Y6, Y6
	VPMOVMSKB Y6, AX
	VZEROUPPER
	TESTL     AX, AX
	SETEQ     ascii+48(FP)
	RET

words:
	JMP ·copyWords(SB)

// func isASCII(b []byte) bool
TEXT ·isASCII(SB), NOSPLIT, $0-25
	MOVQ  b_base+0(FP), DI
	MOVQ  b_len+8(FP), BX
	CMPQ  BX, $8
	JLT   words
	LEAQ  (DI)(BX*1), SI
	CMPQ  BX, $64
	JGT   above64
	CMPQ  BX, $16
	JLT   below16
	MOVOU (DI), X2
	MOVOU -16(SI), X3
	POR   X3, X2
	CMPQ  BX, $32
	JLE   done
	MOVOU 16(DI), X4
	MOVOU -32(SI), X5
	POR   X4, X2
	POR   X5, X2

done:
	PMOVMSKB X2, AX
	TESTL    AX, AX
	SETEQ    ret+24(FP)
	RET

below16:
	MOVQ (DI), X2
	MOVQ -8(SI), X3
	POR  X3, X2
	JMP  done

above64:
	CMPB    ·hasAVX2(SB), $0
	JEQ     words
	VMOVDQU -64(SI), Y3
	VMOVDQU -32(SI), Y4
	SUBQ    $64, BX

block:
	VPOR (DI), Y3, Y3
	VPOR 32(DI), Y4, Y4
	ADDQ $64, DI
	SUBQ $64, BX
	JG   block

	VPOR      Y4, Y3, Y3
	VPMOVMSKB Y3, AX
	VZEROUPPER
	TESTL     AX, AX
	SETEQ     ret+24(FP)
	RET

words:
	JMP ·areWordsASCII(SB)
