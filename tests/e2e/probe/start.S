/* SPDX-License-Identifier: Apache-2.0 */
	.section .text.start, "ax"
	.globl _start
_start:
	call probe_main
1:	hlt
	jmp 1b
	.section .note.GNU-stack, "", @progbits
