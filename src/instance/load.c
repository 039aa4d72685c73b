/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that many targets share, found and prepared once a walk: what makes ten thousand targets of one driver cost
 * one reading of it.
 */
#include <string.h>
#include "instance/instance_internal.h"

int sty_found_load(struct sty_found *out, const struct sty_resolver *resolver, enum sty_kind kind, const char *key,
                   struct sty_error *err)
{
    *out = (struct sty_found){.key = sty_arena_strdup(resolver->arena, key), .oid = ""};
    if (sty_catalog_find(&out->document, &out->twice, resolver->catalog, kind, out->key, err) < 0)
        return -1;
    if (out->document && out->document->blob)
        out->oid = out->document->blob;
    return 0;
}

static bool is_usable(const struct sty_found *found)
{
    return found->document && found->document->valid && !found->document->stale;
}

static json_t *layer_context(const char *name, const json_t *config)
{
    return json_pack("{s:s, s:o}", "name", name, "config", config ? json_incref((json_t *)config) : json_object());
}

static void drop_map(void *map)
{
    sty_map_clear(map);
}

int sty_load_cluster(struct sty_loaded_cluster **out, struct sty_resolver *resolver, const char *name,
                     struct sty_error *err)
{
    *out = sty_map_get(&resolver->clusters, name);
    if (*out)
        return 0;
    struct sty_loaded_cluster *cluster = sty_arena_alloc(resolver->arena, sizeof(*cluster));
    if (sty_found_load(&cluster->found, resolver, STY_KIND_CLUSTER, name, err) < 0)
        return -1;
    if (is_usable(&cluster->found)) {
        sty_cluster_read(&cluster->cluster, cluster->found.document);
        cluster->context = layer_context(name, cluster->cluster.config);
        sty_json_own(resolver->arena, cluster->context);
    }
    sty_map_set(&resolver->clusters, name, cluster);
    *out = cluster;
    return 0;
}

int sty_load_environment(struct sty_loaded_environment **out, struct sty_resolver *resolver, const char *name,
                         struct sty_error *err)
{
    *out = sty_map_get(&resolver->environments, name);
    if (*out)
        return 0;
    struct sty_loaded_environment *environment = sty_arena_alloc(resolver->arena, sizeof(*environment));
    if (sty_found_load(&environment->found, resolver, STY_KIND_ENVIRONMENT, name, err) < 0)
        return -1;
    sty_arena_own(resolver->arena, &environment->merged, drop_map);
    if (is_usable(&environment->found)) {
        sty_environment_read(&environment->environment, environment->found.document);
        environment->context = layer_context(name, environment->environment.config);
        sty_json_own(resolver->arena, environment->context);
    }
    sty_map_set(&resolver->environments, name, environment);
    *out = environment;
    return 0;
}

json_t *sty_loaded_config(struct sty_resolver *resolver, struct sty_loaded_environment *environment,
                          const struct sty_loaded_cluster *cluster)
{
    json_t *merged = sty_map_get(&environment->merged, cluster->found.key);
    if (merged)
        return merged;
    json_auto_t *below = sty_json_merge_patch(NULL, json_object_get(cluster->context, "config"));
    merged = sty_json_merge_patch(below, json_object_get(environment->context, "config"));
    sty_json_own(resolver->arena, merged);
    sty_map_set(&environment->merged, cluster->found.key, merged);
    return merged;
}

/* The folder's tree is the driver's identity, also where its manifest cannot be read. */
static int find_tree(struct sty_loaded_driver *driver, const struct sty_resolver *resolver, struct sty_error *err)
{
    const struct sty_snapshot *snapshot = sty_catalog_snapshot(resolver->catalog);
    const char *folder = sty_arena_printf(resolver->arena, "drivers/%s", driver->found.key);
    struct sty_entry entry;
    driver->found.oid = "";
    if (sty_tree_entry(&entry, snapshot, folder, err) < 0)
        return err->code == STY_NOT_FOUND ? 0 : -1;
    if (entry.kind == STY_ENTRY_TREE)
        driver->found.oid = sty_arena_strdup(resolver->arena, entry.oid);
    return 0;
}

static int prepare_driver(struct sty_loaded_driver *driver, struct sty_resolver *resolver, struct sty_error *err)
{
    struct sty_arena *arena = resolver->arena;
    sty_driver_read(&driver->driver, driver->found.document);
    const char *label = sty_arena_printf(arena, "%s %s", sty_kind_name(STY_KIND_DRIVER), driver->found.key);
    struct sty_files_source files = {.arena = arena,
                                     .snapshot = sty_catalog_snapshot(resolver->catalog),
                                     .folder = driver->driver.folder,
                                     .label = label,
                                     .blobs = resolver->blobs,
                                     .problems = &driver->problems};
    if (sty_driver_files_load(&driver->files, &files, err) < 0)
        return -1;
    struct sty_pattern_source source = {
        .arena = arena, .document = driver->found.document, .label = label, .problems = &driver->problems};
    sty_driver_compile(driver, &source);
    driver->partials.arena = arena;
    driver->partials.folder = sty_arena_printf(arena, "%s/", driver->driver.folder);
    driver->context = json_pack("{s:s, s:s}", "name", driver->driver.name, "version", driver->driver.version);
    sty_json_own(arena, driver->context);
    return 0;
}

int sty_load_driver(struct sty_loaded_driver **out, struct sty_resolver *resolver, const char *key,
                    struct sty_error *err)
{
    *out = sty_map_get(&resolver->drivers, key);
    if (*out)
        return 0;
    struct sty_loaded_driver *driver = sty_arena_alloc(resolver->arena, sizeof(*driver));
    sty_problems_init(&driver->problems, resolver->arena);
    sty_arena_own(resolver->arena, &driver->partials.parsed, drop_map);
    if (sty_found_load(&driver->found, resolver, STY_KIND_DRIVER, key, err) < 0 || find_tree(driver, resolver, err) < 0)
        return -1;
    if (is_usable(&driver->found) && prepare_driver(driver, resolver, err) < 0)
        return -1;
    sty_map_set(&resolver->drivers, key, driver);
    *out = driver;
    return 0;
}
