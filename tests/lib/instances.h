/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Instances for tests, from JSON with single quotes: only what a test is about has to be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "instance/instance.h"

/* "{'a': 1}" as JSON. A new reference. */
static inline json_t *relaxed_json(const char *text)
{
    sty_auto_free char *copy = sty_strdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return value;
}

/* "directory:/a" has type directory and id file:/a; "process:x" is both. */
static inline json_t *resource_of(const char *text, const char *spec)
{
    sty_auto_free char *type = sty_strndup(text, strcspn(text, ":"));
    bool file = strcmp(type, "directory") == 0 || strcmp(type, "symlink") == 0;
    sty_auto_free char *id = file ? sty_sprintf("file%s", strchr(text, ':')) : sty_strdup(text);
    return json_pack("{s:s, s:s, s:o}", "id", id, "type", type, "spec", relaxed_json(spec));
}

static inline void complete_component(json_t *body)
{
    json_auto_t *defaults = relaxed_json("{'depends_on': [], 'restart_on': [], 'reload_on': [], 'health': null,"
                                         " 'drift': {'policy': 'heal', 'ignore_fields': []}}");
    json_t *resources = json_array(), *short_forms = json_object_get(body, "resources");
    const char *text = NULL;
    json_t *spec = NULL;
    json_object_update_missing(body, defaults);
    json_object_foreach (short_forms, text, spec) {
        json_t *resource = resource_of(text, "{}");
        json_object_set(resource, "spec", spec);
        json_array_append_new(resources, resource);
    }
    json_object_set_new(body, "resources", resources);
}

/*
 * The Instance of "c/e/NAME" with driver web 1 and application 1.0 unless said otherwise; a component's resources are
 * written {'file:/a': SPEC, ...}.
 */
static inline struct sty_instance *instance_of(const char *name, const char *text)
{
    json_auto_t *value = relaxed_json(text);
    json_auto_t *defaults =
        relaxed_json("{'format': 1, 'cluster': 'c', 'environment': 'e', 'lifecycle': 'running', 'context': {},"
                     " 'driver': {'name': 'web', 'version': '1', 'files': 'sha256:one'},"
                     " 'application': {'name': 'web', 'version': '1.0'}, 'components': {}, 'actions': [],"
                     " 'on_failure': {'update': 'restore', 'upgrade': 'hold', 'downgrade': 'hold', 'attempts': 1}}");
    json_object_update_missing(value, defaults);
    json_object_set_new(value, "deployment", json_string(name));
    const char *component = NULL;
    json_t *body = NULL;
    json_object_foreach (json_object_get(value, "components"), component, body)
        complete_component(body);
    sty_auto_free char *bytes = sty_json_canonical_text(value);
    struct sty_instance *made = NULL;
    struct sty_error err;
    assert_int_equal(sty_instance_parse(&made, bytes, strlen(bytes), NULL, &err), 0);
    return made;
}
