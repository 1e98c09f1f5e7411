/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-policy: from a policy's source (device-tree syntax, docs/policy.md) to what the hypervisor and the switch read.
 *
 *   source.c    dtc's annotated output -> tree of nodes whose every value knows its place in the source
 *   place.c     places in the source's files; alike.c: names that readers take for one another
 *   report.c    findings, "did you mean"; table.c, memory.c: hash tables, growing arrays
 *   take.c      typed values out of nodes
 *   model*.c    tree -> struct policy; what is not understood is an error
 *   manifest.c  the facts of each VM's manifest
 *   check.c     rules over the whole; links.c: rules over networks, channels and the switch; limits.c: what fits
 *   edges.c     struct policy -> flow graph; flow.c: whether anything in it flows down; graph.c, picture.c: drawn
 *   emit.c      struct policy -> policy.dtb;  switchconf.c -> switch configuration (switchrules.c: its firewall)
 *   keys.c      keys, signature
 *   main.c      commands and arguments; commands.c, image.c: what the commands do
 *   outline*.c  what a policy says, as a list; show.c prints it, diff*.c compares two
 *   ask.c       what the switch does with a packet;  explain*.c  why, and every way from one to another
 *
 * Every finding goes to struct report with file, line, column, what was expected and what was found; nothing stops at
 * the first.  Nothing here has a fixed maximum but what the language itself sets: what the hypervisor and the switch
 * can hold is checked at the end (limits.c).
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <lazaret/boot.h>
#include <lazaret/label.h>
#include <lazaret/manifest.h>
#include <lazaret/name.h>
#include <lazaret/policy.h>
#include <lazaret/switch.h>

#define NONE 0xffffffffu
#define CATEGORY_MAX 64u        /* bits of struct lzr_label */
#define LEVEL_MAX 16u
#define LABEL_TEXT (CATEGORY_MAX * LZR_NAME_MAX + LZR_NAME_MAX)

/* --- table.c, memory.c -------------------------------------------------------------------------------------------- */

/* Out of memory ends the program: there is nothing to unwind in a compiler. */
void *memory_get(size_t size);                  /* zeroed */
void *memory_resize(void *memory, size_t size);
char *memory_text(const char *from, size_t length);     /* a copy with a terminating zero */

/* One more zeroed element behind the `*count` of an array; the array may move. */
void *array_add(void *array, unsigned *count, unsigned *room, size_t element);
#define ARRAY_ADD(array, count, room) \
	((array) = array_add((array), &(count), &(room), sizeof(*(array))), &(array)[(count) - 1])

/* Bytes -> number.  Keys are not copied and must outlive the table. */
struct table {
	struct table_slot *slots;
	unsigned room, count;
};
unsigned table_find(const struct table *table, const void *key, size_t size);   /* NONE: absent */
/* NONE: added; else the value that is there, which stays. */
unsigned table_add(struct table *table, const void *key, size_t size, unsigned value);
unsigned table_find_text(const struct table *table, const char *key);
unsigned table_add_text(struct table *table, const char *key, unsigned value);
void table_free(struct table *table);

/* --- source.c ----------------------------------------------------------------------------------------------------- */

struct source_file;             /* its name, and its text when a column is looked for */

struct place {
	struct source_file *file;       /* NULL: nowhere in particular */
	unsigned line, column;          /* from 1; 0: the whole file */
};
const char *place_file(struct place place);
/* "file:line:column" into out, which is returned. */
#define PLACE_TEXT 1200
const char *place_text(struct place place, char out[PLACE_TEXT]);

