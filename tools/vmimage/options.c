/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmimage.h"

bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	unsigned base = 10;
	const char *p = text;

	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	const char *digits = p;
	for (;; p++) {
		unsigned digit = *p >= '0' && *p <= '9' ? (unsigned)(*p - '0')
				 : base == 16 && *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
									: 99;
		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return refuse("%s: number too large", text);
		value = value * base + digit;
	}
	unsigned shift = *p == 'K' ? 10 : *p == 'M' ? 20 : *p == 'G' ? 30 : 0;
	if (p == digits || (shift ? p[1] : p[0]) != 0)
		return refuse("\"%s\": expected a number such as 192M or 0x1000", text);
	if (shift && value > UINT64_MAX >> shift)
		return refuse("%s: number too large", text);
	*out = value << shift;
	return *out <= max ? true : refuse("%s: expected at most %llu", text, (unsigned long long)max);
}

static bool parse_unsigned(const char *text, unsigned max, unsigned *out)
{
	uint64_t value;

	if (!parse_number(text, max, &value))
		return false;
	*out = (unsigned)value;
	return true;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];
	char end;

	if (strlen(text) != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6)
		return refuse("mac=%s: expected six bytes such as 02:4c:5a:00:01:01", text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return true;
}

static bool set_name(char out[LZR_NAME_MAX], const char *name)
{
	if (!lzr_name_text_is_valid(name))
		return refuse("\"%s\": expected a name of " LZR_NAME_RULE, name);
	memset(out, 0, LZR_NAME_MAX);
	memcpy(out, name, strlen(name));
	return true;
}

static bool vdev_option(struct vdev *v, const char *option)
{
	if (!strncmp(option, "slot=", 5))
		return parse_unsigned(option + 5, 31, &v->slot);
	if (!strncmp(option, "queues=", 7))
		return parse_unsigned(option + 7, 256, &v->queues);
	if (!strncmp(option, "size=", 5))
		return parse_unsigned(option + 5, LZR_VIRTIO_QUEUE_MAX, &v->queue_size);
	if (!strncmp(option, "mac=", 4)) {
		v->has_mac = true;
		return parse_mac(option + 4, v->mac);
	}
	if (!strcmp(option, "service")) {
		v->service = true;
		return true;
	}
	return refuse("--vdev %s: unknown option \"%s\"; expected slot= mac= queues= size= service", v->name, option);
}

/* NAME:TYPE[,option]... */
bool options_vdev(const char *text, struct vdev *out)
{
	char copy[256], *rest = copy;

	*out = (struct vdev){ .queues = 2, .queue_size = 128 };
	if (strlen(text) >= sizeof(copy))
		return refuse("--vdev: longer than %zu characters", sizeof(copy) - 1);
	strcpy(copy, text);
	char *head = strsep(&rest, ","), *type = strchr(head, ':');
	if (!type)
		return refuse("--vdev %s: expected NAME:TYPE,slot=N", text);
	*type++ = 0;
	if (!set_name(out->name, head))
		return false;
	if (!strcmp(type, "net"))
		out->type = VDEV_NET;
	else if (!strcmp(type, "console"))
		out->type = VDEV_CONSOLE;
	else if (!strcmp(type, "link"))
		out->type = VDEV_LINK;
	else
		return refuse("--vdev %s: expected type net, console or link, found \"%s\"", out->name, type);
	out->service = out->type == VDEV_LINK;
	while (rest)
		if (!vdev_option(out, strsep(&rest, ",")))
			return false;
	if (out->service && out->type == VDEV_CONSOLE)
		return refuse("--vdev %s: a console cannot be a service end", out->name);
	return out->slot ? true : refuse("--vdev %s: expected slot=1 to slot=31", out->name);
}

