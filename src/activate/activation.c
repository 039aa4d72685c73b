/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction in which work becomes the recorded state. One table says which parts of a target's row each kind of
 * remediation settles.
 */
#include "activate/activate.h"

#include <string.h>

#include "instance/instance.h"

enum settles {
    ACTIVE = 1, /* to_instance is the active one */
    GONE = 2,   /* nothing is: the target leaves the ledger */
    MARKS = 4,  /* once-marks end */
    HEALED = 8  /* it counts against the flap limit */
};
enum { DAY_MS = 86400000 };
static const struct {
    const char *kind;
    unsigned settles;
} kinds[] = {
    {"create", ACTIVE | MARKS}, {"update", ACTIVE | MARKS}, {"upgrade", ACTIVE | MARKS}, {"downgrade", ACTIVE | MARKS},
    {"start", ACTIVE},          {"stop", ACTIVE},           {"adopt", ACTIVE},           {"restore", ACTIVE},
    {"heal", ACTIVE | HEALED},  {"delete", GONE},           {"release", GONE},
};

static unsigned settled_by(const char *kind)
{
    for (size_t i = 0; i < STY_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].settles;
    return 0;
}

/* From now on this driver version may not change (design.md section 4). */
static int freeze_driver(struct sty_ledger *ledger, const struct sty_instance *instance, struct sty_error *err)
{
    const json_t *driver = json_object_get(sty_instance_json(instance), "driver");
    return sty_ledger_exec(
        ledger, err, "INSERT INTO drivers (name, version, files) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", "sss",
        sty_json_text(driver, "name", ""), sty_json_text(driver, "version", ""), sty_json_text(driver, "files", ""));
}

/* What the Instance holds was applied from it, or is equal to what it says. */
static int point_inventory(struct sty_ledger *ledger, int64_t target, const struct sty_instance *instance,
                           struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, ledger, err, "SELECT place, id FROM resources WHERE target = ? AND instance <> ?", "is",
                        target, sty_instance_digest(instance)) < 0)
        return -1;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        const char *component = NULL, *id = sty_json_text(row, "id", "");
        if (!sty_instance_resource(&component, instance, id))
            continue;
        if (sty_ledger_exec(ledger, err, "UPDATE resources SET instance = ?, component = ? WHERE place = ? AND id = ?",
                            "ssss", sty_instance_digest(instance), component, sty_json_text(row, "place", ""), id) < 0)
            return -1;
    }
    return 0;
}

static int write_active(struct sty_ledger *ledger, const json_t *remediation, const struct sty_instance *instance,
                        struct sty_error *err)
{
    const json_t *tree = sty_instance_json(instance), *driver = json_object_get(tree, "driver");
    sty_auto_free char *driver_key =
        sty_sprintf("%s/%s", sty_json_text(driver, "name", ""), sty_json_text(driver, "version", ""));
    return sty_ledger_exec(
        ledger, err,
        "INSERT INTO active (target, instance, commit_oid, since, remediation, driver, version, lifecycle)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (target) DO UPDATE SET instance = excluded.instance, commit_oid = excluded.commit_oid,"
        " since = excluded.since, remediation = excluded.remediation, driver = excluded.driver,"
        " version = excluded.version, lifecycle = excluded.lifecycle WHERE active.instance <> excluded.instance",
        "ississss", sty_json_int(remediation, "target", 0), sty_instance_digest(instance),
        sty_json_text(remediation, "commit_oid", ""), sty_ledger_now(ledger), sty_json_text(remediation, "id", ""),
        driver_key, sty_json_text(json_object_get(tree, "application"), "version", NULL),
        sty_json_text(tree, "lifecycle", NULL));
}

static int make_active(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    int64_t target = sty_json_int(remediation, "target", 0);
    const char *digest = sty_json_text(remediation, "to_instance", "");
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    sty_auto_ptr(instance) instance = NULL;
    if (sty_ledger_instance_get(&bytes, &length, ledger, digest, err) < 0 ||
        sty_instance_parse(&instance, bytes, length, digest, err) < 0 ||
        write_active(ledger, remediation, instance, err) < 0 || freeze_driver(ledger, instance, err) < 0 ||
        point_inventory(ledger, target, instance, err) < 0)
        return -1;
    return sty_ledger_exec(ledger, err, "UPDATE targets SET tainted = 0, tried = ? WHERE id = ?", "si", digest, target);
}

