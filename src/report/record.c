/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: one canonical JSON object a line, chained by digest, on the commit they speak of. They are what a lost ledger
 * is rebuilt from, so they hold every fact of a target that git alone does not.
 */
#include "report/report_internal.h"

#include <stdio.h>
#include <string.h>

#include "report/report.h"

enum { LINE_LIMIT = 4 << 20 };

static int check_fields(const json_t *record, size_t line, struct sty_error *err)
{
    if (!json_is_integer(json_object_get(record, "sequence")) || !sty_json_text(record, "previous", NULL) ||
        !sty_json_text(record, "installation", NULL))
        return sty_error_set(err, STY_CORRUPT, "record line %zu has no sequence, previous or installation", line);
    return 0;
}

/* The digest of a record is that of its bytes, so there is one way to write it. */
static int check_canonical(const json_t *record, const char *bytes, size_t length, size_t line, struct sty_error *err)
{
    sty_auto_free char *text = sty_json_canonical_text(record);
    if (strlen(text) != length || memcmp(text, bytes, length) != 0)
        return sty_error_set(err, STY_CORRUPT, "record line %zu is not in canonical form", line);
    return 0;
}

/* Where a line follows the one above in the same chain, it names it. */
static int check_link(const json_t *before, const json_t *record, size_t line, struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE];
    if (!before || sty_json_int(record, "sequence", 0) != sty_json_int(before, "sequence", 0) + 1 ||
        !sty_streq(sty_json_text(record, "installation", ""), sty_json_text(before, "installation", "")))
        return 0;
    sty_json_digest(digest, before);
    if (!sty_streq(sty_json_text(record, "previous", ""), digest))
        return sty_error_set(err, STY_CORRUPT, "record line %zu does not follow the one above it", line);
    return 0;
}

static int take_line(json_t *all, const char *bytes, size_t length, size_t line, struct sty_error *err)
{
    json_auto_t *record = NULL;
    const json_t *before = json_array_get(all, json_array_size(all) - 1);
    if (length > LINE_LIMIT)
        return sty_error_set(err, STY_LIMIT, "record line %zu is too long", line);
    if (sty_json_parse(&record, bytes, length, err) < 0) {
        err->code = STY_CORRUPT;
        return sty_error_wrap(err, "record line %zu", line);
    }
    if (check_fields(record, line, err) < 0 || check_canonical(record, bytes, length, line, err) < 0 ||
        check_link(before, record, line, err) < 0)
        return -1;
    return json_array_append(all, record);
}

int sty_records_parse(json_t **records, const char *bytes, size_t length, struct sty_error *err)
{
    json_auto_t *all = json_array();
    for (size_t at = 0, line = 1; at < length; line++) {
        const char *end = memchr(bytes + at, '\n', length - at);
        size_t n = end ? (size_t)(end - bytes) - at : length - at;
        if (n > 0 && take_line(all, bytes + at, n, line, err) < 0)
            return -1;
        at += n + 1;
    }
    *records = json_incref(all);
    return 0;
}

static json_t *remediation_part(const json_t *row)
{
    int64_t started = sty_json_int(row, "started_at", 0), finished = sty_json_int(row, "finished_at", 0);
    json_t *part = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "remediation", sty_json_text(row, "id", ""), "digest",
                             sty_json_text(row, "digest", ""), "kind", sty_json_text(row, "kind", ""), "state",
                             sty_json_text(row, "state", ""), "attempt", (int)sty_json_int(row, "attempt", 1),
                             "duration_ms", (json_int_t)(finished > started && started ? finished - started : 0));
    json_object_set_new(part, "from", sty_json_string_or_null(sty_json_text(row, "from_instance", NULL)));
    json_object_set_new(part, "to", sty_json_string_or_null(sty_json_text(row, "to_instance", NULL)));
    json_object_set_new(part, "error", sty_json_string_or_null(sty_json_text(row, "error", NULL)));
    return part;
}

static int add_steps(json_t *part, struct sty_ledger *ledger, const json_t *row, struct sty_error *err)
{
    json_t *steps = NULL;
    if (sty_ledger_rows(&steps, ledger, err,
                        "SELECT seq, state, started_at, finished_at, exit_status FROM steps WHERE remediation = ? AND"
                        " attempt = ? ORDER BY seq",
                        "si", sty_json_text(row, "id", ""), sty_json_int(row, "attempt", 1)) < 0)
        return -1;
    return json_object_set_new(part, "steps", steps);
}

/* suspended_until: -1 is until somebody resumes it, which no number of milliseconds in JSON can say. */
static int add_target(json_t *part, struct sty_ledger *ledger, int64_t target, struct sty_error *err)
{
    json_auto_t *row = NULL;
    json_t *marks = NULL;
    if (sty_ledger_row(
            &row, ledger, err,
            "SELECT tainted, quarantined, pinned, iif(suspended_until = 9223372036854775807, -1, suspended_until) AS"
            " suspended_until, (SELECT instance FROM active WHERE target ="
            " targets.id) AS active FROM targets WHERE id = ?",
            "i", target) < 0 ||
        sty_ledger_rows(&marks, ledger, err, "SELECT digest, state FROM marks WHERE target = ? ORDER BY digest", "i",
                        target) < 0)
        return -1;
    json_object_set_new(part, "marks", marks);
    const char *key;
    json_t *value;
    json_object_foreach (row, key, value)
        json_object_set(part, key, value);
    return 0;
}

