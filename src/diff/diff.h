/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * diff: the structured difference of two Instances, and the one table that says what kind of change it is.
 *
 * Pure functions of their arguments. Calling sequence: sty_diff() on two Instances, sty_classify() on what it found.
 */
#include <stdbool.h>
#include "base/json.h"
#include "instance/instance.h"
#include "styrmin/error.h"

struct sty_diff {
    json_t *entries; /* [{"path","op":"add|remove|replace","from","to","origin"}], ordered by path; absent sides null */
    json_t *
        resources; /* [{"id","component","action":"create|update|delete"}]: creates and updates in component order, then deletes in reverse */
    bool version_changed; /* driver or application version, or another driver */
    bool driver_replaced; /* another driver name */
    bool lifecycle_changed;
    bool
        rest_changed; /* anything but versions and lifecycle that acts or shows: components, actions, on_failure, context, driver files */
    bool older; /* a version (driver or application) is older than before */
};
void sty_diff_clear(struct sty_diff *diff);

/*
 * From `from` to `to` (either may be NULL: nothing there). Paths are RFC 6901 pointers into the Instance; objects are
 * descended into, arrays compared whole, and rendered contents appear by their digest. A value with a secret shows its
 * reference only. `origins` (sty_resolve) may be NULL: then every origin is null.
 */
void sty_diff(struct sty_diff *out, const struct sty_instance *from, const struct sty_instance *to,
              const json_t *origins);

enum sty_change_class { STY_CHANGE_NONE, STY_CHANGE_LIFECYCLE, STY_CHANGE_CONTENT, STY_CHANGE_NEWER, STY_CHANGE_OLDER };

enum sty_remedy {
    STY_REMEDY_NONE,
    STY_REMEDY_CREATE,
    STY_REMEDY_UPDATE,
    STY_REMEDY_UPGRADE,
    STY_REMEDY_DOWNGRADE,
    STY_REMEDY_START,
    STY_REMEDY_STOP,
    STY_REMEDY_DELETE,
    STY_REMEDY_RESTORE,
    STY_REMEDY_HEAL,
    STY_REMEDY_ADOPT,
    STY_REMEDY_RELEASE
};
const char *sty_remedy_name(enum sty_remedy remedy); /* "create" */
bool sty_remedy_parse(enum sty_remedy *out, const char *name);

struct sty_facts {
    bool active;    /* there is an active Instance */
    bool desired;   /* git (or a pin) wants one */
    bool inventory; /* it is not empty */
    bool tainted;
    bool retain;   /* deletion: retain */
    bool stopping; /* the desired lifecycle is stopped */
    enum sty_change_class change;
};
enum sty_change_class sty_diff_class(const struct sty_diff *diff);
/* The table of design.md section 6. Laws (tested): nothing wanted and nothing there is none; same and clean is none;
 * tainted is never none while something is wanted or there. */
enum sty_remedy sty_classify(const struct sty_facts *facts);
