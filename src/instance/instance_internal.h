/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * instance_internal: how one target is resolved (START: resolve.c: sty_resolve).
 *
 * Two lifetimes. What belongs to a document of the commit (a cluster, an environment, a driver with its files and its
 * parsed templates) is loaded once and kept by the resolver: ten thousand targets share it. What belongs to one target
 * lives in a `struct sty_work` and its arena and ends with the call. Mistakes go to work->problems; nothing stops at
 * the first, but a later part is left out when what it needs is missing.
 */
#include "instance/instance.h"
#include "instance/template.h"

struct sty_work;

/* ---- problems (trouble.c) ---- */

/* Where a mistake stands: what `pointer` names in a document. */
struct sty_problem sty_place_in(const struct sty_document *document, const char *pointer);
/* A mistake whose text begins with "file:line:column: ", as templates report it. */
void sty_problem_from_error(struct sty_problems *problems, const char *document, const struct sty_error *err);
/* Copy the problems of `from` that `to` has not yet. */
void sty_problems_join(struct sty_problems *to, const struct sty_problems *from);
/* The first mistake by place, as "file:line:column: message", in arena; NULL: none. */
const char *sty_problems_first(struct sty_arena *arena, const struct sty_problems *problems);

/* ---- manifest patterns (pattern.c): a part of a driver's manifest with its templates parsed ---- */

enum sty_pattern_kind { STY_PATTERN_LITERAL, STY_PATTERN_SCALAR, STY_PATTERN_LIST, STY_PATTERN_MAP };
struct sty_pattern {
    enum sty_pattern_kind kind;
    const json_t *literal; /* of the document */
    const struct sty_parsed *parsed;
    struct sty_pattern *items;
    const char **keys; /* MAP */
    size_t count;
    bool fixed; /* nothing in it is a template: what is made of it is the same for every target */
};
struct sty_pattern_source {
    struct sty_arena *arena;
    const struct sty_document *document;
    const char *label; /* "ApplicationDriver web/2" */
    struct sty_problems *problems;
};
void sty_pattern_compile(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                         const char *pointer);
/* As above, but an object stays a MAP even when nothing in it is a template. */
void sty_pattern_compile_map(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                             const char *pointer);
/* A MAP's item; NULL: none. */
const struct sty_pattern *sty_pattern_get(const struct sty_pattern *map, const char *key);
struct sty_pattern_use {
    const struct sty_rendering *rendering;
    const char *label;
    struct sty_problems *problems;
};
/* A new value; NULL after a mistake. A secret is a mistake. */
json_t *sty_pattern_render(const struct sty_pattern *pattern, const struct sty_pattern_use *use);
/* `env`: as above, but where a secret stands the value has the text without it, and `texts` gets NAME -> TEXT. */
json_t *sty_pattern_render_env(const struct sty_pattern *pattern, const struct sty_pattern_use *use, json_t *texts);
/* A step's `secrets`: each value is one tag of a secret and becomes its reference. */
json_t *sty_pattern_render_secrets(const struct sty_pattern *pattern, const struct sty_pattern_use *use);

/* ---- a driver, loaded once (driver.c, files.c) ---- */

struct sty_driver_file {
    const char *path; /* below the driver's folder */
    const char *mode; /* "0644", "0755", "symlink" */
    char oid[STY_OID_SIZE];
    const struct sty_blob *blob;
    const struct sty_parsed *parsed; /* when first used as a template */
};
struct sty_driver_files {
    struct sty_driver_file *items; /* by path */
    size_t count;
    const struct sty_blob *list; /* what driver.files names */
};
struct sty_files_source {
    struct sty_arena *arena;
    const struct sty_snapshot *snapshot;
    const char *folder;
    const char *label;
    struct sty_blobs *blobs;
    struct sty_problems *problems;
};
/* Fails only where git cannot be read; mistakes are in problems. */
int sty_driver_files_load(struct sty_driver_files *out, const struct sty_files_source *source, struct sty_error *err);
struct sty_driver_file *sty_driver_files_find(const struct sty_driver_files *files, const char *path);

