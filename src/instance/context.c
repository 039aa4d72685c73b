/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged values that a driver's templates and actions see (design.md section 4, Context). Parts that targets share
 * are shared by reference: nothing changes a context once it is made.
 */
#include <string.h>
#include "instance/instance_internal.h"

static json_t *share(const json_t *value)
{
    return value ? json_incref((json_t *)value) : json_object();
}

static json_t *instance_part(struct sty_work *work)
{
    const json_t *below = sty_loaded_config(work->resolver, work->environment, work->cluster);
    json_t *config = sty_json_merge_patch(below, work->deployment.config);
    return json_pack("{s:o, s:s, s:s}", "config", config ? config : json_object(), "namespace",
                     work->deployment.namespace, "release", work->deployment.name);
}

/* Every component has a place, so that templates can name its overrides whether or not there are any. */
static json_t *components_part(struct sty_work *work)
{
    json_t *components = json_object();
    for (size_t i = 0; i < work->driver->component_count; i++) {
        const char *name = work->driver->components[i].name;
        json_t *overrides = json_object();
        json_object_update(overrides, json_object_get(work->deployment.components, name));
        sty_normal_default(overrides, "env", json_object());
        sty_normal_default(overrides, "args", json_array());
        json_object_set_new(components, name, overrides);
    }
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)work->deployment.components, name, value) {
        sty_auto(str) pointer = STY_STR_INIT;
        sty_str_append(&pointer, "/spec/components");
        sty_json_pointer_append(&pointer, name);
        if (!json_object_get(components, name))
            sty_work_mistake(work, pointer.data, "driver %s %s has no component '%s'", work->driver->driver.name,
                             work->driver->driver.version, name);
    }
    return components;
}

static json_t *service_host(const struct sty_work *work, const char *service, const char *scope)
{
    const json_t *config = json_object_get(json_object_get(work->context, "instance"), "config");
    const char *suffix = sty_json_text(config, "fqdn_suffix", NULL);
    const struct sty_deployment *deployment = &work->deployment;
    if (sty_streq(scope, "external") && suffix)
        return sty_json_string(sty_arena_printf(work->arena, "%s.%s.%s", service, deployment->name, suffix));
    if (work->cluster->cluster.kubernetes)
        return sty_json_string(sty_arena_printf(work->arena, "%s.%s.svc", service, deployment->namespace));
    return json_string("127.0.0.1");
}

/* Services are templates over all the rest of the context. */
static json_t *services_part(struct sty_work *work)
{
    json_t *services = json_object();
    if (!work->driver->services.literal)
        return services;
    struct sty_pattern_use use = sty_work_use(work);
    json_auto_t *list = sty_pattern_render(&work->driver->services, &use);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *service = json_array_get(list, i);
        const char *name = sty_json_text(service, "name", "");
        const char *pointer = sty_arena_printf(work->arena, "/spec/services/%zu", i);
        struct sty_problem place = sty_place_in(work->driver->found.document, pointer);
        place.document = work->label;
        if (!sty_schema_check(service, "driver#/$defs/service", &place, &work->problems))
            continue;
        if (json_object_get(services, name))
            sty_driver_mistake(work, pointer, "a service of the name '%s' is there already", name);
        json_object_set_new(service, "host", service_host(work, name, sty_json_text(service, "scope", "")));
        json_object_set(services, name, service);
    }
    return services;
}

static void prepare_world(struct sty_work *work)
{
    work->world = (struct sty_template_world){
        .context = work->context, .secrets = work->secrets, .partial = sty_driver_partial, .self = work->driver};
    sty_secret_nodes_find(&work->secret_nodes, work->arena, &work->world);
    work->rendering = (struct sty_rendering){
        .world = &work->world, .secrets = &work->secret_nodes, .partials = &work->driver->partials};
}

struct sty_pattern_use sty_work_use(struct sty_work *work)
{
    return (struct sty_pattern_use){.rendering = &work->rendering, .label = work->label, .problems = &work->problems};
}

void sty_work_keep(struct sty_work *work, json_t **where, json_t *made)
{
    *where = json_incref(made);
    sty_json_own(work->resolver->arena, *where);
}

int sty_context_build(struct sty_work *work)
{
    size_t before = work->problems.errors;
    work->context = json_object();
    work->secrets = json_object();
    json_object_set(work->context, "cluster", work->cluster->context);
    json_object_set(work->context, "environment", work->environment->context);
    json_object_set_new(
        work->context, "deployment",
        json_pack("{s:s, s:o}", "name", work->deployment.name, "config", share(work->deployment.config)));
    json_object_set_new(work->context, "instance", instance_part(work));
    json_object_set_new(work->context, "app",
                        json_pack("{s:s, s:s}", "name", work->application, "version", work->version));
    json_object_set(work->context, "driver", work->driver->context);
    json_object_set_new(work->context, "parameters", sty_parameters_build(work, work->secrets));
    json_object_set_new(work->context, "components", components_part(work));
    if (work->problems.errors != before)
        return -1;
    prepare_world(work);
    json_object_set_new(work->context, "services", services_part(work));
    return work->problems.errors == before ? 0 : -1;
}
