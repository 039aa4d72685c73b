/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Deployment of an Environment that no document describes has no place anywhere: nothing would be planned for it, so
 * the mistake is said where the name stands.
 */
#include <string.h>

#include "definition/definition.h"

static int tell(const struct sty_catalog *catalog, const struct sty_document *deployment, const char *environment,
                struct sty_problems *problems, struct sty_error *err)
{
    const struct sty_document *open = NULL;
    bool twice = false;
    if (sty_catalog_find(&open, &twice, catalog, STY_KIND_DEPLOYMENT, deployment->key, err) < 0)
        return -1;
    sty_auto_free char *document = sty_sprintf("Deployment %s", deployment->key);
    struct sty_problem where = {.file = deployment->path, .document = document};
    sty_marks_find(&where.line, &where.column, open ? open->marks : NULL, "/spec/environment");
    sty_problems_add(problems, &where, "there is no Environment '%s'", environment);
    return 0;
}

int sty_catalog_homeless(bool *out, const struct sty_catalog *catalog, const struct sty_document *deployment,
                         struct sty_problems *problems, struct sty_error *err)
{
    const struct sty_document *environment = NULL;
    const char *slash = strchr(deployment->key, '/');
    bool twice = false;
    sty_auto_free char *name = sty_strndup(deployment->key, slash ? (size_t)(slash - deployment->key) : 0);
    if (sty_catalog_find(&environment, &twice, catalog, STY_KIND_ENVIRONMENT, name, err) < 0)
        return -1;
    *out = !environment && !twice;
    return *out && problems ? tell(catalog, deployment, name, problems, err) : 0;
}
