/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records checked with nothing but a clone: whoever audits needs neither our ledger nor our word. One chain from the
 * first record to the last, each naming the one before by digest, each on the commit that it speaks of.
 */
#include <stdio.h>
#include <string.h>

#include "report/report.h"

struct audit {
    struct sty_repo *repo;
    const char *name;
    json_t *records; /* digest -> {"commit","record"} */
    json_t *problems;
    char start[STY_DIGEST_SIZE]; /* of the one that follows nothing */
};

static void complain(struct audit *audit, const char *commit, const json_t *record, const char *message)
{
    json_t *sequence = json_object_get(record, "sequence");
    json_array_append_new(audit->problems, json_pack("{s:s, s:O?, s:o}", "commit", commit, "sequence", sequence,
                                                     "message", sty_json_string(message)));
}

static void take_record(struct audit *audit, const char *commit, json_t *record)
{
    char digest[STY_DIGEST_SIZE];
    sty_json_digest(digest, record);
    if (!sty_streq(sty_json_text(record, "commit", ""), commit))
        complain(audit, commit, record, "the record speaks of another commit than the one it stands on");
    if (json_object_get(audit->records, digest))
        complain(audit, commit, record, "the record stands twice");
    else
        json_object_set_new(audit->records, digest, json_pack("{s:s, s:O}", "commit", commit, "record", record));
}

/* The text of a commit ends with the digest of the record that it was written from. */
static int check_text(struct audit *audit, const char *commit, struct sty_error *err)
{
    static const char trailer[] = "\nStyrmin-Record: ";
    sty_auto(str) text = STY_STR_INIT;
    char digest[STY_DIGEST_SIZE];
    if (sty_notes_read(&text, NULL, audit->repo, audit->name, commit, err) < 0)
        return -1;
    const char *at = strstr(text.data, trailer);
    if (text.length == 0)
        return 0;
    snprintf(digest, sizeof(digest), "%.71s", at ? at + strlen(trailer) : "");
    const json_t *named = json_object_get(audit->records, digest);
    if (!named || !sty_streq(sty_json_text(named, "commit", ""), commit))
        complain(audit, commit, NULL, "the note's text names no record of this commit");
    return 0;
}

static int look(void *self, const char *commit, const char *bytes, size_t length, struct sty_error *err)
{
    struct audit *audit = self;
    json_auto_t *records = NULL;
    struct sty_error wrong;
    if (sty_records_parse(&records, bytes, length, &wrong) < 0) {
        complain(audit, commit, NULL, wrong.text);
        return 0;
    }
    for (size_t i = 0; i < json_array_size(records); i++)
        take_record(audit, commit, json_array_get(records, i));
    return check_text(audit, commit, err);
}

/* Numbers go up by one in an installation's chain, and begin anew where another installation carries it on. */
static bool numbers_fit(const json_t *before, const json_t *record)
{
    bool same = sty_streq(sty_json_text(before, "installation", ""), sty_json_text(record, "installation", ""));
    return sty_json_int(record, "sequence", 0) == (same ? sty_json_int(before, "sequence", 0) + 1 : 1);
}

static void check_links(struct audit *audit)
{
    const char *digest;
    json_t *entry;
    json_object_foreach (audit->records, digest, entry) {
        const json_t *record = json_object_get(entry, "record");
        const char *previous = sty_json_text(record, "previous", ""), *commit = sty_json_text(entry, "commit", "");
        json_t *before = json_object_get(audit->records, previous);
        if (!before && (audit->start[0] || sty_json_int(record, "sequence", 0) != 1))
            complain(audit, commit, record, "the record before it is missing");
        else if (!before)
            snprintf(audit->start, sizeof(audit->start), "%s", digest);
        else if (json_object_get(before, "next"))
            complain(audit, commit, record, "another record follows the same one: the chain forks here");
        else if (!numbers_fit(json_object_get(before, "record"), record))
            complain(audit, commit, record, "its number does not follow the one before");
        if (before && !json_object_get(before, "next"))
            json_object_set_new(before, "next", json_string(digest));
    }
}

/* Along the chain: who wrote it, and from when to when. */
static void summarise(json_t *out, const struct audit *audit)
{
    json_t *installations = json_array();
    const json_t *entry = json_object_get(audit->records, audit->start), *last = entry;
    json_object_set(out, "first", json_object_get(json_object_get(entry, "record"), "at"));
    for (size_t i = 0; entry && i < json_object_size(audit->records); i++) {
        json_t *installation = json_object_get(json_object_get(entry, "record"), "installation");
        if (!sty_json_has(installations, json_string_value(installation)))
            json_array_append(installations, installation);
        last = entry;
        entry = json_object_get(audit->records, sty_json_text(entry, "next", ""));
    }
    json_object_set(out, "last", json_object_get(json_object_get(last, "record"), "at"));
    json_object_set_new(out, "installations", installations);
}

int sty_records_verify(json_t **out, struct sty_repo *repo, const char *name, struct sty_error *err)
{
    json_auto_t *records = json_object(), *problems = json_array();
    struct audit audit = {.repo = repo, .name = name, .records = records, .problems = problems};
    if (sty_notes_records(repo, name, look, &audit, err) < 0)
        return -1;
    check_links(&audit);
    json_t *found = json_pack("{s:I, s:n, s:n, s:O}", "records", (json_int_t)json_object_size(records), "first", "last",
                              "problems", problems);
    summarise(found, &audit);
    *out = found;
    return 0;
}
