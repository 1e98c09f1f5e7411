/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulated machine that everything is tried on: QEMU (TCG, q35) with OVMF, swtpm, VT-d with interrupt
 * remapping, two e1000e cards, an NVMe disk, and an EFI system partition on AHCI.
 *
 *   00:02.0 root port, behind it 01:00.0 e1000e: uplink RIG_RESTRICTED, 10.0.3.0/24
 *   00:03.0 root port, behind it 02:00.0 e1000e: uplink RIG_UNTRUSTED, 10.0.2.0/24
 *   00:04.0 NVMe disk          00:1f.2 AHCI with the ESP (writes are thrown away)
 *   0xfed40000 TPM (tpm-tis)   0xfed90000 VT-d
 *   00:05.0 VGA, only with `screen`
 *
 * Each network is QEMU's user network with restrict=on: nothing gets out of it but what `guestfwd` names.  Every
 * uplink is captured.  A machine lives in a run directory: serial.log, qemu.log, uplink0.pcap, uplink1.pcap,
 * vars.fd, tpm/.  It dies with the process that started it, or when its time is over.
 *
 * All seconds here are the machine's own: those in which the host kept none of the emulator's threads waiting for a
 * processor.  So a busy host makes everything take longer and no limit shorter.
 */
#ifndef TOOLS_RIG_H
#define TOOLS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIG_RESTRICTED = 0, RIG_UNTRUSTED = 1, RIG_UPLINKS = 2 };

#define RIG_GUESTFWD_MAX 8

struct rig_config {
	const char *dir;                /* run directory, made if not there; its TPM state is kept */
	const char *esp;                /* image with the loader (tools/mkboot); NULL: no disk at all */
	const char *nvme;               /* raw image, written to; NULL: 64 MiB in the run directory */
	const char *guestfwd[RIG_UPLINKS][RIG_GUESTFWD_MAX];    /* "tcp:10.0.3.5:4433-cmd:/path/program", see qemu(1) */
	const char *const *extra;       /* more QEMU arguments, NULL-terminated; may be NULL */
	unsigned cpus, memory_mib;      /* 0: 3 CPUs (rig.c says why), 3072 MiB */
	unsigned seconds;               /* the machine's time; 0: 120 */
	unsigned gdb_port;              /* QEMU waits for gdb on this port of 127.0.0.1 first */
	bool peer[RIG_UPLINKS];         /* one more end on that wire: rig_peer */
	bool no_tpm, no_iommu, no_intremap, no_nics, no_nvme;
	bool secure_boot;               /* firmware that starts only what Debian's published snakeoil key signed */
	bool screen;                    /* a VGA card, so that rig_screendump has something to see */
	bool icount;                    /* one CPU, -icount shift=0,sleep=off: time is executed instructions */
	bool reboot;                    /* a reset starts the machine again instead of ending QEMU */
	bool paused;                    /* wait for "cont" through QMP */
};

struct rig;

/* Starts a machine; NULL after an error message on stderr.  The strings of `config` are not kept. */
struct rig *rig_start(const struct rig_config *config);
/* Ends the machine if it still runs, reaps everything and frees; the run directory stays.  NULL is fine. */
void rig_stop(struct rig *rig);

/*
 * Waits until a line of the serial log contains `text`; looks behind the line that the last successful wait found.
 * The line goes to `line` (may be NULL).  False when the time is over or the machine ended without it.
 */
bool rig_wait_line(struct rig *rig, const char *text, unsigned seconds, char *line, size_t capacity);
/* True if any line so far contains `text`; does not move the mark of rig_wait_line. */
bool rig_seen(struct rig *rig, const char *text);
/* The serial log so far (at most 64 MiB), zero-terminated; later lines are added behind it.  Valid until rig_stop. */
const char *rig_serial(struct rig *rig);
/* Waits for QEMU's end (power-off, or reset without `reboot`). */
bool rig_wait_end(struct rig *rig, unsigned seconds);
bool rig_running(struct rig *rig);
/* The machine's seconds since its start. */
double rig_elapsed(struct rig *rig);

/*
 * The end of an uplink's wire that `peer` asked for: a datagram socket that does not block, a frame each.  What is sent
 * comes to the card; what the card or QEMU's own network sends can be read (rig_peer.c).  The rig's.  -1: none.
 */
int rig_peer(struct rig *rig, unsigned uplink);

/* Sends a QMP command, e.g. {"execute":"stop"}; its reply goes to `reply` (may be NULL).  False on a QMP error. */
bool rig_qmp(struct rig *rig, const char *command, char *reply, size_t capacity);
/* A command of QEMU's human monitor, e.g. "xp /4gx 0x1000" or "info registers"; its text goes to `reply`. */
bool rig_monitor(struct rig *rig, const char *command, char *reply, size_t capacity);
bool rig_memory_read(struct rig *rig, uint64_t address, void *out, size_t length);
/* Takes what is on the screen as a PPM file. */
bool rig_screendump(struct rig *rig, const char *path);

/* "DIR/NAME" for a file of the run directory; valid until rig_stop. */
const char *rig_path(struct rig *rig, const char *name);
/* Capture file of an uplink. */
const char *rig_pcap(struct rig *rig, unsigned uplink);

/*
 * Folder with what the TPM's maker left: ca/swtpm-localca-rootca-cert.pem and ca/issuercert.pem.  Made once and
 * shared by all machines that start with a fresh TPM (each then has the same endorsement key).  NULL after an error
 * message.
 */
const char *rig_tpm_maker(void);
/* The certificate of the endorsement key that those TPMs enrol with, for a verifier's approval.  NULL as above. */
const char *rig_tpm_ek_certificate(void);

/* Writes that maker's certificates, root first, to `path` (PEM): the roots of a verifier.  False after a message. */
bool rig_tpm_roots(const char *path);

#endif
