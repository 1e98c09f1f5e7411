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

# --- a server with 32 attested services: one program, an image with its own MAC address for each

SERVICES := $(foreach n,$(shell seq -w 1 32),service-$(n))
SERVICE_IMAGES := $(SERVICES:%=$(IMAGES)/%.manifest)

# Their MAC addresses end in 33 to 64.
$(SERVICE_IMAGES): $(IMAGES)/service-%.manifest: $(O)/guests/example/service.elf $(VMIMAGE)
	@mkdir -p $(@D)
	@$(VMIMAGE) elf --name service-$* --program service --elf $< --memory 8M \
		--vdev net0:net,slot=1,mac=02:4c:5a:00:03:$$(printf %02x $$((32 + 1$* - 100))) --out $(@D) \
		>$(O)/guests/service-$*.measurement

$(O)/policy/server.switch: policy/examples/server.dts $(O)/keys/verifier.lzrkey $(LZR_POLICY)
	@mkdir -p $(@D)
	@$(LZR_POLICY) switch $< --keys $(O)/keys --out $@
$(IMAGES)/server-switch.manifest: $(O)/guests/switch.elf $(O)/policy/server.switch $(VMIMAGE)
	@echo "  IMAGE   server-switch"
	@$(VMIMAGE) elf --name server-switch --program switch --elf $< --memory 64M \
		--vdev ports:link,slot=1,queues=68,size=64 --assign nic0$(comma)slot=2$(comma)class=020000 \
		--segment $(O)/policy/server.switch@0x1000000 --out $(@D) >$(O)/guests/server-switch.measurement

SERVER_IMAGES := $(IMAGES)/server-switch.manifest $(IMAGES)/attestor.manifest $(SERVICE_IMAGES)
$(eval $(call example_volume,server,$(SERVER_IMAGES)))

# What a verifier expects of that machine.
$(O)/examples/server.reference: $(O)/examples/server.img $(O)/bin/lzr-verify
	@mcopy -n -o -i $< ::/lazaret/boot.list $(O)/examples/server.list
	@$(O)/bin/lzr-verify reference --loader $(O)/lazaret.efi --hypervisor $(O)/hv/hv.elf \
		--boot-list $(O)/examples/server.list --signer $(O)/keys/signer.lzrkey \
		--policy $(O)/policy/server.dtb $(SERVER_IMAGES:%=--manifest %) --out $@

E2E_TESTS += example_server
example_server.sources := tests/e2e/example_server.c
example_server.needs := $(O)/examples/server.img $(O)/examples/server.reference $(O)/bin/lzr-verify
