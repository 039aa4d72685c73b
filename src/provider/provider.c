/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of providers. A new kind of resource is a new file and a new line here.
 */
#include "provider/provider_internal.h"

static const struct sty_provider *const all[] = {&sty_provider_directory,
                                                 &sty_provider_file,
                                                 &sty_provider_symlink,
                                                 &sty_provider_unit,
                                                 &sty_provider_process,
                                                 &sty_provider_command,
                                                 NULL};

const struct sty_provider *sty_provider_find(const char *type)
{
    for (const struct sty_provider *const *provider = all; *provider; provider++)
        if (sty_streq((*provider)->type, type))
            return *provider;
    return NULL;
}

const json_t *sty_call_spec(const struct sty_provider_call *call)
{
    return json_object_get(call->resource, "spec");
}

const char *sty_call_id(const struct sty_provider_call *call)
{
    return sty_json_text(call->resource, "id", "");
}
