/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's ACPI tables (ACPI Specification 6.3, chapter 5 "ACPI Software Programming Model"): RSDP, XSDT, FADT with
 * hardware-reduced ACPI, MADT with x2APIC entries, TPM2 on request, DSDT compiled from dsdt.asl.
 */
#include <string.h>

#include "vmimage.h"

extern const uint8_t dsdt_plain[], dsdt_plain_end[], dsdt_tpm[], dsdt_tpm_end[];

#define HEADER_SIZE 36u
#define FADT_SIZE 276u
#define FADT_DSDT32 40u
#define FADT_BOOT_FLAGS 109u
#define   FADT_NO_VGA (1u << 2)
#define   FADT_NO_CMOS_RTC (1u << 5)
#define FADT_FLAGS 112u
#define   FADT_WBINVD (1u << 0)
#define   FADT_RESET_REG_SUP (1u << 10)
#define   FADT_FORCE_PHYSICAL (1u << 19)
#define   FADT_HW_REDUCED (1u << 20)
#define FADT_RESET_REG 116u
#define FADT_RESET_VALUE 128u
#define FADT_MINOR 131u
#define FADT_X_DSDT 140u
#define FADT_SLEEP_CONTROL 244u
#define FADT_SLEEP_STATUS 256u
#define MADT_LOCAL_APIC 36u
#define MADT_ENTRIES 44u
#define MADT_X2APIC_SIZE 16u
#define TPM2_SIZE 52u
#define TPM2_START_METHOD 48u
#define   TPM2_MEMORY_MAPPED 6u
#define RSDP_SIZE 36u
#define RSDP_FIRST_SIZE 20u             /* what the first checksum covers */

static void checksum(uint8_t *table, size_t size, unsigned at)
{
	uint8_t sum = 0;

	table[at] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[at] = (uint8_t)-sum;
}

static void header(uint8_t *table, const char *signature, uint32_t size, uint8_t revision)
{
	memcpy(table, signature, 4);
	put32(table + 4, size);
	table[8] = revision;
	memcpy(table + 10, "LAZRET", 6);
	memcpy(table + 16, "LZGUEST", 8);
	put32(table + 24, 1);
	memcpy(table + 28, "LZRT", 4);
	put32(table + 32, 1);
}

static void io_register(uint8_t *at, uint16_t port)     /* Generic Address Structure: system I/O, 8 bits, byte access */
{
	at[0] = 1;
	at[1] = 8;
	at[2] = 0;
	at[3] = 1;
	put64(at + 4, port);
}

static void fadt(uint8_t *table, uint64_t dsdt)
{
	header(table, "FACP", FADT_SIZE, 6);
	put32(table + FADT_DSDT32, (uint32_t)dsdt);
	put64(table + FADT_X_DSDT, dsdt);
	put16(table + FADT_BOOT_FLAGS, FADT_NO_VGA | FADT_NO_CMOS_RTC);
	put32(table + FADT_FLAGS, FADT_WBINVD | FADT_RESET_REG_SUP | FADT_FORCE_PHYSICAL | FADT_HW_REDUCED);
	io_register(table + FADT_SLEEP_CONTROL, POWER_PORT);
	io_register(table + FADT_SLEEP_STATUS, POWER_PORT + 1);
	io_register(table + FADT_RESET_REG, POWER_PORT + 2);
	table[FADT_RESET_VALUE] = 1;
	table[FADT_MINOR] = 3;
	checksum(table, FADT_SIZE, 9);
}

static uint32_t madt(uint8_t *table, unsigned vcpus)
{
	uint32_t size = MADT_ENTRIES + vcpus * MADT_X2APIC_SIZE;

	header(table, "APIC", size, 4);
	put32(table + MADT_LOCAL_APIC, 0xfee00000);
	for (unsigned i = 0; i < vcpus; i++) {
		uint8_t *entry = table + MADT_ENTRIES + i * MADT_X2APIC_SIZE;
		entry[0] = 9;                           /* processor local x2APIC */
		entry[1] = MADT_X2APIC_SIZE;
		put32(entry + 4, i);                    /* x2APIC id */
		put32(entry + 8, 1);                    /* enabled */
		put32(entry + 12, i);                   /* processor UID */
	}
	checksum(table, size, 9);
	return size;
}

static void tpm2(uint8_t *table)
{
	header(table, "TPM2", TPM2_SIZE, 4);
	put32(table + TPM2_START_METHOD, TPM2_MEMORY_MAPPED);
	checksum(table, TPM2_SIZE, 9);
}

static void rsdp(uint8_t *table, uint64_t xsdt)
{
	memcpy(table, "RSD PTR ", 8);
	memcpy(table + 9, "LAZRET", 6);
	table[15] = 2;
	put32(table + 20, RSDP_SIZE);
	put64(table + 24, xsdt);
	checksum(table, RSDP_FIRST_SIZE, 8);
	checksum(table, RSDP_SIZE, 32);
}

bool acpi_build(const struct image *image, struct blob *out)
{
	const uint8_t *dsdt = image->tpm ? dsdt_tpm : dsdt_plain;
	size_t dsdt_size = (size_t)((image->tpm ? dsdt_tpm_end : dsdt_plain_end) - dsdt);
	const uint32_t xsdt_at = 0x40, fadt_at = 0x80, madt_at = 0x1a0, tpm2_at = 0x280, dsdt_at = 0x2c0;
	uint32_t tables = image->tpm ? 3 : 2, xsdt_size = HEADER_SIZE + 8 * tables;

	if (dsdt_at + dsdt_size > ACPI_MAX)
		return refuse("%s: the ACPI tables do not fit in %u bytes", image->name, ACPI_MAX);
	if (!blob_alloc(out, dsdt_at + dsdt_size))
		return false;
	uint8_t *base = out->data;
	memcpy(base + dsdt_at, dsdt, dsdt_size);
	fadt(base + fadt_at, ACPI_GPA + dsdt_at);
	madt(base + madt_at, image->vcpus);
	if (image->tpm)
		tpm2(base + tpm2_at);
	header(base + xsdt_at, "XSDT", xsdt_size, 1);
	put64(base + xsdt_at + HEADER_SIZE, ACPI_GPA + fadt_at);
	put64(base + xsdt_at + HEADER_SIZE + 8, ACPI_GPA + madt_at);
	if (image->tpm)
		put64(base + xsdt_at + HEADER_SIZE + 16, ACPI_GPA + tpm2_at);
	checksum(base + xsdt_at, xsdt_size, 9);
	rsdp(base, ACPI_GPA + xsdt_at);
	return true;
}

/* madt_at leaves room for every vCPU an image may have. */
_Static_assert(0x1a0 + MADT_ENTRIES + LZR_VCPU_MAX * MADT_X2APIC_SIZE <= 0x280, "MADT fits before TPM2");