/* A text that becomes a blob: what a file, a unit or a drop-in holds. */
struct sty_content_pattern {
    const char *pointer;             /* in the document, of what holds it */
    const char *key;                 /* "template", "file" or "content"; NULL: there is none */
    const struct sty_parsed *parsed; /* "content" */
};
struct sty_resource_pattern {
    const char *type, *name; /* name NULL: the component's only one */
    const char *pointer;     /* in the document, of the spec */
    struct sty_pattern spec;
    struct sty_content_pattern content;
    struct sty_content_pattern *drop_ins; /* of a unit, as they stand in the spec */
    size_t drop_in_count;
    json_t *built; /* a fixed spec, once made; owned by the resolver's arena */
};
struct sty_component_pattern {
    const char *name;
    const json_t *manifest;
    struct sty_resource_pattern *resources;
    size_t count;
    struct sty_pattern health; /* LITERAL NULL: none given */
};
struct sty_step_pattern {
    const char *type;
    const char *pointer;
    struct sty_pattern args;
    json_t *built; /* as above */
};
struct sty_action_pattern {
    const json_t *manifest;
    struct sty_step_pattern *steps;
    size_t count;
};
/* A document as the walk found it, with what it means for a target. */
struct sty_found {
    const char *key, *oid;               /* oid "": absent */
    const struct sty_document *document; /* NULL: absent or twice */
    bool twice;
};
struct sty_loaded_cluster {
    struct sty_found found;
    struct sty_cluster cluster;
    json_t *context;
};
struct sty_loaded_environment {
    struct sty_found found;
    struct sty_environment environment;
    json_t *context;
    struct sty_map merged; /* cluster -> merged config */
};
struct sty_loaded_driver {
    struct sty_found found;
    struct sty_driver driver;
    struct sty_problems problems;
    struct sty_driver_files files;
    struct sty_partials partials;
    struct sty_component_pattern *components; /* by name */
    size_t component_count;
    struct sty_action_pattern *actions;
    size_t action_count;
    struct sty_pattern services;
    json_t *context;
};
void sty_driver_compile(struct sty_loaded_driver *driver, const struct sty_pattern_source *source);
/* For struct sty_template_world: self is a struct sty_loaded_driver. */
int sty_driver_partial(void *self, const char **text, size_t *length, const char *name, struct sty_error *err);

struct sty_resolver {
    const struct sty_catalog *catalog;
    struct sty_blobs *blobs;
    struct sty_arena *arena;
    struct sty_map clusters, environments, drivers;
};
int sty_found_load(struct sty_found *out, const struct sty_resolver *resolver, enum sty_kind kind, const char *key,
                   struct sty_error *err);
/* Each found and loaded once; never NULL in *out. */
int sty_load_cluster(struct sty_loaded_cluster **out, struct sty_resolver *resolver, const char *name,
                     struct sty_error *err);
int sty_load_environment(struct sty_loaded_environment **out, struct sty_resolver *resolver, const char *name,
                         struct sty_error *err);
int sty_load_driver(struct sty_loaded_driver **out, struct sty_resolver *resolver, const char *key,
                    struct sty_error *err);
/* The config of cluster and environment merged; borrowed. */
json_t *sty_loaded_config(struct sty_resolver *resolver, struct sty_loaded_environment *environment,
                          const struct sty_loaded_cluster *cluster);

/* ---- one target ---- */

struct sty_work {
    struct sty_resolver *resolver;
    const struct sty_target *target;
    struct sty_arena *arena;
    struct sty_problems problems;
    const char *label;      /* "Deployment production/shop" */
    struct sty_found found; /* the Deployment */
    struct sty_deployment deployment;
    struct sty_loaded_cluster *cluster;
    struct sty_loaded_environment *environment;
    struct sty_loaded_driver *driver;
    const char *application, *version;
    const char *guard, *message, *remedy; /* message: of a guard, or of what is no mistake in a file */
    json_t *context, *secrets;
    struct sty_secret_nodes secret_nodes;
    struct sty_template_world world;
    struct sty_rendering rendering; /* of manifest scalars */
};
/*
 * Find the four documents and fill the inputs. *complete false: one is missing or wrong; work->problems, work->message
 * and work->remedy say which. `walk` (may be NULL) is what the walk knows already of documents with mistakes.
 */