struct report {
	unsigned errors, warnings;      /* all of them */
	unsigned written;               /* those in `text` */
	size_t length, room;
	char *text;                     /* "FILE:LINE:COLUMN: error: ..", or warning, a line; NULL before the first */
};
#define REPORT_SHOWN 200u       /* messages kept; report_print says how many more there are */
void complain(struct report *report, struct place where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Control characters but line feeds become '?': a terminal would obey them, and names of files may have any. */
void text_tame(char *text);
/* printf without them. */
void print_tame(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void print_tame_list(FILE *out, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
void report_print(const struct report *report, FILE *out);
void report_free(struct report *report);

enum kind { KIND_EMPTY, KIND_STRINGS, KIND_CELLS, KIND_MIXED };

struct property {
	const char *name;
	struct place where;
	enum kind kind;
	unsigned count, room;
	char **strings;         /* KIND_STRINGS */
	uint32_t *cells;        /* KIND_CELLS */
	bool used;
};

struct node {
	const char *name;
	struct place where;
	struct node *parent;
	unsigned property_count, property_room, child_count, child_room;
	struct property *properties;
	struct node **children;
	const char *type;       /* what it was read as, "VM"; NULL: nobody asked for it */
};

/* Runs dtc on the file; NULL after complaining.  source_free gives the tree and its files back. */
struct node *source_read(const char *path, struct report *report);
struct node *source_parse(char *text, struct report *report);   /* the same for text that dtc wrote */
void source_free(struct node *root);
struct node *node_child(struct node *node, const char *name);   /* its type is then its name; NULL when absent */
/*
 * The child that is a list, with the children of its further parts, "vms@2" or "vms@anything", behind its own; NULL
 * when absent.  Nothing of a name twice in all parts.
 */
struct node *node_list(struct node *node, const char *name, struct report *report);
/* The names that nodes of this type are asked for are what "did you mean" chooses from; both are literals. */
void node_asked(struct node *node, const char *name);
void source_unused(struct node *node, struct report *report);   /* complains about all that nobody asked for */
/* Where the property's value number `index` is written; the property's own place when it cannot be told. */
struct place value_place(const struct property *property, unsigned index);
struct place where_of(struct node *node, const char *property); /* its value's place, or the node's */

/* --- take.c ------------------------------------------------------------------------------------------------------- */

/* Each take_* marks the property used and returns false when it is absent (an error if required) or malformed. */
struct property *take(struct node *node, const char *name);
struct property *take_strings(struct node *node, const char *name, bool required, struct report *report);
bool take_flag(struct node *node, const char *name, struct report *report);
bool take_string(struct node *node, const char *name, bool required, const char **out, struct report *report);
/* One of a NULL-terminated list of words; its index. */
bool take_choice(struct node *node, const char *name, bool required, const char *const *words, unsigned *out,
		 struct report *report);
bool take_name(struct node *node, const char *name, bool required, char out[LZR_NAME_MAX], struct report *report);

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_TIME /* ns */, UNIT_RATE /* bits per second */ };
bool take_number(struct node *node, const char *name, bool required, enum unit unit, uint64_t min, uint64_t max,
		 uint64_t *out, struct report *report);
bool take_u32(struct node *node, const char *name, bool required, uint32_t min, uint32_t max, uint32_t *out,
	      struct report *report);
bool take_cells(struct node *node, const char *name, bool required, unsigned count, uint32_t *out,
		struct report *report);
bool take_ipv4(struct node *node, const char *name, bool required, uint8_t out[4], struct report *report);
bool take_mac(struct node *node, const char *name, bool required, uint8_t out[6], struct report *report);
bool take_digest(struct node *node, const char *name, bool required, uint8_t out[LZR_DIGEST_SIZE],
		 struct report *report);
bool parse_ipv4(const char *text, uint8_t out[4]);
/* The address of one machine; false after complaining, too. */
bool take_host(struct node *node, const char *name, bool required, uint8_t out[4], struct report *report);

/* alike.c: whether a reader may take one name for the other; not when they are the same. */
bool names_alike(const char *a, const char *b);

/* report.c: " (did you mean \"red\"?)" or "" in out, which is returned. */
#define NEAREST_TEXT (LZR_NAME_MAX + 40)
struct nearest {
	const char *wanted, *best;
	unsigned distance;
};
void nearest_begin(struct nearest *nearest, const char *wanted);
void nearest_try(struct nearest *nearest, const char *candidate);
const char *nearest_text(const struct nearest *nearest, char out[NEAREST_TEXT]);
/* Tries all keys of a table of names. */
void table_nearest(const struct table *table, struct nearest *nearest);

/* --- the model: model.c, model_*.c -------------------------------------------------------------------------------- */

struct fact_device {            /* a device or a place in a manifest */
	char name[LZR_NAME_MAX];
	enum { FACT_VDEV, FACT_ASSIGN, FACT_MMIO } kind;
	unsigned slot;
	unsigned virtio_id;     /* PCI device id of a vdev */
	unsigned pairs;
	unsigned queue_size;    /* of a vdev: its maximum */
	bool service;
	bool has_mac;
	uint8_t mac[6];
	uint64_t gpa, length;   /* FACT_MMIO */
	unsigned class_code;    /* FACT_ASSIGN */
};

struct facts {                  /* what a manifest says */
	char image[LZR_NAME_MAX];
	uint64_t memory;
	unsigned vcpus;
	uint8_t measurement[LZR_DIGEST_SIZE];
	unsigned device_count;
	struct fact_device devices[LZR_VDEV_MAX];
	unsigned file_count;
	char files[LZR_SEGMENT_MAX][LZR_NAME_MAX];      /* of its segments */
	bool has_switch_config;
	uint8_t switch_config[LZR_DIGEST_SIZE];         /* of the segment at LZR_SWITCH_CONFIG_GPA */
};

enum right { RIGHT_INTROSPECTS, RIGHT_CONTROLS, RIGHT_READS_AUDIT, RIGHT_ATTESTS, RIGHT_COUNT };
extern const char *const right_names[RIGHT_COUNT];      /* as the source writes them */

struct policy_right {
	const struct property *property;        /* NULL: the VM does not have it */
	bool all;                               /* written "*" */
	unsigned count;
	unsigned *vms;                          /* whom it covers, as the source lists them; all: every VM in order */
};
/* Where the source grants this right over vms[index]. */
struct place right_place(const struct policy_right *right, unsigned index);

/* Where frames or messages of a guard come from or go to. */
struct policy_conduit {
	enum { CONDUIT_NONE, CONDUIT_NETWORK, CONDUIT_CHANNEL } kind;
	unsigned index;                         /* of networks[] or channels[] */
	struct place where;
};

struct policy_vm {
	struct node *node;
	char name[LZR_NAME_MAX], image[LZR_NAME_MAX];
	struct lzr_label label, low, high;      /* low = high = label unless trusted */
	bool trusted;                           /* multi-level over low..high; a guard is, over its two ends */
	struct node *guard;                     /* its guard node, or NULL */
	struct policy_conduit from, to;         /* of a guard: from the higher label to the lower one */
	bool service;                           /* may have service ends */
	bool measure_only;
	bool pinned;                            /* the source itself gives the measurement */
	uint8_t measurement[LZR_DIGEST_SIZE];   /* the pinned one */
	uint64_t memory;
	unsigned vcpus;
	unsigned cpu_count;
	uint32_t *cpus;
	uint32_t budget_us, period_us;          /* budget 0: a share of what is left */
	uint32_t max_restarts;
	struct policy_right rights[RIGHT_COUNT];
	const struct facts *facts;              /* NULL: its manifest was not read */
};

struct policy_device {
	struct node *node;
	char name[LZR_NAME_MAX], place[LZR_NAME_MAX];
	bool mmio;
	bool has_pci;                           /* else by location, or mmio */
	uint32_t pci[3], id[2];
	unsigned hop_count;                     /* of location: (device, function) from the root bus down */
	uint8_t (*hops)[2];
	uint64_t base, length;
	unsigned vm;                            /* or NONE after an error */
	unsigned slot;                          /* of its place; 0: not given */
	bool flr;
	bool bypasses_firewall;
	struct lzr_label label;
	unsigned iommu_group;                   /* declared number, or NONE */
	unsigned interrupt_line;                /* the same */
};

enum protocol { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

struct policy_service {                         /* a name for ports, everywhere in the policy */
	struct node *node;
	char name[LZR_NAME_MAX];
	unsigned item_count, item_room;
	struct policy_service_item {
		enum protocol protocol;
		uint16_t low, high;             /* destination ports, both included; ICMP: 0 (echo) */
	} *items;
	bool used;
};

/* One end of a rule, one member of a set. */
struct policy_end {
	enum {
		END_ANY,                /* "*": whatever is on the network, inside and behind the uplink */
		END_PORT,               /* index: of ports[], on the rule's network */
		END_UPLINK,             /* "uplink": whatever is behind it */
		END_GATEWAY,            /* "gateway": the network's */
		END_RANGE,              /* ip/prefix */
		END_SET,                /* index: of sets[]; not inside a set */
	} kind;
	unsigned index;
	uint8_t ip[4];
	unsigned prefix;
	struct place where;
};

struct policy_set {                             /* a name for ends, on one network */
	struct node *node;                      /* the network's "sets" node */
	const struct property *property;
	char name[LZR_NAME_MAX];
	unsigned network;
	unsigned member_count;
	struct policy_end *members;
	bool used;
};

/* The first rule of a network, in the order of the source, that covers a frame decides. */
struct policy_rule {
	struct node *node;
	char name[LZR_NAME_MAX];
	unsigned network;
	bool allow;
	bool stateless;                         /* else answers to what it lets through are let through too */
	unsigned from_count, to_count;
	struct policy_end *from, *to;
	unsigned service_count;
	unsigned *services;                     /* NULL: every protocol */
};

struct policy_network {
	struct node *node;
	char name[LZR_NAME_MAX];
	struct lzr_label label;
	unsigned uplink;        /* device, or NONE */
	bool has_gateway;
	uint8_t gateway[4];
	uint64_t frame_rate;    /* frames per second of the whole network; 0: no limit */
	uint64_t bandwidth;     /* bits per second; 0: no limit */
	bool allow_all;         /* says allow = "all": no rules, its admitted ports exchange everything */
	struct table ports_by_name, sets_by_name;
};

enum lease_end { LEASE_END_QUARANTINE, LEASE_END_BLOCK };       /* block: stays shut until the VM starts anew */

struct policy_quarantine {                      /* of a port, with what it inherits from the switch's */
	unsigned inspection;                    /* port, or NONE: nothing is reachable before admission */
	struct place inspection_where;
	uint64_t inspection_rate;               /* frames per second */
	uint64_t lease_max_ns;
	enum lease_end lease_end;
	unsigned key_count;
	unsigned *keys;                         /* of keys[]: any of them may sign its results */
};

struct policy_port {
	struct node *node;
	unsigned network, vm;                   /* or NONE after an error */
	bool infrastructure;                    /* open from the start, to its endpoints only */
	char name[LZR_NAME_MAX], device[LZR_NAME_MAX];
	uint8_t mac[6], ip[4];
	uint64_t frame_rate, bandwidth;         /* 0: no limit of its own */
	unsigned queue_size;                    /* 0: the manifest's */
	struct policy_quarantine quarantine;    /* unless infrastructure */
};

struct policy_endpoint {
	struct node *node;
	unsigned port;
	uint8_t ip[4];
	enum protocol protocol;
	unsigned l4port;
};

struct policy_channel {                         /* as the source says it; links[link] is what it becomes */
	struct node *node;
	char name[LZR_NAME_MAX];
	unsigned vm, service;                   /* or NONE after an error */
	char device[LZR_NAME_MAX], service_device[LZR_NAME_MAX];
	struct lzr_label label;
	unsigned link;
};

struct policy_link {                            /* ports, the control channel, channels: in that order */
	struct node *node;
	unsigned vm[2];
	char device[2][LZR_NAME_MAX];
	unsigned pair[2];
	unsigned network;       /* or NONE */
	unsigned channel;       /* or NONE */
	struct lzr_label label;
};

struct policy_key {                             /* a verifier's public key */
	const char *file;
	uint8_t x[48], y[48];
};

struct policy_switch {
	struct node *node;      /* NULL: the policy has no switch */
	unsigned vm;
	char device[LZR_NAME_MAX];
	bool has_control;
	struct node *control;
	unsigned control_vm;
	char control_device[LZR_NAME_MAX];
	uint64_t nonce_interval_ns;
	struct policy_quarantine quarantine;    /* what ports inherit; no inspection */
	bool has_verifier;
};

struct policy_platform {                        /* the least that the machine must have */
	struct node *node;                      /* NULL: nothing beyond the usual */
	bool iommu, interrupt_remapping, secure_boot, measured_boot;
	const char *signer, *next_signer;       /* key files in the keys' folder; NULL: not given */
	bool has_signer, has_next_signer;       /* read and good */
	uint8_t signer_digest[LZR_DIGEST_SIZE], next_signer_digest[LZR_DIGEST_SIZE];   /* SHA-384 of the key files */
};

struct policy_label {                           /* a label with a name of its own */
	const char *name;
	struct property *property;
	struct lzr_label label;
	bool used;
};

#define POLICY_ARRAY(type, what) \
	struct type *what##s; \
	unsigned what##_count, what##_room

struct policy {
	struct node *root;
	uint64_t version;
	bool allow_without_iommu;
	uint64_t machine_memory;
	unsigned machine_cpus;
	struct policy_platform platform;
	unsigned level_count, category_count;
	const char *levels[LEVEL_MAX], *categories[CATEGORY_MAX];
	uint64_t levels_used, categories_used;  /* bits */
	POLICY_ARRAY(policy_label, label);
	POLICY_ARRAY(policy_vm, vm);
	POLICY_ARRAY(policy_device, device);
	POLICY_ARRAY(policy_service, service);
	POLICY_ARRAY(policy_network, network);
	POLICY_ARRAY(policy_set, set);          /* grouped by network */
	POLICY_ARRAY(policy_port, port);        /* grouped by network, then the infrastructure ports */
	POLICY_ARRAY(policy_rule, rule);        /* grouped by network, in order */
	POLICY_ARRAY(policy_endpoint, endpoint);
	POLICY_ARRAY(policy_channel, channel);
	POLICY_ARRAY(policy_link, link);
	POLICY_ARRAY(policy_key, key);
	struct policy_switch fabric;
	struct table labels_by_name, vms_by_name, devices_by_name, services_by_name, networks_by_name;
	struct table channels_by_name, keys_by_name;
	struct table images_by_name;            /* -> facts[] */
	unsigned facts_count, facts_room;
	struct facts **facts;
};

/* Fills *policy from the tree; the tree stays alive as long as the policy. */
void model_read(struct policy *policy, struct node *root, const char *keys_dir, struct report *report);
void policy_free(struct policy *policy);
/* "LEVEL CATEGORY .." */
void label_text(const struct policy *policy, const struct lzr_label *label, char *out, size_t size);
unsigned find_vm(const struct policy *policy, const char *name);                /* NONE: there is none */
unsigned find_device(const struct policy *policy, const char *name);
unsigned find_network(const struct policy *policy, const char *name);
unsigned find_channel(const struct policy *policy, const char *name);
unsigned find_service(const struct policy *policy, const char *name);
unsigned find_port(const struct policy *policy, unsigned network, const char *name);
unsigned find_set(const struct policy *policy, unsigned network, const char *name);

/* --- manifest.c, check.c, links.c, limits.c, warn.c --------------------------------------------------------------- */

/* Reads the manifests of all VMs, each image once, from the first of the directories that has it. */
void facts_read_all(struct policy *policy, const char *const *dirs, unsigned dir_count, struct report *report);
bool facts_read(const char *image, const char *const *dirs, unsigned dir_count, struct facts *out, char *why,
		size_t size);
bool facts_parse(const void *manifest, size_t size, struct facts *out, char *why, size_t why_size);
const struct fact_device *facts_device(const struct facts *facts, const char *name);
void check_policy(struct policy *policy, struct report *report);
void check_links(struct policy *policy, struct report *report);
/* What the hypervisor and the switch have room for, and what they cannot do: `check` and `build` unless told not to. */
void check_limits(const struct policy *policy, struct report *report);

/* --- emit.c, switchconf.c ----------------------------------------------------------------------------------------- */

/* Both return malloc'ed bytes; NULL when it does not fit. */
void *emit_policy(const struct policy *policy, size_t *size);
void *emit_switch(const struct policy *policy, size_t *size);
unsigned switch_control_pair(const struct policy *policy);

/* --- keys.c, file.c ----------------------------------------------------------------------------------------------- */

/* New files PREFIX.pem, PREFIX.lzrkey, PREFIX.pub.pem; none of them is made when one of them is there. */
bool key_file_generate(const char *prefix, bool development);
/* `signer`: SHA-384 of the key file that the key must belong to, or NULL: any.  `passphrase`: its file, or NULL. */
bool key_sign(const char *pem, const char *passphrase, const uint8_t *signer, const void *data, size_t size,
	      uint8_t signature[LZR_POLICY_SIGNATURE_SIZE]);
bool key_verify(const char *pub, const void *data, size_t size, const uint8_t signature[LZR_POLICY_SIGNATURE_SIZE]);
/* The public point of a key file, after checking header, curve and point. */
bool key_file_point(const char *pub, uint8_t x[48], uint8_t y[48]);
/* SHA-384 of a key file that key_file_point accepts: how a policy names a signer. */
bool key_digest(const char *pub, uint8_t out[LZR_DIGEST_SIZE]);
const char *key_error(void);
void *file_load(const char *path, size_t limit, size_t *size, char *why, size_t why_size);
/* A new file, on the disk when this returns; false and nothing done when something is there. */
bool file_create(const char *path, const void *data, size_t size, unsigned mode);
bool file_store(const char *path, const void *data, size_t size, unsigned mode);
bool digest(const void *data, size_t size, uint8_t out[LZR_DIGEST_SIZE]);

#endif
