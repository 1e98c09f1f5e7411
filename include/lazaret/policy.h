/* SPDX-License-Identifier: MIT */
/*
 * Compiled policy, version 1: the flattened device tree that lzr-policy writes from a source of the same shape, and
 * that the hypervisor reads after it has checked the signature over the exact bytes (ECDSA P-384 with SHA-384).
 *
 * In the compiled form references are numbers: VMs, networks, links count from 0 in node order.  Cells are big-endian,
 * <u64> is two cells, a label is <level categories-hi categories-lo>.  Unknown nodes and properties are refused.  The
 * source language is described in docs/policy.md.
 *
 *  / {
 *      compatible = "lazaret,policy-1";
 *      version = <u64>;                        monotonic, chosen by the author
 *      levels = "UNTRUSTED", "RESTRICTED", ..  names, lowest first
 *      categories = ...;                       names, may be absent
 *      allow-without-iommu;                    lab only; shown in evidence
 *      secure-boot; measured-boot;             refused by a machine without
 *      signer = [48 bytes];                    SHA-384 of the key file that this policy must be signed by; absent: any
 *      next-signer = [48 bytes];               SHA-384 of the key file that may sign what comes after this policy
 *      vms {
 *          red@0 {
 *              image = "red";                  manifest of this name in the boot list
 *              measurement = [48 bytes];       SHA-384 the manifest must have; or
 *              measure-only;
 *              label = <3 cells>;
 *              trusted-range = <6 cells>;      lowest and highest label of a trusted multi-level VM (else absent)
 *              memory = <u64>; vcpus = <u32>;  must equal the manifest's
 *              cpus = <..>;                    physical CPU of each vCPU
 *              budget-us, period-us = <u32>;   CPU time of each vCPU in each period
 *              max-restarts = <u32>;           0: never restarted
 *              service;                        a service VM: LZR_CALL_SEED, may have service ends
 *              introspects = <vm ..>;          reads their memory
 *              controls = <vm ..>;             stops and restarts them
 *              reads-audit = <vm ..>;          their audit records; with all VMs, the hypervisor's own too
 *              attests = <vm ..>;              the boot's files, the records of these VMs and their audit records
 *          };
 *      };
 *      devices {
 *          nic@0 { pci = <bus dev fn>; id = <vendor device>; vm = <n>; name = "nic0"; reset = "flr" | "bus";
 *                  label = <3>;
 *                  bypasses-firewall; };       name: the manifest's assign@ node
 *          tpm@1 { mmio = <u64 base u64 length>; vm = <n>; name = "tpm"; label = <3>; };
 *          disk@2 { location = [10 00]; .. };  in place of pci: a byte, device << 3 | function, for each step down from
 *                                              bus 0; all but the last are bridges
 *      };
 *      links {
 *          link@0 { a = <vm>; a-device = "net0"; a-pair = <u32>;
 *                   b = <vm>; b-device = "ports"; b-pair = <u32>;
 *                   network = <n>;             absent for a channel
 *                   label = <3>; };
 *      };
 *      networks { secret@0 { label = <3>; uplink = <device number>; }; };     uplink absent: none
 *  };
 */
#ifndef LAZARET_POLICY_H
#define LAZARET_POLICY_H

#include <stdint.h>

#define LZR_POLICY_COMPATIBLE "lazaret,policy-1"
#define LZR_POLICY_MAX (256u << 10)     /* bytes */
#define LZR_POLICY_SIGNATURE_SIZE 96u   /* r || s, 48 bytes each, big-endian, ECDSA P-384 over SHA-384(policy) */
#define LZR_VM_MAX 64u                  /* masks of VMs have 64 bits */
#define LZR_LINK_MAX 128u
#define LZR_NETWORK_MAX 32u
#define LZR_DEVICE_MAX 16u
#define LZR_LOCATION_MAX 8u             /* steps */
#define LZR_CPU_MAX 16u
#define LZR_SERVICE_STARTS_MAX 256u     /* of all service VMs together, restarts included */
#define LZR_DEVICE_VECTORS 16u          /* interrupts that an assigned PCI function may have at most */
#define LZR_CPU_VECTORS 160u            /* of assigned functions' interrupts, on each CPU */

#endif
