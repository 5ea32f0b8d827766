/* SPDX-License-Identifier: MIT */
/*
 * void spout__context_switch_asm(void **save_sp, void *load_sp)
 *
 * Returns by a jump: a `ret` to a stack other than the caller's is mispredicted each time
 * (7 ns instead of 2.6). With shadow stacks (CET) the return must be a `ret`.
 */
	.text
	.globl spout__context_switch_asm
	.hidden spout__context_switch_asm
	.type spout__context_switch_asm, @function
	.p2align 4
spout__context_switch_asm:
	.cfi_startproc
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	pushq %rbx
	.cfi_adjust_cfa_offset 8
	pushq %r12
	.cfi_adjust_cfa_offset 8
	pushq %r13
	.cfi_adjust_cfa_offset 8
	pushq %r14
	.cfi_adjust_cfa_offset 8
	pushq %r15
	.cfi_adjust_cfa_offset 8
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	.cfi_adjust_cfa_offset -8
	popq %r14
	.cfi_adjust_cfa_offset -8
	popq %r13
	.cfi_adjust_cfa_offset -8
	popq %r12
	.cfi_adjust_cfa_offset -8
	popq %rbx
	.cfi_adjust_cfa_offset -8
	popq %rbp
	.cfi_adjust_cfa_offset -8
#if defined(__CET__)
	ret
#else
	popq %r8
	.cfi_adjust_cfa_offset -8
	jmpq *%r8
#endif
	.cfi_endproc
	.size spout__context_switch_asm, . - spout__context_switch_asm

/* Where a fresh coroutine begins: r12(rbx). The unwinder stops here. */
	.globl spout__context_entry
	.hidden spout__context_entry
	.type spout__context_entry, @function
	.p2align 4
spout__context_entry:
	.cfi_startproc
	.cfi_undefined rip
#if defined(__CET__)
	endbr64
#endif
	movq %rbx, %rdi
	xorl %ebp, %ebp
	callq *%r12
	ud2
	.cfi_endproc
	.size spout__context_entry, . - spout__context_entry

	.section .note.GNU-stack, "", @progbits