int sty_work_open(struct sty_work *work, struct sty_resolved *out, bool *complete, const struct sty_problems *walk,
                  struct sty_error *err);
struct sty_pattern_use sty_work_use(struct sty_work *work);
/* A mistake at `pointer` of the Deployment, or of the driver's manifest. */
void sty_work_mistake(struct sty_work *work, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sty_driver_mistake(struct sty_work *work, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each makes its part of the Instance (a new reference) or NULL after a mistake. */
json_t *sty_parameters_build(struct sty_work *work, json_t *secrets);
int sty_context_build(struct sty_work *work);
json_t *sty_resources_build(struct sty_work *work, const struct sty_component_pattern *component);
/* Keep what was made of a fixed part for the targets to come. */
void sty_work_keep(struct sty_work *work, json_t **where, json_t *made);
json_t *sty_components_build(struct sty_work *work);
json_t *sty_health_build(struct sty_work *work, const struct sty_component_pattern *component);
json_t *sty_actions_build(struct sty_work *work);
/* Put CONTENT in the place of the rendered `spec`'s template, file or content, for an output that goes to `path`; null
 * where it has none. False after a mistake. */
bool sty_content_put(struct sty_work *work, const struct sty_content_pattern *content, json_t *spec, const char *path);
/* The spelling of a unit (unit.c). */
int sty_normal_unit(json_t *spec, struct sty_error *err);

/* ---- spelling (normal.c): one way to write each thing ---- */

/* `from` ("30s") leaves `object` and `to` (milliseconds) comes in; absent: `otherwise`, -1: nothing. */
int sty_normal_duration(json_t *object, const char *from, const char *to, int64_t otherwise, struct sty_error *err);
/* Four octal digits; absent: `otherwise`. */
int sty_normal_mode(json_t *object, const char *otherwise, struct sty_error *err);
int sty_normal_path(json_t *object, const char *key, struct sty_error *err);
/* The manifest's schema lets a template stand for a number, a boolean or a list; what it became must be one. */
struct sty_typed {
    const char *key;
    json_type type; /* JSON_TRUE: a boolean */
};
int sty_normal_types(const json_t *object, const struct sty_typed *typed, size_t count, struct sty_error *err);
/* Keys that become names: of environment variables, of a secret's file. */
int sty_normal_env(const json_t *env, struct sty_error *err);
int sty_normal_secrets(const json_t *secrets, struct sty_error *err);
/* A key that is not there becomes null, or an empty map or list. */
void sty_normal_null(json_t *object, const char *key);
void sty_normal_default(json_t *object, const char *key, json_t *otherwise);

/* Names so that each stands behind those `edges` (name -> array of names) names; NULL in *out and a name on a cycle in
 * *cycle otherwise. Names are given ordered. */
const char **sty_order(struct sty_arena *arena, const char **names, const json_t *components, const char **cycle);

/* ---- origins (origins.c) ---- */

struct sty_layer {
    const char *name; /* "cluster", "environment", "deployment", "driver" */
    const struct sty_document *document;
    char *pointer; /* in arena */
};
/* Which documents a context value can come from, weakest first; at most 3. */
size_t sty_layers_of(struct sty_layer layers[3], const struct sty_work *work, const char *context_pointer);
json_t *sty_origins_build(const struct sty_work *work, const json_t *instance);
/* [file, line, column] of what the layer says, and its value (borrowed); NULL: it says nothing. */
json_t *sty_layer_origin(const json_t **value, const struct sty_layer *layer);

/* The Explanation of a path in work->context; NULL: STY_NOT_FOUND. */
json_t *sty_explanation_build(const struct sty_work *work, const char *path, struct sty_error *err);

/* A canonical Instance from its value (stolen). */
struct sty_instance *sty_instance_make(json_t *value);
