/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people call things: targets by a suffix of their name, ids by their beginning, Instances by what they are to a
 * target. A name that could mean several things is refused with all of them.
 */
#include <ctype.h>
#include <string.h>

#include "cli/ledger_view_internal.h"

enum { SHOWN = 5 };

/* "a, b, c, ..." of a column. */
static void enumerate(struct sty_str *out, const json_t *rows, const char *column)
{
    for (size_t i = 0; i < json_array_size(rows) && i < SHOWN; i++)
        sty_str_appendf(out, "%s%s", i ? ", " : "", sty_json_text(json_array_get(rows, i), column, ""));
    if (json_array_size(rows) > SHOWN)
        sty_str_append(out, ", ...");
}

static int only(json_t **row, const json_t *rows, const char *name, const char *column, struct sty_error *err)
{
    sty_auto(str) all = STY_STR_INIT;
    enumerate(&all, rows, column);
    if (json_array_size(rows) > 1)
        return sty_error_set(err, STY_USAGE, "'%.128s' could be %s", name, all.data);
    *row = json_incref(json_array_get(rows, 0));
    return 0;
}

static int no_target(struct sty_ledger *ledger, const char *pattern, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    sty_auto(str) known = STY_STR_INIT;
    if (sty_ledger_rows(&rows, ledger, err,
                        "SELECT cluster || '/' || environment || '/' || deployment AS name FROM targets ORDER BY name"
                        " LIMIT ?",
                        "i", (int64_t)SHOWN + 1) < 0)
        return -1;
    enumerate(&known, rows, "name");
    return sty_error_set(err, STY_NOT_FOUND, "no target '%.128s' in the ledger; there %s %s", pattern,
                         json_array_size(rows) == 1 ? "is" : "are", json_array_size(rows) ? known.data : "none yet");
}

int sty_name_target(json_t **row, struct sty_ledger *ledger, const char *pattern, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, ledger, err,
                        "SELECT *, cluster || '/' || environment || '/' || deployment AS name FROM targets WHERE ?1 IN"
                        " (deployment, environment || '/' || deployment, cluster || '/' || environment || '/' ||"
                        " deployment) ORDER BY name",
                        "s", pattern) < 0)
        return -1;
    return json_array_size(rows) == 0 ? no_target(ledger, pattern, err) : only(row, rows, pattern, "name", err);
}

/* ---- ids ---- */

static bool could_be_id(const char *text)
{
    size_t length = strlen(text);
    return length >= 4 && length <= 64 && strspn(text, "0123456789abcdef") == length;
}

int sty_name_id(json_t **row, struct sty_ledger *ledger, const char *prefix, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    const char *hex = sty_starts_with(prefix, "sha256:") ? prefix + strlen("sha256:") : prefix;
    if (!could_be_id(hex))
        return sty_error_set(err, STY_USAGE, "'%.128s' is no id: at least 4 hex digits of one", prefix);
    if (sty_ledger_rows(&rows, ledger, err,
                        "SELECT 'remediation' AS kind, id, id || ' (' || kind || ' of ' || cluster || '/' ||"
                        " environment || '/' || deployment || ')' AS words FROM remediations"
                        " WHERE ?2 AND id >= ?1 AND id < ?1 || 'g' UNION ALL"
                        " SELECT 'commit', oid, oid || ' (commit)' FROM commits WHERE ?2 AND oid >= ?1 AND"
                        " oid < ?1 || 'g' UNION ALL"
                        " SELECT 'instance', digest, digest || ' (Instance)' FROM instances"
                        " WHERE digest >= 'sha256:' || ?1 AND digest < 'sha256:' || ?1 || 'g' LIMIT 6",
                        "sb", hex, hex == prefix) < 0)
        return -1;
    if (json_array_size(rows) == 0)
        return sty_error_set(err, STY_NOT_FOUND, "nothing in the ledger has an id that begins with '%s'", prefix);
    return only(row, rows, prefix, "words", err);
}

/* ---- Instances ---- */

struct named {
    const json_t *target; /* its row */
    const char *name;     /* what was asked, for messages */
};

static int nothing(const struct named *named, const char *why, struct sty_error *err)
{
    return sty_error_set(err, STY_NOT_FOUND, "%.128s: %s %s", named->name, sty_json_text(named->target, "name", ""),
                         why);
}

static int take(char digest[STY_DIGEST_SIZE], const char *found, const struct named *named, const char *why,
                struct sty_error *err)
{
    if (!found)
        return nothing(named, why, err);
    snprintf(digest, STY_DIGEST_SIZE, "%s", found);
    return 0;
}

static int active_one(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const struct named *named,
                      struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err, "SELECT instance FROM active WHERE target = ?", "i",
                       sty_json_int(named->target, "id", 0)) < 0)
        return -1;
    return take(digest, sty_json_text(row, "instance", NULL), named, "has no active Instance", err);
}

