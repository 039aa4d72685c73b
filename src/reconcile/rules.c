/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the environments that a walk touches: budgets, review and mode from their documents, and what the
 * commits since the last walk allow by trailer.
 */
#include "reconcile/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char trailer[] = "Styrmin-Allow:";

static void take_amount(int64_t *amount, const char *text)
{
    int64_t number = 0;
    struct sty_error ignored;
    if (sty_number_parse(&number, text, 0, INT32_MAX, &ignored) == 0 && number > *amount)
        *amount = number;
}

/* "delete=3, change=40" */
static void take_words(struct sty_allowance *allowance, char *words)
{
    char *rest = words;
    for (char *word; (word = strsep(&rest, ", \t\r"));) {
        if (sty_starts_with(word, "delete="))
            take_amount(&allowance->deletes, word + strlen("delete="));
        else if (sty_starts_with(word, "change="))
            take_amount(&allowance->changes, word + strlen("change="));
    }
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t\r")] == '\0';
}

/* Trailers stand in the last paragraph, which is not the first one, as git-interpret-trailers(1) has it. */
void sty_allowance_read(struct sty_allowance *allowance, const char *message)
{
    sty_auto_free char *text = sty_strdup(message);
    struct sty_allowance found = *allowance;
    bool between = false, title = true, any = false;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        bool blank = is_blank(line);
        if (!blank && between && any) { /* another paragraph: what was found above is no trailer */
            found = *allowance;
            title = false;
        }
        between = blank;
        any = any || !blank;
        if (!title && strncasecmp(line, trailer, strlen(trailer)) == 0)
            take_words(&found, line + strlen(trailer));
    }
    *allowance = found;
}

static int count_active(int64_t *out, struct sty_walk *walk, const char *environment, struct sty_error *err)
{
    return sty_ledger_number(out, walk->ledger, err,
                             "SELECT count(*) FROM active a JOIN targets t ON t.id = a.target WHERE t.environment = ?",
                             "s", environment);
}

/* Without a document that can be read nothing is loosened: what the targets' rows remember holds. */
static void remembered(struct sty_plan_environment *out, const struct sty_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        if (strcmp(walk->facts[i].names.environment, out->name) == 0 &&
            sty_json_bool(walk->subjects[i].policy, "observe", false))
            out->observe = true;
}

static int read_rules(struct sty_plan_environment *out, struct sty_walk *walk, struct sty_error *err)
{
    const struct sty_document *document = NULL;
    struct sty_environment environment;
    bool twice = false;
    out->budget = (struct sty_budget){.deletes = 1, .changes = -1};
    if (walk->catalog && sty_catalog_find(&document, &twice, walk->catalog, STY_KIND_ENVIRONMENT, out->name, err) < 0)
        return -1;
    if (!document || !document->value) {
        remembered(out, walk);
        return 0;
    }
    sty_environment_read(&environment, document);
    out->budget = environment.budget;
    out->review_required = environment.review_required;
    out->observe = environment.observe;
    return 0;
}

static int add_environment(struct sty_walk *walk, const char *name, const struct sty_allowance *allowance,
                           struct sty_error *err)
{
    struct sty_plan_environment rules = {
        .name = name, .allow_deletes = allowance->deletes, .allow_changes = allowance->changes};
    if (read_rules(&rules, walk, err) < 0)
        return -1;
    bool percent = rules.budget.deletes_percent || rules.budget.changes_percent;
    if (percent && count_active(&rules.active, walk, name, err) < 0)
        return -1;
    walk->environments[walk->environment_count++] = rules;
    return 0;
}

static bool planned_before(const struct sty_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        for (size_t o = 0; o < json_array_size(walk->subjects[i].open); o++)
            if (sty_streq(sty_json_text(json_array_get(walk->subjects[i].open, o), "state", ""), "planned"))
                return true;
    return false;
}

/* A crash between plan and start has the same commit walked again: what it allowed, it still allows. */
static int read_allowance(struct sty_allowance *out, struct sty_walk *walk, struct sty_error *err)
{
    struct sty_commit tip;
    for (size_t i = 0; i < walk->commit_count; i++)
        sty_allowance_read(out, walk->commits[i].message);
    if (walk->commit_count || !walk->snapshot.commit[0] || !planned_before(walk))
        return 0;
    if (sty_repo_commit(&tip, walk->arena, walk->snapshot.repo, walk->snapshot.commit, err) < 0)
        return -1;
    sty_allowance_read(out, tip.message);
    return 0;
}

int sty_walk_rules(struct sty_walk *walk, struct sty_error *err)
{
    struct sty_allowance allowance = {-1, -1};
    struct sty_map names = STY_MAP_INIT;
    int result = 0;
    if (read_allowance(&allowance, walk, err) < 0)
        return -1;
    for (size_t i = 0; i < walk->count; i++)
        if (!sty_map_has(&names, walk->facts[i].names.environment))
            sty_map_set(&names, walk->facts[i].names.environment, (void *)walk->facts[i].names.environment);
    walk->environments = sty_arena_alloc(walk->arena, (names.count + 1) * sizeof(*walk->environments));
    for (size_t i = 0; result == 0 && i < names.used; i++)
        result = add_environment(walk, names.entries[i].value, &allowance, err);
    sty_map_clear(&names);
    return result;
}
