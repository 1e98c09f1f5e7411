# SPDX-License-Identifier: Apache-2.0
# The examples besides the workstation: their images, policies, boot volumes and tests.  Each has a page in docs/examples.

EXAMPLE_DIR := tests/guests/example
EXAMPLE_OBJ := $(addprefix $(O)/guests/obj/,$(addsuffix .o,$(RT_SRC) $(EXAMPLE_DIR)/pipe.c))

# Tiny guests: build/guests/example/NAME.elf.
$(O)/guests/example/%.elf: $(O)/guests/obj/$(EXAMPLE_DIR)/%.c.o $(EXAMPLE_OBJ) guests/rt/rt.lds
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(GUEST_LDFLAGS) -o $@ $< $(EXAMPLE_OBJ) -l:libmbedcrypto.a -lgcc

-include $(wildcard $(O)/guests/obj/$(EXAMPLE_DIR)/*.d)

$(O)/policy/%.dtb: policy/examples/%.dts $(LZR_POLICY) $(O)/keys/verifier.lzrkey
	@mkdir -p $(@D)
	@echo "  POLICY  $*"
	@$(LZR_POLICY) build $< --keys $(O)/keys --manifest-dir $(O)/images --out $@

# $(call example_volume,NAME,MANIFESTS): build/examples/NAME.img
define example_volume
$(O)/policy/$(1).dtb: $(2)
$(O)/examples/$(1).img: $(O)/lazaret.efi $(O)/bin/mkboot $(O)/policy/$(1).sig $(2) tests/make-volume
	@mkdir -p $$(@D)
	@echo "  VOLUME  $(1)"
	@tests/make-volume $$@ $(O)/policy/$(1) $(2)
endef

# --- cross-domain pair with a guard

$(IMAGES)/high.manifest $(IMAGES)/low.manifest: $(IMAGES)/%.manifest: $(O)/guests/example/%.elf $(VMIMAGE)
	@mkdir -p $(@D)
	@echo "  IMAGE   $*"
	@$(VMIMAGE) elf --name $* --elf $< --memory 16M --vdev reports:console,slot=1 --out $(@D) \
		>$(O)/guests/$*.measurement

CROSS_DOMAIN_IMAGES := $(foreach i,high guard low,$(IMAGES)/$(i).manifest)
$(eval $(call example_volume,cross-domain,$(CROSS_DOMAIN_IMAGES)))

# The same volume with another program where the policy names the guard.
$(O)/examples/leak/guard.manifest: $(O)/guests/example/leak.elf $(VMIMAGE)
	@mkdir -p $(@D)
	@$(VMIMAGE) elf --name guard --elf $< --memory 16M $(GUARD_VDEVS) --out $(@D) >/dev/null
CROSS_DOMAIN_LEAK := $(CROSS_DOMAIN_IMAGES:$(IMAGES)/guard.manifest=$(O)/examples/leak/guard.manifest)
$(O)/examples/cross-domain-leak.img: $(O)/examples/cross-domain.img $(CROSS_DOMAIN_LEAK)
	@echo "  VOLUME  cross-domain-leak"
	@tests/make-volume $@ $(O)/policy/cross-domain $(CROSS_DOMAIN_LEAK)

E2E_TESTS += example_cross_domain
example_cross_domain.sources := tests/e2e/example_cross_domain.c
example_cross_domain.needs := $(O)/examples/cross-domain.img $(O)/examples/cross-domain-leak.img
