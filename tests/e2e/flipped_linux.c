/* SPDX-License-Identifier: Apache-2.0 */
/* As flipped.c, for a Linux image: its manifest, and a segment of each kind.  usage: flipped_linux [PART OF A NAME] */
#include "refuse.h"

static const struct refuse_case cases[] = {
	REFUSE_FLIPS("manifest_of_linux", "refused_linux", "linux", "hv: refused: ", "linux"),
	REFUSE_FLIPS_SEGMENT("page_tables", "refused_linux", "tables-", "linux"),
	REFUSE_FLIPS_SEGMENT("kernel", "refused_linux", "kernel-", "linux"),
	REFUSE_FLIPS_SEGMENT("initrd", "refused_linux", "initrd-", "linux"),
	REFUSE_FLIPS_SEGMENT("params", "refused_linux", "params-", "linux"),
	REFUSE_FLIPS_SEGMENT("acpi", "refused_linux", "acpi-", "linux"),
	REFUSE_FLIPS_SEGMENT("reset", "refused_linux", "reset-", "linux"),
};

int main(int argc, char **argv)
{
	return refuse_run("flipped_linux", cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
}
