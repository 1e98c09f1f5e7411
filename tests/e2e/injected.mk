# SPDX-License-Identifier: Apache-2.0
# A server that takes files from outside: the machine of tests/e2e/injected.dts.
INJECTED := $(O)/tests/injected
$(INJECTED)/machine/esp.img: tests/e2e/injected.dts $(O)/guests/guest.cpio $(O)/guests/attestor.cpio $(KERNEL) $(VMIMAGE) \
	$(LZR_POLICY) $(O)/guests/switch.elf $(O)/lazaret.efi $(O)/hv/hv.elf $(O)/bin/mkboot $(O)/bin/lzr-verify \
	$(KEYS)/signer.lzrkey $(KEYS)/verifier.lzrkey tools/machine tools/images guests/linux/words
	@echo "  MACHINE injected"
	@mkdir -p $(INJECTED)
	@options=$$($(LZR_POLICY) image $< server --keys $(KEYS)) && words=$$($(LZR_POLICY) words $< server --keys $(KEYS)) && \
	$(VMIMAGE) linux $$options --kernel $(KERNEL) --initrd $(O)/guests/guest.cpio \
		--cmdline "$(GUEST_CONSOLE) $$words lzr.role=archive" --out $(INJECTED)/images >$(INJECTED)/measurement
	@GUESTS=$(INJECTED)/images tools/machine $< $(INJECTED)/machine >$(INJECTED)/values

E2E_TESTS += injected
injected.sources := $(addprefix tests/e2e/,injected.c example.c wire.c)
injected.needs := $(INJECTED)/machine/esp.img $(O)/bin/lzr-verify
