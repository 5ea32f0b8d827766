/* SPDX-License-Identifier: MIT */
/*
 * void spout__context_switch_asm(void **save_sp, void *load_sp)
 *
 * AAPCS64: x19-x30 and the low halves of v8-v15 survive a call.
 */
	.text
	.globl spout__context_switch_asm
	.hidden spout__context_switch_asm
	.type spout__context_switch_asm, %function
	.p2align 4
spout__context_switch_asm:
	.cfi_startproc
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	br x30
	.cfi_endproc
	.size spout__context_switch_asm, . - spout__context_switch_asm

/* Where a fresh coroutine begins: x19(x20). The unwinder stops here. */
	.globl spout__context_entry
	.hidden spout__context_entry
	.type spout__context_entry, %function
	.p2align 4
spout__context_entry:
	.cfi_startproc
	.cfi_undefined x30
	mov x0, x20
	mov x29, xzr
	blr x19
	brk #1
	.cfi_endproc
	.size spout__context_entry, . - spout__context_entry

	.section .note.GNU-stack, "", %progbits
