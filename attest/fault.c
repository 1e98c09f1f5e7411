/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"
#include "digest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[FAULT_COUNT] = {
	[FAULT_UNCHECKED] = "unchecked",
	[FAULT_GOOD] = "good",
	[FAULT_USAGE] = "usage",
	[FAULT_INPUT] = "input",
	[FAULT_FORMAT] = "format",
	[FAULT_TRAILING] = "trailing-bytes",
	[FAULT_EAT_SIGNATURE] = "eat-signature",
	[FAULT_EAT_NONCE] = "eat-nonce",
	[FAULT_QUOTE_MAGIC] = "quote-magic",
	[FAULT_QUOTE_TYPE] = "quote-type",
	[FAULT_QUOTE_SIGNER] = "quote-signer",
	[FAULT_QUOTE_SELECTION] = "quote-selection",
	[FAULT_QUOTE_DIGEST] = "quote-pcr-digest",
	[FAULT_QUOTE_NONCE] = "quote-extra-data",
	[FAULT_QUOTE_CLOCK] = "quote-clock",
	[FAULT_QUOTE_SIGNATURE] = "quote-signature",
	[FAULT_AK_UNKNOWN] = "ak-not-enrolled",
	[FAULT_AK_NAME] = "ak-name",
	[FAULT_AK_ATTRIBUTES] = "ak-attributes",
	[FAULT_EK_CERTIFICATE] = "ek-certificate",
	[FAULT_EK_KEY] = "ek-key",
	[FAULT_CREDENTIAL] = "credential",
	[FAULT_NOT_APPROVED] = "not-approved",
	[FAULT_LOG_FORMAT] = "log-format",
	[FAULT_LOG_REPLAY] = "log-replay",
	[FAULT_LOG_GRAMMAR] = "log-grammar",
	[FAULT_PCR_EMPTY] = "pcr-empty",
	[FAULT_REFERENCE] = "reference",
	[FAULT_REFERENCE_MISSING] = "reference-missing",
	[FAULT_DEVELOPMENT_KEY] = "development-key",
	[FAULT_POLICY] = "policy",
	[FAULT_RECORDS] = "records",
	[FAULT_STATEMENTS] = "statements",
	[FAULT_CLAIM] = "claim",
	[FAULT_RELEASE] = "release",
	[FAULT_PLATFORM] = "platform",
	[FAULT_VM_STATE] = "vm-state",
	[FAULT_VM_KEY] = "vm-key",
	[FAULT_CONFINEMENT] = "confinement",
	[FAULT_REVOKED] = "revoked",
	[FAULT_RESULT] = "result",
	[FAULT_PROTOCOL] = "protocol",
	[FAULT_TPM] = "tpm",
};

const char *fault_name(enum fault_code code)
{
	return (unsigned int)code < FAULT_COUNT ? names[code] : "unknown";
}

static bool refused_before(const struct fault *f)
{
	return f->code != FAULT_UNCHECKED && f->code != FAULT_GOOD;
}

/* What was found may be anybody's bytes: none of them reaches a terminal or a log as anything but a character. */
static void copy_text(char *out, size_t size, const char *from)
{
	snprintf(out, size, "%s", from);
	for (; *out; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?';
}

bool fault_set(struct fault *f, enum fault_code code, const char *component, const char *expected, const char *found)
{
	if (!f || refused_before(f))
		return false;
	f->code = code;
	copy_text(f->component, sizeof(f->component), component);
	copy_text(f->expected, sizeof(f->expected), expected);
	copy_text(f->found, sizeof(f->found), found);
	return false;
}

bool fault_set_digest(struct fault *f, enum fault_code code, const char *component, const uint8_t *expected,
		      const uint8_t *found, size_t size)
{
	char e[2 * 96 + 1], g[2 * 96 + 1];

	if (size > 96)
		size = 96;
	hex_encode(e, expected, size);
	hex_encode(g, found, size);
	return fault_set(f, code, component, e, g);
}

bool fault_set_number(struct fault *f, enum fault_code code, const char *component, uint64_t expected, uint64_t found)
{
	char e[32], g[32];

	snprintf(e, sizeof(e), "%" PRIu64, expected);
	snprintf(g, sizeof(g), "%" PRIu64, found);
	return fault_set(f, code, component, e, g);
}

bool fault_set_text(struct fault *f, enum fault_code code, const char *component, const char *expected,
		    const char *format, ...)
{
	char found[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(found, sizeof(found), format, ap);
	va_end(ap);
	return fault_set(f, code, component, expected, found);
}

void fault_print(const struct fault *f, char *out, size_t size)
{
	if (f->code == FAULT_GOOD)
		snprintf(out, size, "good");
	else
		snprintf(out, size, "%s: %s: expected %s, found %s", fault_name(f->code), f->component, f->expected,
			 f->found);
}
