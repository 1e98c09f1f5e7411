/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor inside the loader's PE: one Authenticode signature and one PCR 4 event cover both. */
	.section .hv, "dr"
	.balign 64
	.globl hv_elf
hv_elf:
	.incbin HV_ELF
	.globl hv_elf_end
hv_elf_end:
	.byte 0
