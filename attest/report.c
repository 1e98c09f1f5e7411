/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <inttypes.h>

const char *report_port_state(uint64_t state)
{
	static const char *const names[] = { "down", "quarantined", "admitted", "blocked", "infrastructure" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *report_control_status(uint64_t status)
{
	static const char *const names[] = { "ok",	    "no-port",	    "rate",	      "malformed",
					     "signature",   "wrong-vm",	    "wrong-instance", "wrong-measurement",
					     "wrong-label", "wrong-policy", "wrong-nonce",    "expired",
					     "duration",    "kind",	   "shut" };

	return status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown";
}

static const char *vm_state(uint32_t state)
{
	static const char *const names[] = { "stopped", "running", "dead" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void print_fault(FILE *out, const struct fault *f)
{
	if (f->code == FAULT_GOOD) {
		fprintf(out, "good\n");
		return;
	}
	fprintf(out, "REFUSED (%s)\n    what      %s\n    expected  %s\n    found     %s\n", fault_name(f->code),
		f->component, f->expected, f->found);
}

static void print_hex(FILE *out, const char *label, const uint8_t *data, size_t length)
{
	fprintf(out, "    %-12s", label);
	for (size_t i = 0; i < length; i++)
		fprintf(out, "%02x", data[i]);
	fputc('\n', out);
}

/* Another VM whose memory right reaches this one, from number `from` on; vm_count: none. */
static size_t next_reader(const struct verify_report *report, const struct vm_report *vm, size_t from)
{
	while (from < report->policy.vm_count &&
	       (from == vm->evidence.vm || !(report->policy.vm[from].introspects >> vm->evidence.vm & 1)))
		from++;
	return from;
}

static void print_vm(FILE *out, const struct verify_report *report, const struct vm_report *vm)
{
	const struct evidence *e = &vm->evidence;

	fprintf(out, "VM %s: ", vm->name);
	print_fault(out, &vm->fault);
	if (!vm->decoded)
		return;
	fprintf(out, "    %-12s%s\n    %-12s%s, instance %" PRIu64 ", %u starts, %u restores\n", "label", vm->label,
		"state", vm_state(e->state), e->instance, e->starts, e->restores);
	print_hex(out, "measurement", e->measurement, sizeof(e->measurement));
	if (e->has_port)
		fprintf(out, "    %-12s%u, %s, lease %" PRIu64 " ms\n", "port", e->port.number,
			report_port_state(e->port.state), e->port.lease_left_ns / 1000000);
	if (e->firewall_bypassed)
		fprintf(out, "    firewall not on path\n");
	for (size_t i = 0; (i = next_reader(report, vm, i)) < report->policy.vm_count; i++)
		fprintf(out, "    %-12sread by %s\n", "memory", report->policy.vm[i].name);
}

void report_print(FILE *out, const struct verify_report *report, const struct reference *reference)
{
	const struct fault *f = &report->platform;

	fprintf(out, "platform: ");
	print_fault(out, f);
	if (f->code == FAULT_GOOD) {
		fprintf(out, "    TPM         clock %" PRIu64 " ms%s, %u resets, %u restarts, firmware %#" PRIx64 "\n",
			report->quote.clock_ms, report->quote.clock_safe ? "" : " (may have been set back)",
			report->quote.reset_count, report->quote.restart_count, report->quote.firmware);
		if (report->development_key)
			fprintf(out, "    DEVELOPMENT KEY accepted because --allow-development-key was given\n");
		if (report->policy.allow_without_iommu)
			fprintf(out, "    the policy allows a machine without IOMMU\n");
	}
	for (unsigned int i = 0; i < REFERENCE_PCRS; i++)
		if (report->differing >> i & 1) {
			char label[] = "PCR 0 is";

			label[4] = (char)('0' + i);
			print_hex(out, label, report->pcr[i], sizeof(report->pcr[i]));
		}
	for (unsigned int i = 0; reference && i < REFERENCE_PCRS; i++)
		if (reference->pcr[i].unchecked)
			fprintf(out, "    PCR %u       not compared (reference says unchecked)\n", i);
	for (size_t i = 0; i < report->vm_count; i++)
		print_vm(out, report, &report->vm[i]);
}

void report_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

void report_json_fault(FILE *out, const struct fault *f)
{
	fprintf(out, "{\"verdict\":\"%s\"", fault_name(f->code));
	if (f->code != FAULT_GOOD && f->code != FAULT_UNCHECKED) {
		fprintf(out, ",\"component\":");
		report_json_string(out, f->component);
		fprintf(out, ",\"expected\":");
		report_json_string(out, f->expected);
		fprintf(out, ",\"found\":");
		report_json_string(out, f->found);
	}
	fputc('}', out);
}

static void json_hex(FILE *out, const char *name, const uint8_t *data, size_t length)
{
	fprintf(out, ",\"%s\":\"", name);
	for (size_t i = 0; i < length; i++)
		fprintf(out, "%02x", data[i]);
	fputc('"', out);
}

static void json_vm(FILE *out, const struct verify_report *report, const struct vm_report *vm)
{
	const struct evidence *e = &vm->evidence;

	fprintf(out, "{\"appraisal\":");
	report_json_fault(out, &vm->fault);
	if (vm->decoded) {
		fprintf(out, ",\"name\":");
		report_json_string(out, e->name);
		fprintf(out, ",\"vm\":%u,\"label\":", e->vm);
		report_json_string(out, vm->label);
		fprintf(out,
			",\"state\":\"%s\",\"instance\":%" PRIu64 ",\"starts\":%u,\"restores\":%u,\"epoch\":%" PRIu64,
			vm_state(e->state), e->instance, e->starts, e->restores, e->epoch);
		json_hex(out, "measurement", e->measurement, sizeof(e->measurement));
		json_hex(out, "policy", e->policy, sizeof(e->policy));
		json_hex(out, "flow", e->flow, sizeof(e->flow));
		json_hex(out, "dma", e->dma, sizeof(e->dma));
		json_hex(out, "firewall", e->firewall, sizeof(e->firewall));
		json_hex(out, "audit_root", e->audit_root, sizeof(e->audit_root));
		fprintf(out, ",\"audit_size\":%" PRIu64 ",\"audit_lost\":%" PRIu64 ",\"firewall_on_path\":%s",
			e->audit_size, e->audit_lost, e->firewall_bypassed ? "false" : "true");
		if (e->vm_key_length)
			json_hex(out, "vm_key", e->vm_key, e->vm_key_length);
		if (e->has_port)
			fprintf(out, ",\"port\":%u,\"port_state\":\"%s\",\"lease_left_ns\":%" PRIu64, e->port.number,
				report_port_state(e->port.state), e->port.lease_left_ns);
		if (next_reader(report, vm, 0) < report->policy.vm_count)
			fprintf(out, ",\"introspected\":true");
		if (e->has_port)
			json_hex(out, "port_nonce", e->port.nonce, sizeof(e->port.nonce));
	}
	fputc('}', out);
}

void report_print_json(FILE *out, const struct verify_report *report, const struct reference *reference)
{
	bool comma = false;

	fprintf(out, "{\"platform\":");
	report_json_fault(out, &report->platform);
	fprintf(out,
		",\"development_key\":%s,\"clock_ms\":%" PRIu64 ",\"clock_safe\":%s,\"resets\":%u,"
		"\"tpm_firmware\":\"%#" PRIx64 "\",\"unchecked_pcrs\":[",
		report->development_key ? "true" : "false", report->quote.clock_ms,
		report->quote.clock_safe ? "true" : "false", report->quote.reset_count, report->quote.firmware);
	for (unsigned int i = 0; reference && i < REFERENCE_PCRS; i++)
		if (reference->pcr[i].unchecked) {
			fprintf(out, "%s%u", comma ? "," : "", i);
			comma = true;
		}
	fprintf(out, "],\"vms\":[");
	for (size_t i = 0; i < report->vm_count; i++) {
		fprintf(out, "%s", i ? "," : "");
		json_vm(out, report, &report->vm[i]);
	}
	fprintf(out, "]}\n");
}
