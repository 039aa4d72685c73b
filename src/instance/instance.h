/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * instance: a Deployment on one cluster with every value resolved (design.md sections 4 and 5).
 *
 * An Instance is what the way carries from here on: no templates, no defaults left open, secrets as references only.
 * Two Instances are the same if and only if their digests are. The bytes are canonical JSON (RFC 8785):
 *
 *   {"format":1, "cluster":NAME, "environment":NAME, "deployment":NAME,
 *    "driver":{"name","version","files":DIGEST}, "application":{"name","version"}, "lifecycle":"running"|"stopped",
 *    "context":{...},
 *    "components":{NAME:{
 *        "resources":[{"id","type","spec":{...}}], "depends_on":[..], "restart_on":[..], "reload_on":[..],
 *        "health":null|{...}, "drift":{"policy":"heal|report|ignore","ignore_fields":[..]}}},
 *    "on_failure":{"update","upgrade","downgrade","attempts"},
 *    "actions":[{"name","hook","mode","steps":[STEP]}]}
 *
 * Every default of a driver's manifest is filled in; durations are whole milliseconds in keys that end in _ms
 * (timeout: 30s -> timeout_ms: 30000); modes are four octal digits as text.
 *
 * Resource specs by type (all paths normalised; owner and group null when not given):
 *   directory {path, mode, owner, group}
 *   file      {path, mode, owner, group, content:CONTENT, validate:null|[argv]}
 *   symlink   {path, target}
 *   unit      {name, content:CONTENT|null, drop_ins:[{name, content:CONTENT}], enabled:true|false|"keep",
 *              state:"started"|"stopped"|"keep", timeout_ms}; content null: the unit is there already, and not ours
 *   process   {command:[..], env:{NAME:TEXT}, user, directory, stop_timeout_ms, stop_signal}
 *   command   {check:[..], apply:[..], remove:[..], timeout_ms, env:{NAME:TEXT}, user}
 * CONTENT: {"digest":DIGEST, "size":n, "holes":[HOLE]}: a blob; TEXT: "plain", or {"text":"..", "holes":[HOLE]} where a
 * secret stands. HOLE: {"n":from 0, "offset":byte in the blob or text, "reference":{from_file|from_env|from_command},
 * "escape":"none|json|yaml|shell|html"}: at apply the secret's value, escaped by sty_escape_append(), is put in at the
 * offset; quotes around it, where the text needs them, are in the text already. Holes are ordered by n and offset.
 * Relative argv[0] and paths in argv of commands and steps ("./actions/migrate") are relative to the driver's files.
 *
 * HEALTH: {"http":{"url","status"}} | {"tcp":{"host","port"}} | {"command":[argv]} with "timeout_ms", "interval_ms"
 * beside it; with these alone, or null: the provider's own state. A command's "remove" may be []: nothing to do.
 *
 * STEP: {"type":T, "args":{..}}:
 *   apply   {"components":"all"|"changed"|[names]}     start, stop, restart, reload {"components":[names]}
 *   run     {"command":[..],"timeout_ms","once":bool,"verify":null|[..],"env":{NAME:TEXT},"secrets":{FILENAME:REFERENCE},
 *            "user":null|NAME,"retries":n}
 *   http    {"url","status","method","timeout_ms","interval_ms"}
 *   wait    {"component":NAME,"timeout_ms"} | {"duration_ms"}
 *
 * `driver.files` is the digest of the canonical list [[path, mode, digest], ...] ordered by path, which is itself a
 * blob; mode is "0644", "0755" or "symlink". *.md files that nothing in the driver uses are not in it.
 *
 * Calling sequence: sty_resolve() per target; the result's Instance outlives the arena of the walk if taken.
 */
#include <stdbool.h>
#include "base/digest.h"
#include "base/json.h"
#include "base/map.h"
#include "definition/definition.h"
#include "styrmin/error.h"

#define STY_INSTANCE_FORMAT 1

struct sty_target {
    const char *cluster, *environment, *deployment;
};
/* "cluster/environment/deployment", in arena. */
const char *sty_target_text(struct sty_arena *arena, const struct sty_target *target);
/* True if `text` is a suffix of whole segments of the target's full name ("shop", "production/shop", full). */
bool sty_target_matches(const struct sty_target *target, const char *text);

/* ---- blobs: contents by digest, each once ---- */

struct sty_blob {
    char digest[STY_DIGEST_SIZE];
    const char *bytes;
    size_t length;
};
struct sty_blobs {
    struct sty_arena *arena;
    struct sty_map by_digest; /* -> struct sty_blob */
};
void sty_blobs_init(struct sty_blobs *blobs, struct sty_arena *arena);
void sty_blobs_clear(struct sty_blobs *blobs);
const struct sty_blob *sty_blobs_add(struct sty_blobs *blobs, const void *bytes, size_t length);
const struct sty_blob *sty_blobs_get(const struct sty_blobs *blobs, const char *digest);

/* ---- the Instance ---- */

struct sty_instance; /* heap object, immutable but for the cached json */

/* From stored bytes; `digest` must be theirs (STY_CORRUPT), NULL takes whatever it is. */
int sty_instance_parse(struct sty_instance **out, const char *bytes, size_t length, const char *digest,
                       struct sty_error *err);
