/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: one canonical JSON object a line, chained by digest, on the commit they speak of. They are what a lost ledger
 * is rebuilt from, so they hold every fact of a target that git alone does not.
 */
#include "report/report_internal.h"

#include <string.h>

#include "report/report.h"

enum { LINE_LIMIT = 4 << 20 };

int sty_records_parse(json_t **records, const char *bytes, size_t length, struct sty_error *err)
{
    json_auto_t *all = json_array();
    for (size_t at = 0, line = 1; at < length; line++) {
        const char *end = memchr(bytes + at, '\n', length - at);
        size_t n = end ? (size_t)(end - bytes) - at : length - at;
        json_t *record = NULL;
        if (n > LINE_LIMIT)
            return sty_error_set(err, STY_LIMIT, "record line %zu is too long", line);
        if (n > 0 && sty_json_parse(&record, bytes + at, n, err) < 0)
            return err->code = STY_CORRUPT, sty_error_wrap(err, "record line %zu", line);
        if (n > 0)
            json_array_append_new(all, record);
        if (n > 0 && (!json_is_integer(json_object_get(record, "sequence")) ||
                      !sty_json_text(record, "previous", NULL) || !sty_json_text(record, "installation", NULL)))
            return sty_error_set(err, STY_CORRUPT, "record line %zu has no sequence, previous or installation", line);
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

static int add_target(json_t *part, struct sty_ledger *ledger, int64_t target, struct sty_error *err)
{
    json_auto_t *row = NULL;
    json_t *marks = NULL;
    if (sty_ledger_row(
            &row, ledger, err,
            "SELECT tainted, quarantined, pinned, suspended_until, (SELECT instance FROM active WHERE target ="
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

/* Records of the mirror: the newest by sequence, and whose they are. */
struct newest {
    int64_t sequence;
    json_t *record;
    const char *installation;
    char foreign[64];
};

static int look_at_note(void *self, const char *commit, const char *bytes, size_t length, struct sty_error *err)
{
    struct newest *newest = self;
    json_auto_t *records = NULL;
    if (sty_records_parse(&records, bytes, length, err) < 0)
        return sty_error_wrap(err, "records of commit %.12s", commit);
    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *record = json_array_get(records, i);
        const char *installation = sty_json_text(record, "installation", "");
        if (sty_json_int(record, "sequence", 0) > newest->sequence) {
            json_decref(newest->record);
            newest->record = json_incref(record);
            newest->sequence = sty_json_int(record, "sequence", 0);
            snprintf(newest->foreign, sizeof newest->foreign, "%s",
                     sty_streq(installation, newest->installation) ? "" : installation);
        }
    }
    return 0;
}

int sty_report_verify(char last[STY_DIGEST_SIZE], struct sty_ledger *ledger, struct sty_repo *repo, const char *name,
                      struct sty_error *err)
{
    struct newest newest = {.installation = sty_ledger_installation(ledger)};
    int64_t ours = 0;
    int result = sty_notes_records(repo, name, look_at_note, &newest, err);
    json_auto_t *record = newest.record;
    if (result < 0 || sty_ledger_number(&ours, ledger, err, "SELECT count(*) FROM records", "") < 0)
        return -1;
    last[0] = '\0';
    if (record)
        sty_json_digest(last, record);
    if (!record || newest.foreign[0] == '\0')
        return 0;
    int64_t adopted = 0;
    if (sty_ledger_number(&adopted, ledger, err, "SELECT count(*) FROM records WHERE previous = ? AND seq = 1", "s",
                          last) < 0)
        return -1;
    if (adopted)
        return 0;
    if (ours == 0)
        return sty_error_set(
            err, STY_NOT_FOUND,
            "this ledger is empty, but '%s' has records in the source: it was lost. `styrmin sync --fresh`"
            " starts a new chain that names the last one found (%.19s)",
            name, last);
    return sty_error_set(
        err, STY_CONFLICT,
        "installation %.32s writes records under our name '%s': two installations share one name; give one"
        " of them another `name`",
        newest.foreign, name);
}