/* NAME,slot=N,class=HHHHHH */
bool options_assign(const char *text, struct assign *out)
{
	char copy[256], *rest = copy;
	bool has_class = false;

	*out = (struct assign){ 0 };
	if (strlen(text) >= sizeof(copy))
		return refuse("--assign: longer than %zu characters", sizeof(copy) - 1);
	strcpy(copy, text);
	if (!set_name(out->name, strsep(&rest, ",")))
		return false;
	while (rest) {
		char *option = strsep(&rest, ","), *end;
		if (!strncmp(option, "slot=", 5)) {
			if (!parse_unsigned(option + 5, 31, &out->slot))
				return false;
		} else if (!strncmp(option, "class=", 6) && strlen(option + 6) == 6) {
			out->class_code = (uint32_t)strtoul(option + 6, &end, 16);
			has_class = *end == 0;
		} else {
			return refuse("--assign %s: unknown option \"%s\"; expected slot=N class=HHHHHH", out->name,
				      option);
		}
	}
	return out->slot && has_class
		       ? true
		       : refuse("--assign %s: expected slot=1..31 and class= with six hex digits", out->name);
}

static bool add_device(struct image *image, const char *option, const char *value)
{
	if (!strcmp(option, "--vdev"))
		return image->vdev_count < LZR_VDEV_MAX ? options_vdev(value, &image->vdevs[image->vdev_count++])
							: refuse("--vdev: expected at most %u", LZR_VDEV_MAX);
	return image->assign_count < LZR_VDEV_MAX ? options_assign(value, &image->assigns[image->assign_count++])
						  : refuse("--assign: expected at most %u", LZR_VDEV_MAX);
}

static bool set_option(const char *option, char *value, struct options *o, struct image *image)
{
	static const char *const texts[] = { "--kernel", "--initrd", "--cmdline", "--elf", "--out" };
	const char **targets[] = { &o->kernel, &o->initrd, &o->cmdline, &o->elf, &o->out };

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(option, texts[i])) {
			*targets[i] = value;
			return true;
		}
	if (!strcmp(option, "--name"))
		return set_name(image->name, value);
	if (!strcmp(option, "--program"))
		return set_name(image->program, value);
	if (!strcmp(option, "--memory"))
		return parse_number(value, UINT64_MAX, &image->memory);
	if (!strcmp(option, "--vcpus"))
		return parse_unsigned(value, LZR_VCPU_MAX, &image->vcpus);
	if (!strcmp(option, "--vdev") || !strcmp(option, "--assign"))
		return add_device(image, option, value);
	if (!strcmp(option, "--segment")) {
		if (o->extra_count == LZR_SEGMENT_MAX)
			return refuse("--segment: expected at most %u", LZR_SEGMENT_MAX);
		o->extra[o->extra_count++] = value;
		return true;
	}
	return refuse("unknown option %s; see vmimage --help", option);
}

static bool add_tpm(struct image *image)
{
	struct assign *tpm = &image->assigns[image->assign_count];

	if (image->tpm || image->assign_count == LZR_VDEV_MAX)
		return refuse("--tpm: given twice, or too many devices");
	image->tpm = true;
	*tpm = (struct assign){ .name = "tpm", .mmio = true, .gpa = TPM_GPA, .length = TPM_LENGTH };
	image->assign_count++;
	return true;
}

bool options_parse(int argc, char **argv, struct options *options, struct image *image)
{
	*options = (struct options){ .kind = argv[0], .cmdline = "" };
	*image = (struct image){ .vcpus = 1 };
	if (strcmp(argv[0], "linux") && strcmp(argv[0], "pvh") && strcmp(argv[0], "elf"))
		return refuse("expected linux, pvh or elf, found \"%s\"; see vmimage --help", argv[0]);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--avx")) {
			image->avx = true;
			continue;
		}
		if (!strcmp(argv[i], "--tpm")) {
			if (!add_tpm(image))
				return false;
			continue;
		}
		if (i + 1 == argc)
			return refuse("%s: unknown option, or its value is missing; see vmimage --help", argv[i]);
		if (!set_option(argv[i], argv[i + 1], options, image))
			return false;
		i++;
	}
	if (!image->name[0] || !image->memory)
		return refuse("expected --name and --memory");
	bool bare = !strcmp(options->kind, "linux");
	if (bare ? !options->kernel || options->elf : !options->elf || options->kernel)
		return refuse("%s: expected %s, and not %s", options->kind, bare ? "--kernel" : "--elf",
			    bare ? "--elf" : "--kernel");
	if (!strcmp(options->kind, "elf") && (options->initrd || options->cmdline[0]))
		return refuse("elf: --initrd and --cmdline are for kernels");
	return true;
}
