// Tiles of AMX. Go's assembler does not know the instructions: they are bytes here, VEX.128.0F38.W0 49, 4B and 5E.

#include "textflag.h"

#define LDTILECFG_AX BYTE $0xc4; BYTE $0xe2; BYTE $0x78; BYTE $0x49; BYTE $0x00
#define TILERELEASE BYTE $0xc4; BYTE $0xe2; BYTE $0x78; BYTE $0x49; BYTE $0xc0
#define TILEZERO_0 BYTE $0xc4; BYTE $0xe2; BYTE $0x7b; BYTE $0x49; BYTE $0xc0
#define TILEZERO_1 BYTE $0xc4; BYTE $0xe2; BYTE $0x7b; BYTE $0x49; BYTE $0xc8
#define TILEZERO_2 BYTE $0xc4; BYTE $0xe2; BYTE $0x7b; BYTE $0x49; BYTE $0xd0
#define TILEZERO_3 BYTE $0xc4; BYTE $0xe2; BYTE $0x7b; BYTE $0x49; BYTE $0xd8

// Tile 4 from (SI)(R8*1); tiles 5 and 6 from (DI)(R9*1), 64, 128 and 192 bytes further on.
#define LOAD_4 BYTE $0xc4; BYTE $0xa2; BYTE $0x7b; BYTE $0x4b; BYTE $0x24; BYTE $0x06
#define LOAD_5 BYTE $0xc4; BYTE $0xa2; BYTE $0x7b; BYTE $0x4b; BYTE $0x2c; BYTE $0x0f
#define LOAD_6_64 BYTE $0xc4; BYTE $0xa2; BYTE $0x7b; BYTE $0x4b; BYTE $0x74; BYTE $0x0f; BYTE $0x40
#define LOAD_5_128 BYTE $0xc4; BYTE $0xa2; BYTE $0x7b; BYTE $0x4b; BYTE $0xac; BYTE $0x0f; LONG $128
#define LOAD_6_192 BYTE $0xc4; BYTE $0xa2; BYTE $0x7b; BYTE $0x4b; BYTE $0xb4; BYTE $0x0f; LONG $192

// Unsigned bytes of tile 4 by signed ones of tile 5 or 6, added to tiles 0 to 3.
#define TDPBUSD_5_4_0 BYTE $0xc4; BYTE $0xe2; BYTE $0x51; BYTE $0x5e; BYTE $0xc4
#define TDPBUSD_6_4_1 BYTE $0xc4; BYTE $0xe2; BYTE $0x49; BYTE $0x5e; BYTE $0xcc
#define TDPBUSD_5_4_2 BYTE $0xc4; BYTE $0xe2; BYTE $0x51; BYTE $0x5e; BYTE $0xd4
#define TDPBUSD_6_4_3 BYTE $0xc4; BYTE $0xe2; BYTE $0x49; BYTE $0x5e; BYTE $0xdc

// To (DX)(R10*1), and 64, 128 and 192 bytes further on.
#define STORE_0 BYTE $0xc4; BYTE $0xa2; BYTE $0x7a; BYTE $0x4b; BYTE $0x04; BYTE $0x12
#define STORE_1_64 BYTE $0xc4; BYTE $0xa2; BYTE $0x7a; BYTE $0x4b; BYTE $0x4c; BYTE $0x12; BYTE $0x40
#define STORE_2_128 BYTE $0xc4; BYTE $0xa2; BYTE $0x7a; BYTE $0x4b; BYTE $0x94; BYTE $0x12; LONG $128
#define STORE_3_192 BYTE $0xc4; BYTE $0xa2; BYTE $0x7a; BYTE $0x4b; BYTE $0x9c; BYTE $0x12; LONG $192

