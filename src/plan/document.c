/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as the documents that programs and people read (design.md section 15). */
#include "plan/plan_internal.h"

#include <stdlib.h>
#include <string.h>

json_t *sty_plan_remediation_json(const struct sty_plan_remediation *remediation)
{
    json_t *document = NULL;
    struct sty_error err;
    if (sty_json_parse(&document, remediation->text, strlen(remediation->text), &err) < 0)
        abort();
    json_t *after = json_array();
    for (const char *const *name = remediation->after; *name; name++)
        json_array_append_new(after, json_string(*name));
    json_object_set_new(document, "after", after);
    return document;
}

json_t *sty_plan_blocked_json(const struct sty_plan_blocked *blocked)
{
    const char *kind = blocked->kind == STY_REMEDY_NONE ? NULL : sty_remedy_name(blocked->kind);
    const struct sty_target *names = &blocked->target->names;
    json_t *out = json_pack("{s:s?, s:s, s:s, s:s, s:s, s:s?, s:s}", "digest", blocked->digest, "target", blocked->name,
                            "deployment", names->deployment, "environment", names->environment, "cluster",
                            names->cluster, "kind", kind, "reason", blocked->why.reason);
    json_object_set_new(out, "message", sty_json_string_or_null(blocked->why.message));
    json_object_set_new(out, "remedy", sty_json_string_or_null(blocked->why.remedy));
    return out;
}

json_t *sty_plan_document(const struct sty_plan *plan, const char *commit, const char *base)
{
    json_t *blocked = json_array();
    for (size_t i = 0; i < plan->blocked_count; i++)
        json_array_append_new(blocked, sty_plan_blocked_json(&plan->blocked[i]));
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o, s:I, s:o}", "kind", "Plan", "digest", plan->digest, "whole",
                     plan->whole, "commit", commit, "base", base, "remediations", json_array(), "unchanged",
                     (json_int_t)plan->unchanged, "blocked", blocked);
}
