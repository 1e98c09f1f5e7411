/* SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS \
	"id, ak_name, ak_area, ek, ek_certificate, clock, resets, restarts, coalesce(approval, 0), enrolled_ms," \
	" coalesce(proven_ms, 0)"

void store_show_machine(struct bytes ak_name, char out[13])
{
	uint8_t first[6] = { 0 };

	for (size_t i = 0; i < sizeof(first) && i + 2 < ak_name.length; i++)
		first[i] = ak_name.data[i + 2];         /* behind the digest's algorithm */
	hex_encode(out, first, sizeof(first));
}

static void read_machine(struct sql *q, struct store_machine *m)
{
	memset(m, 0, sizeof(*m));
	m->id = sql_int(q, 0);
	m->ak.name_length = sql_blob(q, 1, m->ak.name, sizeof(m->ak.name));
	m->ak.area_length = sql_blob(q, 2, m->ak.area, sizeof(m->ak.area));
	sql_fixed(q, 3, m->ak.ek, sizeof(m->ak.ek));
	sql_fixed(q, 4, m->ak.ek_certificate, sizeof(m->ak.ek_certificate));
	m->ak.clock_ms = (uint64_t)sql_int(q, 5);
	m->ak.reset_count = (uint32_t)sql_int(q, 6);
	m->ak.restart_count = (uint32_t)sql_int(q, 7);
	m->approval = sql_int(q, 8);
	m->enrolled_ms = sql_int(q, 9);
	m->proven_ms = sql_int(q, 10);
	store_show_machine((struct bytes){ m->ak.name, m->ak.name_length }, m->shown);
}

bool store_find_machine(struct store *s, struct bytes ak_name, struct store_machine *out, struct fault *f)
{
	char hex[2 * TPM_NAME_MAX + 1];
	struct sql q;
	bool found;

	if (ak_name.length == 0 || ak_name.length > TPM_NAME_MAX)
		return fault_set(f, FAULT_AK_UNKNOWN, "attestation key", "a Name", "none");
	sql_open(&q, s, f, "SELECT " COLUMNS " FROM machine WHERE ak_name = ?", "b", ak_name);
	found = sql_row(&q);
	if (found)
		read_machine(&q, out);
	if (!sql_close(&q))
		return false;
	hex_encode(hex, ak_name.data, ak_name.length);
	if (!found)
		return fault_set(f, FAULT_AK_UNKNOWN, "attestation key", "an enrolled one", hex);
	return store_session_open(s, out->id, &out->open, f);
}

bool store_load_ak(struct store *s, struct bytes ak_name, struct ak_record *out, struct fault *f)
{
	struct store_machine m;

	if (!store_find_machine(s, ak_name, &m, f))
		return false;
	*out = m.ak;
	return true;
}

bool store_list_machines(struct store *s, struct store_machine **out, size_t *count, struct fault *f)
{
	struct sql q;
	bool ok;

	*out = NULL;
	*count = 0;
	sql_open(&q, s, f, "SELECT " COLUMNS " FROM machine ORDER BY id", "");
	while (sql_row(&q)) {
		struct store_machine *more = realloc(*out, (*count + 1) * sizeof(**out));

		if (!more) {
			q.bad = true;
			store_fault(s, f, "no memory");
			break;
		}
		*out = more;
		read_machine(&q, &more[(*count)++]);
	}
	ok = sql_close(&q);
	for (size_t i = 0; ok && i < *count; i++)
		ok = store_session_open(s, (*out)[i].id, &(*out)[i].open, f);
	if (ok)
		return true;
	free(*out);
	*out = NULL;
	*count = 0;
	return false;
}

bool store_add_machine(struct store *s, const struct ak_record *ak, int64_t approval, int64_t *id, struct fault *f)
{
	const struct bytes name = { ak->name, ak->name_length };
	struct fault unknown = { 0 };
	struct store_machine known;

	if (store_find_machine(s, name, &known, &unknown)) {
		*id = known.id;
		return memcmp(known.ak.ek, ak->ek, sizeof(ak->ek)) == 0 ||
		       fault_set_digest(f, FAULT_EK_KEY,
					"endorsement key of an enrolled machine (lzr-verify forget lets it enrol anew)",
					known.ak.ek, ak->ek, sizeof(ak->ek));
	}
	if (unknown.code != FAULT_AK_UNKNOWN) {
		*f = unknown;
		return false;
	}
	if (!sql_run(s, f,
		     "INSERT INTO machine (ak_name, ak_area, ek, ek_certificate, clock, resets, restarts, approval,"
		     " enrolled_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		     "bbbbuuuni", name, (struct bytes){ ak->area, ak->area_length },
		     (struct bytes){ ak->ek, sizeof(ak->ek) },
		     (struct bytes){ ak->ek_certificate, sizeof(ak->ek_certificate) }, ak->clock_ms,
		     (uint64_t)ak->reset_count, (uint64_t)ak->restart_count, approval, store_now_ms()))
		return false;
	*id = sqlite3_last_insert_rowid(s->db);
	return true;
}

/* Whether a quote of (clock, resets, restarts) is older than what is kept. */
static bool is_older(const struct quote *q, uint64_t clock, int64_t resets, int64_t restarts)
{
	if (q->reset_count != resets)
		return q->reset_count < resets;
	if (q->restart_count != restarts)
		return q->restart_count < restarts;
	return q->clock_ms < clock;
}

bool store_raise_clock(struct store *s, int64_t machine, const struct quote *quote, struct fault *f)
{
	bool found, older = false;
	struct sql q;

	sql_open(&q, s, f, "SELECT clock, resets, restarts FROM machine WHERE id = ?", "i", machine);
	found = sql_row(&q);
	if (found)
		older = is_older(quote, (uint64_t)sql_int(&q, 0), sql_int(&q, 1), sql_int(&q, 2));
	if (!sql_close(&q))
		return false;
	if (!found)
		return fault_set(f, FAULT_AK_UNKNOWN, "attestation key", "an enrolled one", "it was forgotten");
	if (older)
		return fault_set(f, FAULT_QUOTE_CLOCK, "TPM clock", "not behind the newest good quote's",
				 "an older quote");
	return sql_run(s, f, "UPDATE machine SET clock = ?, resets = ?, restarts = ?, proven_ms = ? WHERE id = ?",
		       "uuuii", quote->clock_ms, (uint64_t)quote->reset_count, (uint64_t)quote->restart_count,
		       store_now_ms(), machine);
}

bool store_forget_machine(struct store *s, int64_t machine, struct fault *f)
{
	return sql_run(s, f, "DELETE FROM machine WHERE id = ?", "i", machine);
}