// Seven tiles of 16 rows of 64 bytes: palette 1, the bytes of a row of each from 16 on, its rows from 48 on.
DATA tileConfig<>+0x00(SB)/8, $1
DATA tileConfig<>+0x08(SB)/8, $0
DATA tileConfig<>+0x10(SB)/8, $0x0040004000400040
DATA tileConfig<>+0x18(SB)/8, $0x0000004000400040
DATA tileConfig<>+0x20(SB)/8, $0
DATA tileConfig<>+0x28(SB)/8, $0
DATA tileConfig<>+0x30(SB)/8, $0x0010101010101010
DATA tileConfig<>+0x38(SB)/8, $0
GLOBL tileConfig<>(SB), RODATA|NOPTR, $64

// func gemmInt8AMX(tiles, k int, a *uint8, lda int, b *int8, c *float32, ldc int, rowScale, scale, bias *float32, offset *int32, sums *float32)
TEXT ·gemmInt8AMX(SB), NOSPLIT, $0-96
	MOVQ lda+24(FP), R8
	MOVQ $256, R9
	MOVQ $256, R10
	MOVQ sums+88(FP), DX
	MOVQ c+40(FP), R11
	MOVQ ldc+48(FP), R12
	MOVQ rowScale+56(FP), R13
	MOVQ a+16(FP), R15
	MOVQ scale+64(FP), AX
	VMOVUPS (AX), Z16
	VMOVUPS 64(AX), Z17
	VMOVUPS 128(AX), Z18
	VMOVUPS 192(AX), Z19
	MOVQ bias+72(FP), AX
	VMOVUPS (AX), Z20
	VMOVUPS 64(AX), Z21
	VMOVUPS 128(AX), Z22
	VMOVUPS 192(AX), Z23
	MOVQ offset+80(FP), AX
	VMOVDQU32 (AX), Z24
	VMOVDQU32 64(AX), Z25
	VMOVDQU32 128(AX), Z26
	VMOVDQU32 192(AX), Z27
	MOVQ tiles+0(FP), BX
	LEAQ tileConfig<>(SB), AX
	LDTILECFG_AX

tile:
	MOVQ R15, SI
	MOVQ b+32(FP), DI
	MOVQ k+8(FP), CX
	TILEZERO_0
	TILEZERO_1
	TILEZERO_2
	TILEZERO_3

loop:
	LOAD_4
	LOAD_5
	TDPBUSD_5_4_0
	LOAD_6_64
	TDPBUSD_6_4_1
	LOAD_5_128
	TDPBUSD_5_4_2
	LOAD_6_192
	TDPBUSD_6_4_3
	ADDQ $64, SI
	ADDQ $4096, DI
	DECQ CX
	JNZ  loop
	STORE_0
	STORE_1_64
	STORE_2_128
	STORE_3_192

	MOVQ DX, AX
	MOVQ $16, CX

row:
	VBROADCASTSS (R13), Z4
	VPADDD (AX), Z24, Z0
	VPADDD 64(AX), Z25, Z1
	VPADDD 128(AX), Z26, Z2
	VPADDD 192(AX), Z27, Z3
	VCVTDQ2PS Z0, Z0
	VCVTDQ2PS Z1, Z1
	VCVTDQ2PS Z2, Z2
	VCVTDQ2PS Z3, Z3
	VMULPS Z4, Z0, Z0
	VMULPS Z4, Z1, Z1
	VMULPS Z4, Z2, Z2
	VMULPS Z4, Z3, Z3
	VFMADD132PS Z16, Z20, Z0
	VFMADD132PS Z17, Z21, Z1
	VFMADD132PS Z18, Z22, Z2
	VFMADD132PS Z19, Z23, Z3
	VMOVUPS Z0, (R11)
	VMOVUPS Z1, 64(R11)
	VMOVUPS Z2, 128(R11)
	VMOVUPS Z3, 192(R11)
	ADDQ $256, AX
	ADDQ $4, R13
	ADDQ R12, R11
	DECQ CX
	JNZ  row

	MOVQ R8, AX
	SHLQ $4, AX
	ADDQ AX, R15
	DECQ BX
	JNZ  tile
	TILERELEASE
	VZEROUPPER
	RET
