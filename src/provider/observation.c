/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was found, in the form in which every stage reads it: a state, differences by JSON pointer, a word for people.
 */
#include <stdio.h>
#include "provider/provider_internal.h"

void sty_observation_differs(struct sty_observation *out, const char *path, json_t *wanted, json_t *found)
{
    if (!out->diff)
        out->diff = json_array();
    json_t *entry = json_pack("{s:s, s:s}", "path", path, "op", "replace");
    if (wanted)
        json_object_set_new(entry, "from", wanted);
    if (found)
        json_object_set_new(entry, "to", found);
    json_array_append_new(out->diff, entry);
    out->state = STY_OBSERVED_DIFFERENT;
}

void sty_observation_missing(struct sty_observation *out, const char *message)
{
    out->state = STY_OBSERVED_MISSING;
    snprintf(out->message, sizeof(out->message), "%s", message);
}

int sty_observation_unknown(struct sty_observation *out, const struct sty_error *why)
{
    sty_observation_clear(out);
    out->state = STY_OBSERVED_UNKNOWN;
    snprintf(out->message, sizeof(out->message), "%.*s", (int)sizeof(out->message) - 1, why->text);
    return 0;
}

void sty_observation_clear(struct sty_observation *observation)
{
    json_decref(observation->diff);
    *observation = (struct sty_observation){.state = STY_OBSERVED_SAME};
}
