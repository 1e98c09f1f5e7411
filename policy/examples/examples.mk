# SPDX-License-Identifier: Apache-2.0
# The examples besides the workstation: their images, policies, boot volumes and tests.  Each has a page in docs/examples.

EXAMPLE_DIR := tests/guests/example
EXAMPLE_OBJ := $(addprefix $(O)/guests/obj/,$(addsuffix .o,$(RT_SRC) $(EXAMPLE_DIR)/pipe.c $(EXAMPLE_DIR)/net.c))

# Tiny guests: build/guests/example/NAME.elf.
$(O)/guests/example/%.elf: $(O)/guests/obj/$(EXAMPLE_DIR)/%.c.o $(EXAMPLE_OBJ) guests/rt/rt.lds
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(GUEST_LDFLAGS) -o $@ $< $(EXAMPLE_OBJ) -l:libmbedcrypto.a -lgcc

-include $(wildcard $(O)/guests/obj/$(EXAMPLE_DIR)/*.d)

$(O)/policy/%.dtb: policy/examples/%.dts $(LZR_POLICY) $(KEYS)/verifier.lzrkey
	@mkdir -p $(@D)
	@echo "  POLICY  $*"
	@$(LZR_POLICY) build $< --keys $(KEYS) --manifest-dir $(O)/images --out $@

# $(call example_volume,NAME,MANIFESTS): build/examples/NAME.img
define example_volume
$(O)/policy/$(1).dtb: $(2)
$(O)/examples/$(1).img: $(O)/lazaret.efi $(O)/bin/mkboot $(O)/policy/$(1).sig $(2) tests/make-volume
	@mkdir -p $$(@D)
	@echo "  VOLUME  $(1)"
	@tests/make-volume $$@ $(O)/policy/$(1) $(2)
endef

# $(call example_switch,NAME,QUEUES): the image of a switch with one card, for that policy
define example_switch
$(O)/policy/$(1).switch: policy/examples/$(1).dts $(KEYS)/verifier.lzrkey $(LZR_POLICY)
	@mkdir -p $$(@D)
	@$(LZR_POLICY) switch $$< --keys $(KEYS) --out $$@
$(IMAGES)/$(1)-switch.manifest: $(O)/guests/switch.elf $(O)/policy/$(1).switch $(VMIMAGE)
	@echo "  IMAGE   $(1)-switch"
	@$(VMIMAGE) elf --name $(1)-switch --program switch --elf $$< --memory 64M \
		--vdev ports:link,slot=1,queues=$(2),size=64 --assign nic0$(comma)slot=2$(comma)class=020000 \
		--segment $(O)/policy/$(1).switch@0x1000000 --out $$(@D) >$(O)/guests/$(1)-switch.measurement
endef

# $(call example_reference,NAME,MANIFESTS): what a verifier expects of that machine
define example_reference
$(O)/examples/$(1).reference: $(O)/examples/$(1).img $(O)/bin/lzr-verify
	@mcopy -n -o -i $$< ::/lazaret/boot.list $(O)/examples/$(1).list
	@$(O)/bin/lzr-verify reference --loader $(O)/lazaret.efi --hypervisor $(O)/hv/hv.elf \
		--boot-list $(O)/examples/$(1).list --signer $(KEYS)/signer.lzrkey \
		--policy $(O)/policy/$(1).dtb $(2:%=--manifest %) --out $$@
endef

# What a reviewer looks at: build/policy/NAME.svg.
EXAMPLES := workstation cross-domain server quarantine
$(O)/policy/%.svg: policy/examples/%.dts $(LZR_POLICY) $(KEYS)/verifier.lzrkey
	@mkdir -p $(@D)
	@echo "  PICTURE $*"
	@$(LZR_POLICY) graph $< --keys $(KEYS) --out $@
ALL += $(EXAMPLES:%=$(O)/policy/%.svg)

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

$(eval $(call example_switch,server,68))
SERVER_IMAGES := $(IMAGES)/server-switch.manifest $(IMAGES)/attestor.manifest $(SERVICE_IMAGES)
$(eval $(call example_volume,server,$(SERVER_IMAGES)))
$(eval $(call example_reference,server,$(SERVER_IMAGES)))

E2E_TESTS += example_server
example_server.sources := tests/e2e/example_server.c tests/e2e/example.c
example_server.needs := $(O)/examples/server.img $(O)/examples/server.reference $(O)/bin/lzr-verify

# The same volume with one byte of one service's program changed: "ready" becomes "reedy".  What the verifier expects is
# what it expects of the unchanged machine.
$(O)/examples/changed/service.elf: $(O)/guests/example/service.elf
	@mkdir -p $(@D)
	@LC_ALL=C sed 's/u ready/u reedy/' $< >$@
	@[ "$$(cmp -l $< $@ | wc -l)" = 1 ] || { echo "$@: expected one other byte"; rm $@; exit 1; }
$(O)/examples/changed/service-17.manifest: $(O)/examples/changed/service.elf $(VMIMAGE)
	@$(VMIMAGE) elf --name service-17 --program service --elf $< --memory 8M \
		--vdev net0:net,slot=1,mac=02:4c:5a:00:03:31 --out $(@D) >/dev/null
SERVER_CHANGED := $(SERVER_IMAGES:$(IMAGES)/service-17.manifest=$(O)/examples/changed/service-17.manifest)
$(O)/examples/server-changed.img: $(O)/examples/server.img $(SERVER_CHANGED)
	@echo "  VOLUME  server-changed"
	@tests/make-volume $@ $(O)/policy/server $(SERVER_CHANGED)
$(O)/examples/server-changed.reference: $(O)/examples/server.reference
	@cp $< $@

E2E_TESTS += example_server_changed
example_server_changed.sources := tests/e2e/example_server_changed.c tests/e2e/example.c
example_server_changed.needs := $(O)/examples/server-changed.img $(O)/examples/server-changed.reference \
	$(O)/bin/lzr-verify

# --- a quarantine gateway: a visitor, who looks at it, one way out

$(IMAGES)/inspector.manifest: $(O)/guests/example/inspector.elf $(VMIMAGE)
	@mkdir -p $(@D)
	@echo "  IMAGE   inspector"
	@$(VMIMAGE) elf --name inspector --elf $< --memory 8M --vdev net0:net,slot=1,mac=02:4c:5a:00:03:21 \
		--out $(@D) >$(O)/guests/inspector.measurement
$(IMAGES)/quarantine-visitor.manifest: $(O)/guests/example/visitor.elf $(VMIMAGE)
	@mkdir -p $(@D)
	@echo "  IMAGE   quarantine-visitor"
	@$(VMIMAGE) elf --name quarantine-visitor --elf $< --memory 8M --vdev net0:net,slot=1,mac=02:4c:5a:00:03:22 \
		--out $(@D) >$(O)/guests/quarantine-visitor.measurement

$(eval $(call example_switch,quarantine,16))
QUARANTINE_IMAGES := $(foreach i,quarantine-switch attestor inspector quarantine-visitor,$(IMAGES)/$(i).manifest)
$(eval $(call example_volume,quarantine,$(QUARANTINE_IMAGES)))
$(eval $(call example_reference,quarantine,$(QUARANTINE_IMAGES)))

E2E_TESTS += example_quarantine
example_quarantine.sources := tests/e2e/example_quarantine.c tests/e2e/example.c
example_quarantine.needs := $(O)/examples/quarantine.img $(O)/examples/quarantine.reference $(O)/bin/lzr-verify