int sty_record_target(json_t **out, struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    json_auto_t *part = remediation_part(remediation);
    sty_auto_free char *name =
        sty_sprintf("%s/%s/%s", sty_json_text(remediation, "cluster", ""),
                    sty_json_text(remediation, "environment", ""), sty_json_text(remediation, "deployment", ""));
    json_object_set_new(part, "target", sty_json_string(name));
    if (add_steps(part, ledger, remediation, err) < 0 ||
        add_target(part, ledger, sty_json_int(remediation, "target", 0), err) < 0)
        return -1;
    *out = json_incref(part);
    return 0;
}

/* ---- what the mirror has under our name ---- */

static int look_at_note(void *self, const char *commit, const char *bytes, size_t length, struct sty_error *err)
{
    json_t *found = self;
    json_auto_t *records = NULL;
    size_t i;
    json_t *record;
    if (sty_records_parse(&records, bytes, length, err) < 0)
        return sty_error_wrap(err, "records of commit %.12s", commit);
    json_array_foreach (records, i, record) {
        char digest[STY_DIGEST_SIZE];
        sty_json_digest(digest, record);
        json_object_set_new(found, digest,
                            json_pack("{s:O, s:O, s:O}", "previous", json_object_get(record, "previous"),
                                      "installation", json_object_get(record, "installation"), "sequence",
                                      json_object_get(record, "sequence")));
    }
    return 0;
}

/* What our own chain began with: the end of another one that was carried on (`--fresh`), or nothing. Malloc'd. */
static int chain_start(char **out, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *first = NULL;
    if (sty_ledger_row(&first, ledger, err, "SELECT previous FROM records ORDER BY seq LIMIT 1", "") < 0)
        return -1;
    if (!first)
        return sty_ledger_meta_get(out, ledger, "records_after", err);
    *out = sty_strdup(sty_json_text(first, "previous", ""));
    return 0;
}

/* Take away what our chain carries on. */
static void drop_ancestors(json_t *found, const char *start)
{
    char digest[STY_DIGEST_SIZE], previous[STY_DIGEST_SIZE];
    const json_t *record;
    snprintf(digest, sizeof(digest), "%s", start ? start : "");
    while ((record = json_object_get(found, digest))) {
        snprintf(previous, sizeof(previous), "%s", sty_json_text(record, "previous", ""));
        json_object_del(found, digest);
        memcpy(digest, previous, sizeof(digest));
    }
}

/* Numbers begin anew with each chain: its end is what no other record follows. */
static void mark_followed(json_t *found)
{
    const char *digest;
    json_t *record;
    json_object_foreach (found, digest, record) {
        json_t *before = json_object_get(found, sty_json_text(record, "previous", ""));
        if (before)
            json_object_set_new(before, "followed", json_true());
    }
}

/* The newest end of those in `found` that are ours, or that are not; NULL: none. */
static const char *newest_of(json_t *found, const char *installation, bool ours)
{
    const char *digest, *newest = NULL;
    int64_t sequence = -1;
    json_t *record;
    json_object_foreach (found, digest, record) {
        bool is_ours = sty_streq(sty_json_text(record, "installation", ""), installation);
        if (is_ours != ours || json_object_get(record, "followed") || sty_json_int(record, "sequence", 0) <= sequence)
            continue;
        sequence = sty_json_int(record, "sequence", 0);
        newest = digest;
    }
    return newest;
}

static int refuse_foreign(const json_t *record, const char *digest, bool empty, const char *name, struct sty_error *err)
{
    if (empty)
        return sty_error_set(
            err, STY_NOT_FOUND,
            "this ledger is empty, but '%s' has records in the source: it was lost. `styrmin sync --fresh`"
            " starts a new chain that names the last one found (%.19s)",
            name, digest);
    return sty_error_set(
        err, STY_CONFLICT,
        "installation %.32s writes records under our name '%s': two installations share one name; give one"
        " of them another `name`",
        sty_json_text(record, "installation", ""), name);
}

/* A ledger that does not know its own newest record is a copy of an earlier day. */
static int check_ours(struct sty_ledger *ledger, const char *digest, struct sty_error *err)
{
    int64_t known = 0;
    if (sty_ledger_number(&known, ledger, err, "SELECT count(*) FROM records WHERE digest = ?", "s", digest) < 0)
        return -1;
    return known ? 0
                 : sty_error_set(err, STY_CONFLICT,
                                 "the source has a record of ours (%.19s) that this ledger does not know: the ledger"
                                 " was put back from an older copy. Move ledger.db away, then `styrmin sync --fresh`",
                                 digest);
}

int sty_report_verify(char last[STY_DIGEST_SIZE], struct sty_ledger *ledger, struct sty_repo *repo, const char *name,
                      struct sty_error *err)
{
    json_auto_t *found = json_object();
    sty_auto_free char *start = NULL;
    const char *installation = sty_ledger_installation(ledger);
    int64_t records = 0;
    last[0] = '\0';
    if (sty_notes_records(repo, name, look_at_note, found, err) < 0 || chain_start(&start, ledger, err) < 0 ||
        sty_ledger_number(&records, ledger, err, "SELECT count(*) FROM records", "") < 0)
        return -1;
    if (start && json_object_get(found, start))
        snprintf(last, STY_DIGEST_SIZE, "%s", start);
    mark_followed(found);
    drop_ancestors(found, start);
    const char *ours = newest_of(found, installation, true), *theirs = newest_of(found, installation, false);
    if (ours || theirs)
        snprintf(last, STY_DIGEST_SIZE, "%s", ours ? ours : theirs);
    if (theirs)
        return refuse_foreign(json_object_get(found, theirs), theirs, records == 0 && !start, name, err);
    return ours ? check_ours(ledger, ours, err) : 0;
}
