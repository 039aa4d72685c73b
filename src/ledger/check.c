/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with the ledger. Each part is looked at even where another is broken: a damaged page must not hide that
 * a chain was tampered with.
 */
#include <stdio.h>
#include <string.h>

#include "ledger/ledger_internal.h"

enum { PAGE = 1000 };

static void add(json_t *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(json_t *problems, const char *format, ...)
{
    char text[600];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    json_array_append_new(problems, sty_json_string(text));
}

/* How far a chain was followed: the next link has number seq + 1 and names `digest`. */
struct link {
    int64_t seq;
    char digest[STY_DIGEST_SIZE];
};

static void follow(json_t *problems, const char *chain, struct link *last, const json_t *row, const char *digest)
{
    int64_t seq = sty_json_int(row, "seq", 0);
    if (seq != last->seq + 1)
        add(problems, "%s: %lld follows %lld", chain, (long long)seq, (long long)last->seq);
    if (strcmp(sty_json_text(row, "previous", ""), last->digest) != 0)
        add(problems, "%s: %lld does not follow from the one before it", chain, (long long)seq);
    last->seq = seq;
    snprintf(last->digest, sizeof last->digest, "%s", digest);
}

static void check_event(json_t *problems, struct link *last, const json_t *row)
{
    char hash[STY_DIGEST_SIZE] = "";
    struct sty_error ignored;
    const char *written = sty_json_text(row, "hash", "");
    follow(problems, "events", last, row, written);
    if (sty_event_hash(hash, row, &ignored) < 0 || strcmp(hash, written) != 0)
        add(problems, "events: %lld is not what was written", (long long)last->seq);
}

/* The digest is over the body, so what the body says counts: the columns beside it must agree. */
static void check_record(json_t *problems, struct link *last, const json_t *row)
{
    char digest[STY_DIGEST_SIZE];
    const char *body = sty_json_text(row, "body", ""), *written = sty_json_text(row, "digest", "");
    json_auto_t *record = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    follow(problems, "records", last, row, written);
    sty_digest(digest, body, strlen(body));
    if (strcmp(digest, written) != 0 || sty_json_int(record, "sequence", 0) != last->seq ||
        strcmp(sty_json_text(record, "previous", ""), sty_json_text(row, "previous", "")) != 0)
        add(problems, "records: %lld is not what was written", (long long)last->seq);
}

struct chain {
    const char *page; /* the rows after ?, in order */
    void (*check)(json_t *problems, struct link *last, const json_t *row);
};

static int check_chain(json_t *problems, struct sty_ledger *ledger, const struct chain *chain, struct link last,
                       struct sty_error *err)
{
    for (int64_t at = last.seq;;) {
        json_auto_t *rows = NULL;
        if (sty_ledger_rows(&rows, ledger, err, chain->page, "ii", at, (int64_t)PAGE) < 0)
            return -1;
        size_t count = json_array_size(rows);
        for (size_t i = 0; i < count; i++)
            chain->check(problems, &last, json_array_get(rows, i));
        if (count < PAGE)
            return 0;
        at = last.seq;
    }
}

static int check_events(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    static const struct chain chain = {"SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?", check_event};
    json_auto_t *checkpoint = NULL;
    struct link start;
    if (sty_ledger_row(&checkpoint, ledger, err, "SELECT seq, hash FROM checkpoints ORDER BY seq DESC LIMIT 1", "") < 0)
        return -1;
    start.seq = sty_json_int(checkpoint, "seq", 0);
    snprintf(start.digest, sizeof start.digest, "%s", sty_json_text(checkpoint, "hash", sty_ledger_genesis));
    return check_chain(problems, ledger, &chain, start, err);
}

static int check_records(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    static const struct chain chain = {
        "SELECT seq, digest, previous, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?", check_record};
    sty_auto_free char *after = NULL;
    struct link start = {.seq = 0};
    if (sty_ledger_meta_get(&after, ledger, "records_after", err) < 0)
        return -1;
    snprintf(start.digest, sizeof start.digest, "%s", after ? after : sty_ledger_genesis);
    return check_chain(problems, ledger, &chain, start, err);
}

typedef int (*get_content)(char **bytes, size_t *length, struct sty_ledger *ledger, const char *digest,
                           struct sty_error *err);

static int check_contents(json_t *problems, struct sty_ledger *ledger, const char *list, get_content get,
                          struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, ledger, err, list, "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        sty_auto_free char *bytes = NULL;
        size_t length = 0;
        if (get(&bytes, &length, ledger, sty_json_text(json_array_get(rows, i), "digest", ""), err) == 0)
            continue;
        if (err->code != STY_CORRUPT && err->code != STY_NOT_FOUND)
            return -1;
        add(problems, "%s", err->text);
    }
    return 0;
}

static int check_instances(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    return check_contents(problems, ledger, "SELECT digest FROM instances ORDER BY digest", sty_ledger_instance_get,
                          err);
}

static int check_blobs(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    return check_contents(problems, ledger, "SELECT digest FROM blobs ORDER BY digest", sty_ledger_blob_get, err);
}

static int check_integrity(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, ledger, err, "PRAGMA integrity_check", "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *text = sty_json_text(json_array_get(rows, i), "integrity_check", "");
        if (strcmp(text, "ok") != 0)
            add(problems, "file: %s", text);
    }
    return 0;
}

static int check_foreign_keys(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, ledger, err, "PRAGMA foreign_key_check", "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++)
        add(problems, "foreign keys: a row of %s refers to one of %s that is not there",
            sty_json_text(json_array_get(rows, i), "table", "?"),
            sty_json_text(json_array_get(rows, i), "parent", "?"));
    return 0;
}

int sty_ledger_check(json_t **problems, struct sty_ledger *ledger, struct sty_error *err)
{
    static int (*const parts[])(json_t *, struct sty_ledger *, struct sty_error *) = {
        check_integrity, check_foreign_keys, check_events, check_records, check_instances, check_blobs};
    json_auto_t *found = json_array();
    for (size_t i = 0; i < STY_COUNT(parts); i++) {
        if (parts[i](found, ledger, err) == 0)
            continue;
        if (err->code != STY_CORRUPT)
            return -1;
        add(found, "%s", err->text);
    }
    *problems = json_incref(found);
    return 0;
}
