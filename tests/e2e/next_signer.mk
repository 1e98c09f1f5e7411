# SPDX-License-Identifier: Apache-2.0
# The same machine under two policies: the second one has the next version and the signer that the first one names.

$(O)/tests/next_signer.switch: tests/policies/next_signer_1.dts tests/policies/next_signer.dtsi \
	$(KEYS)/verifier.lzrkey $(KEYS)/signer2.lzrkey $(LZR_POLICY)
	@mkdir -p $(@D)
	@$(LZR_POLICY) switch $< --keys $(KEYS) --out $@

$(O)/tests/images/next-signer-switch.manifest: $(O)/guests/switch.elf $(O)/tests/next_signer.switch $(VMIMAGE)
	@mkdir -p $(@D)
	@echo "  IMAGE   next-signer-switch"
	@$(VMIMAGE) elf --name next-signer-switch --program switch --elf $(O)/guests/switch.elf --memory 64M \
		$(SWITCH_VDEVS) --segment $(O)/tests/next_signer.switch@0x1000000 --out $(@D) \
		>$(O)/tests/next-signer-switch.measurement

NEXT_SIGNER_IMAGES := $(O)/tests/images/next-signer-switch.manifest $(IMAGES)/attestor.manifest \
	$(IMAGES)/service-01.manifest
$(O)/policy/next_signer_1.dtb $(O)/policy/next_signer_2.dtb: $(NEXT_SIGNER_IMAGES) tests/policies/next_signer.dtsi \
	$(KEYS)/signer2.lzrkey
$(O)/policy/next_signer_2.sig: $(O)/policy/next_signer_2.dtb $(KEYS)/signer2.lzrkey
	@$(LZR_POLICY) sign $< --key $(KEYS)/signer2.pem --out $@

$(eval $(call test_volume,next_signer_1,$(NEXT_SIGNER_IMAGES)))
$(eval $(call test_volume,next_signer_2,$(NEXT_SIGNER_IMAGES)))
$(O)/tests/esp/next_signer_2.img: export SIGNER := $(KEYS)/signer2.lzrkey
$(O)/tests/next_signer_1.reference: export SIGNER := $(KEYS)/signer.lzrkey
$(O)/tests/next_signer_2.reference: export SIGNER := $(KEYS)/signer2.lzrkey

$(O)/tests/next_signer_%.reference: $(O)/tests/esp/next_signer_%.img $(O)/bin/lzr-verify
	@mcopy -n -o -i $< ::/lazaret/boot.list $(O)/tests/next_signer_$*.list
	@$(O)/bin/lzr-verify reference --loader $(O)/lazaret.efi --hypervisor $(O)/hv/hv.elf \
		--boot-list $(O)/tests/next_signer_$*.list --signer $$SIGNER \
		--policy $(O)/policy/next_signer_$*.dtb $(NEXT_SIGNER_IMAGES:%=--manifest %) --out $@

E2E_TESTS += next_signer
next_signer.sources := $(addprefix tests/e2e/,next_signer.c rollback_index.c example.c)
next_signer.libs := -lmbedcrypto
next_signer.needs := $(foreach n,1 2,$(O)/tests/esp/next_signer_$(n).img $(O)/tests/next_signer_$(n).reference) \
	$(O)/bin/lzr-verify
