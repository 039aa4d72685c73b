/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of change it is, and so what kind of workflow: one table, from design.md section 6. A row holds when each of
 * its columns is the fact, or is `any`; the first that holds decides. The laws: nothing wanted and nothing there is
 * none; the same and not tainted is none; tainted is never none while something is wanted or there.
 */
#include "diff/diff.h"

#include <string.h>

static const char *const names[] = {"none", "create", "update",  "upgrade", "downgrade", "start",
                                    "stop", "delete", "restore", "heal",    "adopt",     "release"};

const char *sty_remedy_name(enum sty_remedy remedy)
{
    return names[remedy];
}

bool sty_remedy_parse(enum sty_remedy *out, const char *name)
{
    for (size_t i = 0; i < STY_COUNT(names); i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum sty_remedy)i;
            return true;
        }
    return false;
}

enum fact { NO, YES, ANY };

static const struct row {
    enum fact active, desired, there; /* there: an active Instance, an inventory, or a taint */
    enum fact tainted, retain, stopping;
    int change; /* enum sty_change_class, or -1 for any */
    enum sty_remedy remedy;
} table[] = {
    /* active desired there tainted retain stopping  change                remedy */
    {ANY, NO, NO, ANY, ANY, ANY, -1, STY_REMEDY_NONE},
    {ANY, NO, YES, ANY, YES, ANY, -1, STY_REMEDY_RELEASE},
    {ANY, NO, YES, ANY, NO, ANY, -1, STY_REMEDY_DELETE},
    {NO, YES, ANY, ANY, ANY, ANY, -1, STY_REMEDY_CREATE},
    {YES, YES, ANY, NO, ANY, ANY, STY_CHANGE_NONE, STY_REMEDY_NONE},
    {YES, YES, ANY, YES, ANY, ANY, STY_CHANGE_NONE, STY_REMEDY_RESTORE},
    {YES, YES, ANY, ANY, ANY, ANY, STY_CHANGE_OLDER, STY_REMEDY_DOWNGRADE},
    {YES, YES, ANY, ANY, ANY, ANY, STY_CHANGE_NEWER, STY_REMEDY_UPGRADE},
    {YES, YES, ANY, YES, ANY, ANY, STY_CHANGE_LIFECYCLE, STY_REMEDY_UPDATE},
    {YES, YES, ANY, NO, ANY, YES, STY_CHANGE_LIFECYCLE, STY_REMEDY_STOP},
    {YES, YES, ANY, NO, ANY, NO, STY_CHANGE_LIFECYCLE, STY_REMEDY_START},
    {YES, YES, ANY, ANY, ANY, ANY, STY_CHANGE_CONTENT, STY_REMEDY_UPDATE},
};

static bool is(enum fact wanted, bool fact)
{
    return wanted == ANY || (wanted == YES) == fact;
}

static bool holds(const struct row *row, const struct sty_facts *facts)
{
    bool there = facts->active || facts->inventory || facts->tainted;
    return is(row->active, facts->active) && is(row->desired, facts->desired) && is(row->there, there) &&
           is(row->tainted, facts->tainted) && is(row->retain, facts->retain) && is(row->stopping, facts->stopping) &&
           (row->change < 0 || row->change == (int)facts->change);
}

enum sty_remedy sty_classify(const struct sty_facts *facts)
{
    for (size_t i = 0; i < STY_COUNT(table); i++)
        if (holds(&table[i], facts))
            return table[i].remedy;
    return STY_REMEDY_NONE;
}

enum sty_change_class sty_diff_class(const struct sty_diff *diff)
{
    if (diff->version_changed)
        return diff->older ? STY_CHANGE_OLDER : STY_CHANGE_NEWER;
    if (diff->rest_changed)
        return STY_CHANGE_CONTENT;
    return diff->lifecycle_changed ? STY_CHANGE_LIFECYCLE : STY_CHANGE_NONE;
}
