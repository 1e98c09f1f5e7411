/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-policy: from a policy's source (device-tree syntax, docs/policy.md) to what the hypervisor and the switch read.
 *
 *   source.c    dtc's annotated output -> tree of nodes whose every line knows its place in the source
 *   model.c     tree -> struct policy; what is not understood is an error
 *   manifest.c  the facts of each VM's manifest
 *   check.c     rules over the whole; links.c: rules over networks, channels and the switch
 *   emit.c      struct policy -> policy.dtb;  switchconf.c -> switch configuration
 *   keys.c      keys, signature
 *
 * Every finding goes to struct report with file, line, what was expected and what was found; nothing stops at the
 * first.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lazaret/boot.h>
#include <lazaret/label.h>
#include <lazaret/manifest.h>
#include <lazaret/policy.h>
#include <lazaret/switch.h>

#define NONE 0xffffffffu
#define CATEGORY_MAX 64u
#define LEVEL_MAX 16u
#define REPORT_MAX 16384u

struct report {
	unsigned errors;
	size_t length;
	char text[REPORT_MAX];
};
void complain(struct report *report, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- source.c ----------------------------------------------------------------------------------------------------- */

enum kind { KIND_EMPTY, KIND_STRINGS, KIND_CELLS, KIND_MIXED };

struct property {
	char *name;
	char *where;            /* "file:line" */
	enum kind kind;
	unsigned count;
	char **strings;         /* KIND_STRINGS */
	uint32_t *cells;        /* KIND_CELLS */
	bool used;
};

struct node {
	char *name;
	char *where;
	struct node *parent;
	unsigned property_count, child_count;
	struct property *properties;
	struct node **children;
	bool used;
};

/* Runs dtc on the file; NULL after complaining.  node_free gives the tree back. */
struct node *source_read(const char *path, struct report *report);
/* The same for text that dtc wrote; `dir` goes before the file names in it. */
struct node *source_parse(char *text, const char *dir, struct report *report);
void node_free(struct node *node);
struct node *node_child(struct node *node, const char *name);   /* marks it used; NULL when absent */
void source_unused(struct node *node, struct report *report);   /* complains about all that nobody asked for */

/* Each take_* marks the property used and returns false when it is absent (an error if required) or malformed. */
struct property *take(struct node *node, const char *name);
bool take_flag(struct node *node, const char *name, struct report *report);
bool take_string(struct node *node, const char *name, bool required, const char **out, struct report *report);
bool take_name(struct node *node, const char *name, bool required, char out[LZR_NAME_MAX], struct report *report);
bool take_number(struct node *node, const char *name, bool required, uint64_t max, uint64_t *out,
		 struct report *report);
bool take_cells(struct node *node, const char *name, bool required, unsigned count, uint32_t *out,
		struct report *report);
bool take_ipv4(struct node *node, const char *name, bool required, uint8_t out[4], struct report *report);
bool take_mac(struct node *node, const char *name, bool required, uint8_t out[6], struct report *report);
bool name_valid(const char *name);
const char *where_of(struct node *node, const char *property);  /* the property's place, or the node's */

/* --- model.c ------------------------------------------------------------------------------------------------------ */

struct fact_device {            /* a device or a place in a manifest */
	char name[LZR_NAME_MAX];
	enum { FACT_VDEV, FACT_ASSIGN, FACT_MMIO } kind;
	unsigned slot;
	unsigned virtio_id;     /* PCI device id of a vdev */
	unsigned pairs;
	bool service;
	bool has_mac;
	uint8_t mac[6];
	uint64_t gpa, length;   /* FACT_MMIO */
};

struct facts {                  /* what a manifest says */
	char image[LZR_NAME_MAX];
	uint64_t memory;
	unsigned vcpus;
	uint8_t measurement[LZR_DIGEST_SIZE];
	unsigned device_count;
	struct fact_device devices[LZR_VDEV_MAX];
	bool has_switch_config;
	uint8_t switch_config[LZR_DIGEST_SIZE];         /* of the segment at LZR_SWITCH_CONFIG_GPA */
};

#define RIGHT_SERVICE 1u
#define RIGHT_ATTESTS 2u
#define RIGHT_READS_AUDIT 4u

struct policy_vm {
	struct node *node;
	char name[LZR_NAME_MAX], image[LZR_NAME_MAX];
	struct lzr_label label, low, high;
	bool trusted;
	bool measure_only;
	uint64_t memory;
	unsigned vcpus;
	unsigned cpu_count;
	uint32_t cpus[LZR_VCPU_MAX];
	uint32_t budget_us, period_us, max_restarts;
	unsigned rights;
	uint32_t controls;
	bool has_facts;
	struct facts facts;
};

struct policy_device {
	struct node *node;
	char name[LZR_NAME_MAX], place[LZR_NAME_MAX];
	bool mmio;
	uint32_t pci[3], id[2];
	uint64_t base, length;
	unsigned vm;
	unsigned slot;          /* of its place; 0: not given */
	bool flr;
	bool bypasses_firewall;
	struct lzr_label label;
};

struct policy_network {
	struct node *node;
	char name[LZR_NAME_MAX];
	struct lzr_label label;
	unsigned uplink;        /* device, or NONE */
	bool has_gateway;
	uint8_t gateway[4];
};

struct policy_port {
	struct node *node;
	unsigned network, vm;
	bool infrastructure;
	char device[LZR_NAME_MAX];
	uint8_t mac[6], ip[4];
};

struct policy_endpoint {
	struct node *node;
	unsigned port;
	uint8_t ip[4];
	unsigned protocol, l4port;
};

struct policy_link {
	struct node *node;
	unsigned vm[2];
	char device[2][LZR_NAME_MAX];
	unsigned pair[2];
	unsigned network;       /* or NONE */
	struct lzr_label label;
};

struct policy_switch {
	struct node *node;      /* NULL: the policy has no switch */
	unsigned vm;
	char device[LZR_NAME_MAX];
	bool has_control;
	unsigned control_vm;
	char control_device[LZR_NAME_MAX];
	uint64_t lease_max_ns, nonce_interval_ns;
	bool has_verifier;
	uint8_t verifier_x[48], verifier_y[48];
};

struct policy {
	struct node *root;
	uint64_t version;
	bool allow_without_iommu;
	uint64_t machine_memory;
	unsigned machine_cpus;
	unsigned level_count, category_count;
	const char *levels[LEVEL_MAX], *categories[CATEGORY_MAX];
	unsigned vm_count, device_count, network_count, port_count, endpoint_count, link_count;
	struct policy_vm vms[LZR_VM_MAX];
	struct policy_device devices[LZR_DEVICE_MAX];
	struct policy_network networks[LZR_NETWORK_MAX];
	struct policy_port ports[LZR_SWITCH_PORT_MAX];
	struct policy_endpoint endpoints[LZR_SWITCH_ENDPOINT_MAX];
	struct policy_link links[LZR_LINK_MAX];
	struct policy_switch fabric;
};

/* Fills *policy from the tree; the tree stays alive as long as the policy. */
void model_read(struct policy *policy, struct node *root, const char *keys_dir, struct report *report);
void label_text(const struct policy *policy, const struct lzr_label *label, char *out, size_t size);
/* model_net.c: networks, channels, switch; called by model_read. */
void model_read_networks(struct policy *policy, struct report *report);
void model_read_switch(struct policy *policy, const char *keys_dir, struct report *report);
void model_read_channels(struct policy *policy, struct report *report);
unsigned take_vm(struct policy *policy, struct node *node, const char *name, bool required, struct report *report);
bool take_label(struct policy *policy, struct node *node, const char *name, bool required, struct lzr_label *out,
		struct report *report);
bool take_node_name(struct node *node, char out[LZR_NAME_MAX], struct report *report);

/* --- manifest.c, check.c, links.c --------------------------------------------------------------------------------- */

/* Reads NAME.manifest from the first of the directories that has it. */
bool facts_read(const char *image, const char *const *dirs, unsigned dir_count, struct facts *out, char *why,
		size_t size);
bool facts_parse(const void *manifest, size_t size, struct facts *out, char *why, size_t why_size);
const struct fact_device *facts_device(const struct facts *facts, const char *name);
void check_policy(struct policy *policy, struct report *report);
void check_links(struct policy *policy, struct report *report);

/* --- emit.c, switchconf.c ----------------------------------------------------------------------------------------- */

/* Both return malloc'ed bytes; NULL when it does not fit. */
void *emit_policy(const struct policy *policy, size_t *size);
void *emit_switch(const struct policy *policy, size_t *size);
unsigned switch_control_pair(const struct policy *policy);
bool show_policy(const void *dtb, size_t size);

/* --- keys.c, file.c ----------------------------------------------------------------------------------------------- */

bool key_generate(const char *prefix, bool development);        /* PREFIX.pem, PREFIX.lzrkey, PREFIX.pub.pem */
bool key_sign(const char *pem, const void *data, size_t size, uint8_t signature[LZR_POLICY_SIGNATURE_SIZE]);
bool key_verify(const char *pub, const void *data, size_t size, const uint8_t signature[LZR_POLICY_SIGNATURE_SIZE]);
/* The public point of a key file, after checking header, curve and point. */
bool key_point(const char *pub, uint8_t x[48], uint8_t y[48]);
const char *key_error(void);
void *file_load(const char *path, size_t limit, size_t *size, char *why, size_t why_size);
bool file_store(const char *path, const void *data, size_t size, unsigned mode);
bool digest(const void *data, size_t size, uint8_t out[LZR_DIGEST_SIZE]);

#endif
