/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One flipped byte in each small file that a boot rests on and in the switch's segments: the first, the last and one
 * chosen by a fixed seed.  Each is refused at boot.  A machine boots with most changes of its PE: attested.c has the
 * verdict then.
 * usage: flipped [PART OF A NAME]
 */
#include "refuse.h"

#define POLICY "hv: refused: policy refused.dtb: expected a signature by signer.lzrkey in refused.sig over sha384 "
#define IMAGE "hv: refused: "

static const struct refuse_case cases[] = {
	{ .name = "pe_first", .volume = "refused", .damage = refuse_flip, .file = "BOOTX64.EFI", .offset = REFUSE_FIRST,
	  .line = "BdsDxe: failed to load Boot0001", .says = { "UEFI QEMU HARDDISK" } },
	REFUSE_FLIP("signer_key_first", "refused", "signer.lzrkey", REFUSE_FIRST,
		    "hv: refused: signer key signer.lzrkey: magic: expected LZRKEY1, found bytes b3 5a 52 4b.."),
	REFUSE_FLIP("signer_key_chosen", "refused", "signer.lzrkey", REFUSE_CHOSEN, "hv: refused: ", "signer.lzrkey"),
	REFUSE_FLIP("signer_key_last", "refused", "signer.lzrkey", REFUSE_LAST, POLICY,
		    "the key is not a point of P-384"),
	REFUSE_FLIPS("boot_list", "refused", "boot.list", "loader: REFUSED: boot.list: "),
	REFUSE_FLIPS("segment_list", "refused", "segment.list", "loader: REFUSED: segment.list: "),
	REFUSE_FLIPS("policy", "refused", "refused.dtb", POLICY),
	REFUSE_FLIPS("signature", "refused", "refused.sig", POLICY),
	REFUSE_FLIPS("manifest_of_a_guest", "refused", "spin", IMAGE, "spin"),
	REFUSE_FLIPS("manifest_of_the_switch", "refused", "switch", IMAGE, "switch"),
	REFUSE_FLIPS_SEGMENT("elf_segment", "refused", "switch-", "switch"),
	REFUSE_FLIPS_SEGMENT("switch_configuration", "refused", "workstation-", "switch"),
};

int main(int argc, char **argv)
{
	return refuse_run("flipped", cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
}
