/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a unit is spelled. What is not said stays as it is found, but for its run state: a unit follows its component's,
 * unless it is a template, of which only instances run.
 */
#include <string.h>
#include "instance/instance_internal.h"

#define TIMEOUT_MS 300000

static int check_drop_ins(const json_t *drop_ins, struct sty_error *err)
{
    for (size_t i = 0; i < json_array_size(drop_ins); i++)
        for (size_t j = 0; j < i; j++) {
            const char *name = sty_json_text(json_array_get(drop_ins, i), "name", "");
            if (sty_streq(name, sty_json_text(json_array_get(drop_ins, j), "name", "")))
                return sty_error_set(err, STY_INVALID, "two drop-ins are called '%s'", name);
        }
    return 0;
}

int sty_normal_unit(json_t *spec, struct sty_error *err)
{
    const json_t *enabled = json_object_get(spec, "enabled");
    bool template = strstr(sty_json_text(spec, "name", ""), "@.");
    if (enabled && !json_is_boolean(enabled) && !sty_streq(json_string_value(enabled), "keep"))
        return sty_error_set(err, STY_INVALID, "enabled: wants true, false or keep");
    sty_normal_default(spec, "enabled", json_string("keep"));
    sty_normal_default(spec, "state", json_string(template ? "keep" : "started"));
    sty_normal_default(spec, "drop_ins", json_array());
    if (template && !sty_streq(sty_json_text(spec, "state", ""), "keep"))
        return sty_error_set(err, STY_INVALID, "state: a template is neither started nor stopped, its instances are");
    if (check_drop_ins(json_object_get(spec, "drop_ins"), err) < 0)
        return -1;
    return sty_normal_duration(spec, "timeout", "timeout_ms", TIMEOUT_MS, err);
}
