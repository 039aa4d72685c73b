/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two chains by digest: events, which tell everything in order, and records, which stand on commits.
 */
#include <stdio.h>
#include <string.h>

#include "ledger/ledger_internal.h"

const char sty_ledger_genesis[STY_DIGEST_SIZE] =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

int sty_event_hash(char out[STY_DIGEST_SIZE], const json_t *row, struct sty_error *err)
{
    sty_auto(str) bytes = STY_STR_INIT;
    json_auto_t *copy = json_copy((json_t *)row);
    json_object_del(copy, "hash");
    if (sty_json_canonical(&bytes, copy, err) < 0)
        return -1;
    sty_digest(out, bytes.data, bytes.length);
    return 0;
}

static int last_event(int64_t *seq, char hash[STY_DIGEST_SIZE], struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(
            &row, ledger, err,
            "SELECT seq, hash FROM events UNION ALL SELECT seq, hash FROM checkpoints ORDER BY seq DESC LIMIT 1",
            "") < 0)
        return -1;
    *seq = sty_json_int(row, "seq", 0);
    snprintf(hash, STY_DIGEST_SIZE, "%s", sty_json_text(row, "hash", sty_ledger_genesis));
    return 0;
}

int sty_ledger_event(struct sty_ledger *ledger, const struct sty_event *event, struct sty_error *err)
{
    char previous[STY_DIGEST_SIZE], hash[STY_DIGEST_SIZE];
    int64_t seq = 0, now = sty_ledger_now(ledger);
    if (last_event(&seq, previous, ledger, err) < 0)
        return -1;
    json_auto_t *empty = json_object();
    sty_auto_free char *data = sty_json_canonical_text(event->data ? event->data : empty);
    json_auto_t *row = json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:s, s:s}", "seq", (json_int_t)seq + 1, "at",
                                 (json_int_t)now, "kind", event->kind, "target", sty_json_string_or_null(event->target),
                                 "remediation", sty_json_string_or_null(event->remediation), "commit_oid",
                                 sty_json_string_or_null(event->commit), "data", data, "previous", previous);
    if (sty_event_hash(hash, row, err) < 0)
        return -1;
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO events (seq, at, kind, target, remediation, commit_oid, data, previous, hash)"
                           " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           "iisssssss", seq + 1, now, event->kind, event->target, event->remediation, event->commit,
                           data, previous, hash);
}

int sty_ledger_record(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const char *commit, json_t *record,
                      struct sty_error *err)
{
    json_auto_t *last = NULL;
    sty_auto_free char *found = NULL;
    char now[STY_DIGEST_SIZE];
    if (sty_ledger_row(&last, ledger, err, "SELECT seq, digest FROM records ORDER BY seq DESC LIMIT 1", "") < 0 ||
        sty_ledger_meta_get(&found, ledger, "records_after", err) < 0)
        return -1;
    int64_t seq = sty_json_int(last, "seq", 0) + 1;
    const char *previous = sty_json_text(last, "digest", found ? found : sty_ledger_genesis);
    json_object_set_new(record, "sequence", json_integer(seq));
    json_object_set_new(record, "previous", json_string(previous));
    json_object_set_new(record, "installation", json_string(sty_ledger_installation(ledger)));
    sty_json_digest(now, record);
    if (sty_ledger_exec(ledger, err,
                        "INSERT INTO records (seq, digest, previous, commit_oid, body) VALUES (?, ?, ?, ?, ?)", "isssj",
                        seq, now, previous, commit, record) < 0)
        return -1;
    memcpy(digest, now, STY_DIGEST_SIZE);
    return 0;
}