/* The n-th before the active one. Work that led to the same Instance again is one, so is what stood before it. */
static int one_before(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const struct named *named, int64_t n,
                      struct sty_error *err)
{
    json_auto_t *rows = NULL;
    char at[STY_DIGEST_SIZE] = "";
    if (sty_ledger_rows(&rows, ledger, err,
                        "SELECT to_instance FROM remediations WHERE target = ? AND state = 'succeeded' AND to_instance"
                        " IS NOT NULL AND kind NOT IN ('delete', 'release') ORDER BY finished_at DESC, seq DESC",
                        "i", sty_json_int(named->target, "id", 0)) < 0 ||
        active_one(at, ledger, named, err) < 0)
        return -1;
    for (size_t i = 0; n > 0 && i < json_array_size(rows); i++) {
        const char *instance = sty_json_text(json_array_get(rows, i), "to_instance", "");
        if (strcmp(instance, at) == 0)
            continue;
        snprintf(at, sizeof at, "%s", instance);
        n--;
    }
    return take(digest, n == 0 ? at : NULL, named, "has no active Instance so far back", err);
}

static int one_then(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const struct named *named, int64_t then,
                    struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err,
                       "SELECT iif(kind IN ('delete', 'release'), NULL, to_instance) AS instance FROM remediations"
                       " WHERE target = ? AND state = 'succeeded' AND finished_at <= ?"
                       " ORDER BY finished_at DESC, seq DESC LIMIT 1",
                       "ii", sty_json_int(named->target, "id", 0), then) < 0)
        return -1;
    return take(digest, sty_json_text(row, "instance", NULL), named, "had no active Instance then", err);
}

/* What stands behind the @. */
static int by_relation(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const struct named *named,
                       const char *relation, struct sty_error *err)
{
    int64_t number = 0;
    size_t length = strlen(relation);
    if (strcmp(relation, "active") == 0)
        return active_one(digest, ledger, named, err);
    if (strcmp(relation, "desired") == 0)
        return take(digest, sty_json_text(named->target, "desired", NULL), named, "has no desired Instance", err);
    if (length < 3 || relation[0] != '{' || relation[length - 1] != '}')
        return sty_error_set(err, STY_USAGE, "'@%.64s': an Instance is @active, @desired, @{1} or @{2026-03-01}",
                             relation);
    sty_auto_free char *inner = sty_strndup(relation + 1, length - 2);
    if (strspn(inner, "0123456789") == strlen(inner))
        return sty_number_parse(&number, inner, 0, 1000000, err) < 0 ? -1
                                                                     : one_before(digest, ledger, named, number, err);
    return sty_time_parse(&number, inner, err) < 0 ? -1 : one_then(digest, ledger, named, number, err);
}

int sty_name_instance(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const char *name, struct sty_error *err)
{
    json_auto_t *target = NULL, *id = NULL;
    const char *at = strchr(name, '@');
    sty_auto_free char *pattern = at ? sty_strndup(name, (size_t)(at - name)) : sty_strdup(name);
    struct sty_error ignored;
    if (!at && could_be_id(pattern + (sty_starts_with(pattern, "sha256:") ? strlen("sha256:") : 0)) &&
        sty_name_target(&target, ledger, pattern, &ignored) < 0) {
        if (sty_name_id(&id, ledger, pattern, err) < 0)
            return -1;
        if (!sty_streq(sty_json_text(id, "kind", ""), "instance"))
            return sty_error_set(err, STY_USAGE, "%s is no Instance", sty_json_text(id, "words", ""));
        snprintf(digest, STY_DIGEST_SIZE, "%s", sty_json_text(id, "id", ""));
        return 0;
    }
    if (!target && sty_name_target(&target, ledger, pattern, err) < 0)
        return -1;
    const struct named named = {target, name};
    return by_relation(digest, ledger, &named, at ? at + 1 : "active", err);
}

int sty_name_instance_open(struct sty_instance **out, struct sty_ledger *ledger, const char *name,
                           struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE];
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    if (sty_name_instance(digest, ledger, name, err) < 0)
        return -1;
    if (sty_ledger_instance_get(&bytes, &length, ledger, digest, err) < 0)
        return err->code == STY_NOT_FOUND
                   ? sty_error_set(err, STY_NOT_FOUND, "%.128s is %.19s, which is no longer kept (retention.instances)",
                                   name, digest)
                   : -1;
    return sty_instance_parse(out, bytes, length, digest, err);
}

/* ---- remediations ---- */

int sty_name_remediation(json_t **row, struct sty_ledger *ledger, const char *name, struct sty_error *err)
{
    json_auto_t *id = NULL, *found = NULL;
    if (sty_ledger_row(&found, ledger, err,
                       "SELECT * FROM remediations WHERE ?1 IN (deployment, environment || '/' || deployment,"
                       " cluster || '/' || environment || '/' || deployment) ORDER BY seq DESC LIMIT 1",
                       "s", name) < 0)
        return -1;
    if (!found && could_be_id(name)) {
        if (sty_name_id(&id, ledger, name, err) < 0)
            return -1;
        if (sty_ledger_row(&found, ledger, err, "SELECT * FROM remediations WHERE id = ?", "s",
                           sty_json_text(id, "id", "")) < 0)
            return -1;
    }
    if (!found)
        return sty_error_set(err, STY_NOT_FOUND, "'%.128s' is no target that anything was done to, and no remediation",
                             name);
    *row = json_incref(found);
    return 0;
}