void sty_instance_free(struct sty_instance *instance);
STY_DEFINE_AUTO_PTR(instance)
const char *sty_instance_digest(const struct sty_instance *instance);
const char *sty_instance_bytes(size_t *length, const struct sty_instance *instance);
/* The decoded form, borrowed, parsed when first asked for. Not thread-safe before that. */
const json_t *sty_instance_json(const struct sty_instance *instance);
/* Drop the decoded form and keep the bytes: ten thousand Instances fit into memory. */
void sty_instance_fold(struct sty_instance *instance);
/* Digests of every blob it needs (contents, driver files, the file list), NULL-terminated, in arena; of driver files
 * only the list itself is named, as its entries are not in the Instance. */
const char **sty_instance_blobs(struct sty_arena *arena, const struct sty_instance *instance);
/* A resource by id: borrowed, with its component's name; NULL: none. */
const json_t *sty_instance_resource(const char **component, const struct sty_instance *instance, const char *id);
/* Component names so that each stands behind those it depends on (ties by name); NULL-terminated, in arena. */
const char **sty_instance_component_order(struct sty_arena *arena, const struct sty_instance *instance);

/* ---- resolving ---- */

/* One document or tree that an Instance came from. oid "" : it was looked for and is absent. */
struct sty_input {
    enum sty_kind kind;
    const char *key;
    const char *oid; /* cluster, environment, deployment: the file's blob; driver: its folder's tree */
};
struct sty_resolver; /* one walk's memory: driver files, parsed templates, blobs */
int sty_resolver_new(struct sty_resolver **out, const struct sty_catalog *catalog, struct sty_blobs *blobs,
                     struct sty_error *err);
void sty_resolver_free(struct sty_resolver *resolver);
STY_DEFINE_AUTO_PTR(resolver)

struct sty_resolved {
    struct sty_instance *instance; /* owned by the caller; NULL: mistakes, see problems */
    struct sty_input inputs[4];    /* always filled, also on mistakes: who is to be resolved again, and when */
    size_t input_count;
    /* Pointer into the Instance -> [file, line, column], for every leaf of the context, for versions and lifecycle, and
     * for components, resources and actions as a whole; only with `want_origins`; owned by the caller. */
    json_t *origins;
    /* Texts are borrowed from the resolver. */
    const char *guard;   /* "supported_versions": a guard that is no mistake of a document; NULL: none */
    const char *message; /* first mistake or the guard's words, with file:line:column */
    const char *remedy;  /* what to do; may be NULL */
};
void sty_resolved_clear(struct sty_resolved *resolved);
/*
 * Resolve one target. Pure: reads the catalog's snapshot and nothing else. Mistakes of definitions are no failure: they
 * are in out->message and `problems`. Fails only where git or the store cannot be read.
 */
int sty_resolve(struct sty_resolved *out, struct sty_resolver *resolver, const struct sty_target *target,
                bool want_origins, struct sty_problems *problems, struct sty_error *err);

/*
 * Where the value at `path` ("instance.config.log_level" in the context; "" for all) came from: the Explanation document
 * of section 15 without target fields: {"path","value","origin","layers":[{"layer","value","origin"}]}, origins as
 * {"file","line","column"}. STY_NOT_FOUND names the nearest path that is there. A new reference.
 */
int sty_resolve_explain(json_t **out, struct sty_resolver *resolver, const struct sty_target *target, const char *path,
                        struct sty_error *err);

/* ---- templates (Mustache), also used where a template stands alone ---- */

enum sty_escape { STY_ESCAPE_NONE, STY_ESCAPE_YAML, STY_ESCAPE_JSON, STY_ESCAPE_SHELL, STY_ESCAPE_HTML };
/* By the output's name: .yaml .yml .json .sh .html .htm .xml, else none; a trailing .mustache does not count. */
enum sty_escape sty_escape_for(const char *path);

/*
 * Append `text` as a HOLE's `escape` wants it: "json" as inside JSON's double quotes, "yaml" and "shell" as inside
 * single quotes of YAML and sh, "html" as HTML text, anything else as it is. The quotes are the caller's.
 */
void sty_escape_append(struct sty_str *out, const char *how, const char *text, size_t length);

struct sty_template {
    const char *file; /* for messages */
    int line, column; /* where the text begins in that file (1, 1 for a file of its own) */
    const char *text;
    size_t length;
    enum sty_escape escape;
};
struct sty_template_world {
    const json_t *context;
    const json_t *secrets; /* pointer into the context -> reference; where one is used a hole is made; NULL: none */
    /* A partial's text by name, borrowed; NULL: none, then partials are an error. STY_NOT_FOUND. */
    int (*partial)(void *self, const char **text, size_t *length, const char *name, struct sty_error *err);
    void *self;
};
/* Append the output; `holes` gets a HOLE per secret (NULL: a secret is an error). Output at most 16 MiB, depth 32.
 * STY_INVALID: "file:line:column: message". */
int sty_template_render(struct sty_str *out, json_t *holes, const struct sty_template *template,
                        const struct sty_template_world *world, struct sty_error *err);
