/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depends_on between targets, asked anew each time something may begin: a dependency stands when it is active, not
 * tainted, and nothing of it is unfinished; a delete waits until nobody who stands needs the target any more.
 */
#include <string.h>
#include "run/engine_internal.h"

enum order { AFTER, BEFORE, ANY };
static const struct {
    const char *kind;
    enum order order;
} orders[] = {
    {"create", AFTER}, {"update", AFTER},  {"upgrade", AFTER},  {"downgrade", AFTER},
    {"start", AFTER},  {"delete", BEFORE}, {"release", BEFORE}, {"stop", ANY},
    {"heal", ANY},     {"restore", ANY},   {"adopt", ANY},
};

static enum order order_of(const char *kind)
{
    for (size_t i = 0; i < STY_COUNT(orders); i++)
        if (strcmp(orders[i].kind, kind) == 0)
            return orders[i].order;
    return ANY;
}

/* By git, without an end, where the policy says where; by hand until a time. */
static bool is_suspended(const struct sty_ledger *ledger, const json_t *policy, const json_t *row)
{
    const json_t *suspend = json_object_get(policy, "suspend");
    return json_is_object(suspend) || json_is_true(suspend) ||
           sty_json_int(row, "suspended_until", 0) > sty_ledger_now(ledger);
}

/* *held: nothing starts, whoever asks. */
static int read_policy(json_t **policy, bool *held, struct sty_ledger *ledger, int64_t target, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err, "SELECT policy, suspended_until FROM targets WHERE id = ?", "i", target) < 0)
        return -1;
    const char *text = sty_json_text(row, "policy", "{}");
    if (sty_json_parse(policy, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: policy of target %lld", (long long)target);
    *held = sty_json_bool(*policy, "observe", false) || is_suspended(ledger, *policy, row);
    return 0;
}

/* Active, not tainted, nothing unfinished. */
static int stands(bool *out, struct sty_ledger *ledger, const json_t *row, const char *deployment,
                  struct sty_error *err)
{
    int64_t count = 0;
    if (sty_ledger_number(&count, ledger, err,
                          "SELECT count(*) FROM targets t JOIN active a ON a.target = t.id WHERE t.cluster = ? AND"
                          " t.environment = ? AND t.deployment = ? AND t.tainted = 0 AND NOT EXISTS (SELECT 1 FROM"
                          " remediations r WHERE r.target = t.id AND r.state IN ('planned', 'running', 'waiting'))",
                          "sss", sty_json_text(row, "cluster", ""), sty_json_text(row, "environment", ""),
                          deployment) < 0)
        return -1;
    *out = count > 0;
    return 0;
}

static int dependencies_stand(bool *out, struct sty_ledger *ledger, const json_t *row, const json_t *policy,
                              struct sty_error *err)
{
    size_t i;
    json_t *name;
    *out = true;
    json_array_foreach (json_object_get(policy, "depends_on"), i, name) {
        if (stands(out, ledger, row, json_string_value(name), err) < 0)
            return -1;
        if (!*out)
            return 0;
    }
    return 0;
}

static int nobody_needs(bool *out, struct sty_ledger *ledger, const json_t *row, struct sty_error *err)
{
    int64_t count = 0;
    if (sty_ledger_number(&count, ledger, err,
                          "SELECT count(*) FROM targets t, json_each(t.policy, '$.depends_on') d WHERE t.cluster = ?"
                          " AND t.environment = ? AND d.value = ? AND t.id <> ? AND (EXISTS (SELECT 1 FROM active a"
                          " WHERE a.target = t.id) OR EXISTS (SELECT 1 FROM resources s WHERE s.target = t.id))",
                          "sssi", sty_json_text(row, "cluster", ""), sty_json_text(row, "environment", ""),
                          sty_json_text(row, "deployment", ""), sty_json_int(row, "target", 0)) < 0)
        return -1;
    *out = count == 0;
    return 0;
}

/* It failed, or has something left to do. */
static int is_behind(bool *out, struct sty_ledger *ledger, const char *target, struct sty_error *err)
{
    int64_t count = 0;
    const char *first = strchr(target, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    *out = false;
    if (!second)
        return 0;
    sty_auto_free char *cluster = sty_strndup(target, (size_t)(first - target));
    sty_auto_free char *environment = sty_strndup(first + 1, (size_t)(second - first - 1));
    if (sty_ledger_number(
            &count, ledger, err,
            "SELECT count(*) FROM targets t WHERE t.cluster = ? AND t.environment = ? AND t.deployment = ?"
            " AND (t.tainted = 1 OR EXISTS (SELECT 1 FROM remediations r WHERE r.target = t.id AND"
            " r.state IN ('planned', 'running', 'waiting')))",
            "sss", cluster, environment, second + 1) < 0)
        return -1;
    *out = count > 0;
    return 0;
}

/* What the plan puts before it has neither anything left to do nor failed. */
static int plan_allows(bool *out, struct sty_ledger *ledger, const json_t *row, struct sty_error *err)
{
    json_auto_t *after = NULL;
    const char *text = sty_json_text(row, "after", "[]");
    bool behind = false;
    if (sty_json_parse(&after, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: remediation %s", sty_json_text(row, "id", ""));
    for (size_t i = 0; !behind && i < json_array_size(after); i++)
        if (is_behind(&behind, ledger, json_string_value(json_array_get(after, i)), err) < 0)
            return -1;
    *out = !behind;
    return 0;
}

static int stage_allows(bool *out, struct sty_ledger *ledger, const json_t *row, const json_t *policy,
                        struct sty_error *err)
{
    switch (order_of(sty_json_text(row, "kind", ""))) {
    case AFTER:
        return dependencies_stand(out, ledger, row, policy, err);
    case BEFORE:
        return nobody_needs(out, ledger, row, err);
    case ANY:
        break;
    }
    *out = true;
    return 0;
}

/* What acts on the record alone is not held back. */
static bool touches_nothing(const char *kind)
{
    return strcmp(kind, "adopt") == 0 || strcmp(kind, "release") == 0;
}

int sty_engine_ready(bool *out, struct sty_ledger *ledger, const json_t *row, struct sty_error *err)
{
    json_auto_t *policy = NULL;
    bool held = false;
    *out = false;
    if (read_policy(&policy, &held, ledger, sty_json_int(row, "target", 0), err) < 0)
        return -1;
    if (held && !touches_nothing(sty_json_text(row, "kind", "")))
        return 0;
    if (plan_allows(out, ledger, row, err) < 0)
        return -1;
    return *out ? stage_allows(out, ledger, row, policy, err) : 0;
}
