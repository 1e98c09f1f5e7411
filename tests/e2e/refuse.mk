# SPDX-License-Identifier: Apache-2.0
# Volumes that are damaged on purpose, and the least machine that gives evidence about a damaged one.

REFUSED_IMAGES := $(O)/tests/images/hello.manifest $(O)/tests/images/spin.manifest $(IMAGES)/switch.manifest
$(O)/policy/refused.dtb: $(REFUSED_IMAGES)
$(eval $(call test_volume,refused,$(REFUSED_IMAGES)))
$(eval $(call test_volume,refused_linux,$(IMAGES)/linux.manifest))

$(O)/tests/attested.switch: tests/policies/attested.dts $(KEYS)/verifier.lzrkey $(LZR_POLICY)
	@mkdir -p $(@D)
	@$(LZR_POLICY) switch $< --keys $(KEYS) --out $@

$(O)/tests/images/attested-switch.manifest: $(O)/guests/switch.elf $(O)/tests/attested.switch $(VMIMAGE)
	@mkdir -p $(@D)
	@echo "  IMAGE   attested-switch"
	@$(VMIMAGE) elf --name attested-switch --elf $(O)/guests/switch.elf --memory 64M \
		$(SWITCH_VDEVS) --segment $(O)/tests/attested.switch@0x1000000 --out $(@D) \
		>$(O)/tests/attested-switch.measurement

ATTESTED_IMAGES := $(O)/tests/images/attested-switch.manifest $(IMAGES)/attestor.manifest
$(O)/policy/attested.dtb: $(ATTESTED_IMAGES)
$(eval $(call test_volume,attested,$(ATTESTED_IMAGES)))

# What the verifier expects of that machine.
$(O)/tests/attested.reference: $(O)/tests/esp/attested.img $(O)/bin/lzr-verify
	@mcopy -n -o -i $< ::/lazaret/boot.list $(O)/tests/attested.list
	@$(O)/bin/lzr-verify reference --loader $(O)/lazaret.efi --hypervisor $(O)/hv/hv.elf \
		--boot-list $(O)/tests/attested.list --signer $(KEYS)/signer.lzrkey \
		--policy $(O)/policy/attested.dtb $(ATTESTED_IMAGES:%=--manifest %) --out $@

E2E_TESTS += refused flipped flipped_linux attested
refused.sources := $(addprefix tests/e2e/,refused.c refused_manifest.c rollback_index.c refuse.c)
refused.cflags := -Iloader
refused.libs := -lfdt -lmbedcrypto
refused.needs := $(O)/tests/esp/refused.img
flipped.sources := tests/e2e/flipped.c tests/e2e/refuse.c
flipped.needs := $(O)/tests/esp/refused.img
flipped_linux.sources := tests/e2e/flipped_linux.c tests/e2e/refuse.c
flipped_linux.needs := $(O)/tests/esp/refused_linux.img
attested.sources := $(addprefix tests/e2e/,attested.c attested_eyes.c attested_bundle.c refuse.c)
attested.cflags := -Iattest
attested.libs := $(addprefix $(O)/host/attest/,$(addsuffix .o,$(ATTEST_LIB) $(ATTEST_STORE))) $(ATTEST_LIBS)
attested.needs := $(O)/tests/esp/attested.img $(O)/tests/attested.reference $(O)/bin/lzr-verify \
	$(addprefix $(O)/host/attest/,$(addsuffix .o,$(ATTEST_LIB) $(ATTEST_STORE)))
