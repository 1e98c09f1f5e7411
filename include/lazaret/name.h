/* SPDX-License-Identifier: MIT */
/*
 * The one rule for names: of boot files, images, VMs, devices, services, networks and everything else that a policy or
 * a manifest names.  Every program asks here, so that none takes what a later one refuses.
 *
 * A name has 1 to 47 of the characters A-Z a-z 0-9 - _ . , does not start with - or . and does not end with a . : it is
 * also the name of a file on a FAT volume, which drops dots at the end, and an argument on command lines.  Names are
 * compared byte by byte; that two of one kind do not differ in case only is for the policy compiler, mkboot and the
 * loader to see to, since on a FAT volume they are one file.
 */
#ifndef LAZARET_NAME_H
#define LAZARET_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include <lazaret/boot.h>

/* For messages: "expected " LZR_NAME_RULE. */
#define LZR_NAME_RULE "1 to 47 letters, digits, - _ . , neither dash nor dot first, no dot last"
_Static_assert(LZR_NAME_MAX == 48, "LZR_NAME_RULE says 47");

/* True for a character that a name may have somewhere. */
static inline bool lzr_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

/* True if the zero-terminated `text` is a name. */
static inline bool lzr_name_text_is_valid(const char *text)
{
	size_t length = 0;

	while (length < LZR_NAME_MAX && lzr_name_character(text[length]))
		length++;
	return length > 0 && length < LZR_NAME_MAX && !text[length] && text[0] != '-' && text[0] != '.' &&
	       text[length - 1] != '.';
}

/* True if the field holds a name, its terminating zero, and nothing but zeros behind it. */
static inline bool lzr_name_is_valid(const char name[LZR_NAME_MAX])
{
	size_t length = 0;

	while (length < LZR_NAME_MAX && name[length])
		length++;
	for (size_t i = length; i < LZR_NAME_MAX; i++)
		if (name[i])
			return false;
	return length < LZR_NAME_MAX && lzr_name_text_is_valid(name);
}

#endif
