/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled DSDTs as data of the program; -I tells where the build put them. */
	.section .rodata
	.balign 8
	.globl dsdt_plain, dsdt_plain_end, dsdt_tpm, dsdt_tpm_end
dsdt_plain:
	.incbin "dsdt.aml"
dsdt_plain_end:
	.balign 8
dsdt_tpm:
	.incbin "dsdt-tpm.aml"
dsdt_tpm_end:
	.section .note.GNU-stack, "", @progbits