static int count_heals(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    int64_t now = sty_ledger_now(ledger);
    if (sty_ledger_exec(ledger, err, "DELETE FROM heals WHERE at < ?", "i", now - DAY_MS) < 0)
        return -1;
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO heals (target, id, at) SELECT ?, json_extract(value, '$.id'), ? FROM"
                           " json_each(?, '$.resources')",
                           "iis", sty_json_int(remediation, "target", 0), now,
                           sty_json_text(remediation, "document", "{}"));
}

/* What was applied is as it should be, until somebody looks again; after a heal that is at once. */
static int close_drift(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    return sty_ledger_exec(ledger, err,
                           "DELETE FROM drift WHERE target = ?1 AND (?2 = 'adopt' OR id IN (SELECT json_extract(value,"
                           " '$.id') FROM json_each(?3, '$.resources')))",
                           "iss", sty_json_int(remediation, "target", 0), sty_json_text(remediation, "kind", ""),
                           sty_json_text(remediation, "document", "{}"));
}

static int forget_target(struct sty_ledger *ledger, int64_t target, struct sty_error *err)
{
    static const char *const statements[] = {
        "DELETE FROM resources WHERE target = ?",
        "DELETE FROM active WHERE target = ?",
        "DELETE FROM marks WHERE target = ?",
        "DELETE FROM run_states WHERE target = ?",
        "DELETE FROM drift WHERE target = ?",
        "DELETE FROM heals WHERE target = ?",
        "UPDATE targets SET tainted = 0, tried = NULL, quarantined = NULL, pinned = NULL, pin_request = NULL WHERE id "
        "= ?",
        "DELETE FROM targets WHERE id = ? AND wanted = 0",
    };
    for (size_t i = 0; i < STY_COUNT(statements); i++)
        if (sty_ledger_exec(ledger, err, statements[i], "i", target) < 0)
            return -1;
    return 0;
}

/*
 * A quarantine is of a digest: it ends when that one became active, or when nobody wants it any more. What was in the
 * way of the wanted Instance is behind it once that is active.
 */
static int settle(struct sty_ledger *ledger, int64_t target, struct sty_error *err)
{
    return sty_ledger_exec(ledger, err,
                           "UPDATE targets SET quarantined = CASE WHEN quarantined IN (desired, pinned) AND quarantined"
                           " IS NOT (SELECT instance FROM active WHERE target = id) THEN quarantined END,"
                           " blocked = CASE WHEN wanted = 1 AND coalesce(pinned, desired) IS (SELECT instance FROM"
                           " active WHERE target = id) THEN NULL ELSE blocked END WHERE id = ?",
                           "i", target);
}

static int note_what_is_left(struct sty_ledger *ledger, int64_t target, struct sty_error *err)
{
    return sty_ledger_exec(
        ledger, err,
        "UPDATE targets SET unsettled = coalesce(pinned, desired) IS NOT (SELECT instance FROM active"
        " WHERE target = id) OR (pinned IS NOT NULL AND pinned IS NOT desired) OR tainted OR"
        " blocked IS NOT NULL OR quarantined IS NOT NULL OR"
        " wanted = 0 WHERE id = ?",
        "i", target);
}

int sty_activate(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    int64_t target = sty_json_int(remediation, "target", 0);
    const char *kind = sty_json_text(remediation, "kind", "");
    unsigned settles = settled_by(kind);
    if (settles == 0)
        return sty_error_set(err, STY_INTERNAL, "nothing says what the success of a '%s' settles", kind);
    if ((settles & ACTIVE) && (make_active(ledger, remediation, err) < 0 || settle(ledger, target, err) < 0))
        return -1;
    if ((settles & ACTIVE) && !(settles & HEALED) && close_drift(ledger, remediation, err) < 0)
        return -1;
    if ((settles & GONE) && forget_target(ledger, target, err) < 0)
        return -1;
    if ((settles & HEALED) && count_heals(ledger, remediation, err) < 0)
        return -1;
    if ((settles & MARKS) && sty_ledger_exec(ledger, err, "DELETE FROM marks WHERE target = ?", "i", target) < 0)
        return -1;
    return note_what_is_left(ledger, target, err);
}
