/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * definition: the documents of one commit (design.md section 4), decoded by the JSON Schemas in schemas/, and the
 * catalog that answers what a name means in that commit.
 *
 * Three files, three questions: document.c turns YAML into a positioned tree and knows no kind; schema.c decodes and
 * checks that tree by a schema and knows no C struct; kinds.c fills structs and checks nothing the schema did.
 *
 * Calling sequence: sty_catalog_load() over a snapshot, with the documents of the last walk as a store, so that only
 * what the commit touched is parsed; then the finders. Everything lives in the arena passed in.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/json.h"
#include "base/memory.h"
#include "source/source.h"
#include "styrmin/error.h"

/* ---- mistakes: all of them, each with its place ---- */

struct sty_problem {
    const char *file;
    int line, column; /* from 1; 0: the whole file */
    bool warning;
    const char *message;
    const char *document; /* "Deployment production/shop", or NULL */
};
struct sty_problems {
    struct sty_arena *arena; /* holds texts; set by sty_problems_init() */
    struct sty_problem *items;
    size_t count;
    size_t errors; /* those that are no warnings */
};
void sty_problems_init(struct sty_problems *problems, struct sty_arena *arena);
/* At most 1,000 are kept; the last one then says how many more there were. */
void sty_problems_add(struct sty_problems *problems, const struct sty_problem *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* By file, line, column. */
void sty_problems_sort(struct sty_problems *problems);
/* As output documents have them: [{"file","line","column","severity","message","document"}]. A new reference. */
json_t *sty_problems_json(const struct sty_problems *problems);

/* ---- decoding by schema ---- */

/*
 * A decoded YAML document. `value` follows the schema's types: where a string is wanted a plain scalar's own text was
 * taken; defaults of the schema are filled in. `marks` maps the JSON pointer of each value (and of each key's value)
 * that stood in the text to [line, column], or [line, column, "text"] where a plain scalar was typed by the core schema
 * and its own text is not what the value prints as (1.10): whoever wants a string takes that.
 */
struct sty_decoded {
    json_t *value; /* NULL: could not be decoded; value and marks are ended by the arena, unless taken */
    json_t *marks;
    int line; /* where the document begins */
};
/*
 * Decode every document of a YAML stream by the schema `schema` ("configuration", "cluster", ...; NULL: by each one's
 * `kind`). A document with a mistake adds to `problems`; out holds those that were decoded (also with mistakes, `valid`
 * false) in order. Limits: 1 MiB a stream, depth 64, 100,000 nodes, 10,000 nodes out of aliases; no %TAG. YAML 1.2 core
 * schema elsewhere (`no` is a string, 012 is 12, integers beyond 2^53-1 are refused). A mistake that can be read past (a
 * key twice, an unquoted {{x}}, a foreign tag) leaves the rest readable, names included unless it stands in them.
 */
struct sty_stream {
    const char *file;
    const char *bytes;
    size_t length;
};
struct sty_stream_document {
    struct sty_decoded decoded;
    const char *kind;        /* "Deployment"; NULL: could not be read */
    const char *name;        /* metadata.name; NULL: could not be read */
    const char *environment; /* Deployment: spec.environment; NULL: could not be read */
    bool valid;
};
/* True: every document was read down to kind and names (mistakes elsewhere do not matter for this). */
bool sty_stream_decode(struct sty_stream_document **out, size_t *count, const struct sty_stream *stream,
                       const char *schema, struct sty_problems *problems);

/*
 * Check a JSON value against a part of a schema ("driver#/$defs/fileSpec"): for values that templates made. Strings
 * that hold numbers are not converted, except that numbers become text where only a string is allowed. `value` is
 * changed in place by defaults. For each mistake one problem at `where`, its message starting with the pointer.
 * Templates were rendered: where a manifest may hold one instead of another type, here it is a mistake.
 */
bool sty_schema_check(json_t *value, const char *schema, const struct sty_problem *where,
                      struct sty_problems *problems);

/* Line and column of what `pointer` names, or of its nearest parent that has one. */
void sty_marks_find(int *line, int *column, const json_t *marks, const char *pointer);

/* ---- documents and the catalog ---- */

enum sty_kind { STY_KIND_CLUSTER, STY_KIND_ENVIRONMENT, STY_KIND_DEPLOYMENT, STY_KIND_DRIVER };
#define STY_KIND_COUNT 4
const char *sty_kind_name(enum sty_kind kind); /* "Cluster", ... */

/*
 * A document as it stands, or stood, in a file. Key: a cluster's, environment's name; a deployment's
 * "environment/name"; a driver's "name/version".
 */
struct sty_document {
    enum sty_kind kind;
    const char *key;
    const char *path;   /* below source.path */
    const char *folder; /* a driver's: the path without the file's name; else NULL */
    const char *blob;   /* object id of the file */
    int index;          /* in its file, from 0 */
    bool valid;         /* no mistake in it */
    bool stale;         /* its file cannot be read now: this is what was last read from it */
    json_t *value;      /* decoded, with defaults; NULL when not valid, or folded */
    json_t *marks;
    const char *text; /* value and marks as one JSON text, as the store keeps them; NULL: not made, or not valid */
    bool owned;       /* value and marks end with the arena */
};
/* Make `text`, in arena, where there is a value and it was not made yet. */
void sty_document_pack(struct sty_document *document, struct sty_arena *arena);
/*
 * Drop value and marks where `text` is kept: ten thousand documents fit into memory. What was read from the document is
 * gone with them, but for what somebody holds a reference to. Like an Instance's fold, it changes no meaning.
 */
void sty_document_fold(const struct sty_document *document);
/* value and marks of a folded document again; `arena`, in which the document itself has to be, ends them. STY_INVALID:
 * `text` is not what was packed. */
int sty_document_open(struct sty_document *document, struct sty_arena *arena, struct sty_error *err);

/*
 * What the last walk knew (the ledger's `documents`, behind functions so that this stage needs no ledger). All NULL:
 * nothing is known, the whole tree is read. Documents come in `arena`, and may come folded.
 */
struct sty_document_store {
    void *self;
    /* All that stand in this file. An unreadable file's rows are what was last read from it. */
    int (*in_file)(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena, const char *path,
                   struct sty_error *err);
    /* All under this kind and key (more than one: duplicates). key NULL: all of the kind. */
    int (*find)(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena,
                const struct sty_document *like, struct sty_error *err);
    /* Deployments that name this environment. */
    int (*of_environment)(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena,
                          const char *environment, struct sty_error *err);
    /* Paths of files that could not be read at the last walk. */
    int (*unreadable)(void *self, const char ***out, size_t *count, struct sty_arena *arena, struct sty_error *err);
};

struct sty_catalog;
struct sty_catalog_base {
    const char *tree;                       /* of the last walk; NULL: none */
    const struct sty_document_store *store; /* NULL: none */
};
/*
 * Read what differs between base and snapshot. Mistakes go to `problems`; only a failure to read git or the store fails.
 * A document outside its kind's folder, a name twice, a folder drivers/x/y without driver.styrmin.yml or with another
 * name or version than the folder's are mistakes. Files are *.yaml and *.yml; others in these folders are ignored.
 * A submodule, a symlink or an LFS pointer in place of a document, or of a folder of documents, is a mistake and an
 * unreadable file.
 */
int sty_catalog_load(struct sty_catalog **out, struct sty_arena *arena, const struct sty_snapshot *snapshot,
                     const struct sty_catalog_base *base, struct sty_problems *problems, struct sty_error *err);

const struct sty_snapshot *sty_catalog_snapshot(const struct sty_catalog *catalog);

/*
 * The one document under kind and key; NULL in *out when there is none, or when it stands twice (*twice). It is open
 * until somebody folds it; asked again, it is the same one.
 */
int sty_catalog_find(const struct sty_document **out, bool *twice, const struct sty_catalog *catalog,
                     enum sty_kind kind, const char *key, struct sty_error *err);
/* All of a kind, ordered by key; for deployments, of one environment (NULL: of all), and folded: their keys are what
 * they are listed for. Array and documents in the arena. */
int sty_catalog_list(const struct sty_document ***out, size_t *count, const struct sty_catalog *catalog,
                     enum sty_kind kind, const char *environment, struct sty_error *err);

/* One file that the commit touched: what the store should hold for it from now on. */
struct sty_catalog_file {
    const char *path;
    const char *blob;                     /* NULL: the file is gone */
    bool readable;                        /* false: every row last read from it stays, marked stale */
    const struct sty_document *documents; /* when readable */
    size_t count;
};
const struct sty_catalog_file *sty_catalog_files(size_t *count, const struct sty_catalog *catalog);

/*
 * Kinds and keys that may mean something else than at the last walk: named before or now by a touched file. Driver keys
 * also where any file of the driver's folder changed. No duplicates; ordered.
 */
struct sty_catalog_change {
    enum sty_kind kind;
    const char *key;
};
const struct sty_catalog_change *sty_catalog_changes(size_t *count, const struct sty_catalog *catalog);

/* Files under clusters/, environments/, deployments/ that cannot be read now, touched or not: while there are any, no
 * target may be deleted. */
const char *const *sty_catalog_unreadable(size_t *count, const struct sty_catalog *catalog);
/* Documents parsed from YAML so far: what the benchmark counts. */
size_t sty_catalog_parsed(const struct sty_catalog *catalog);

/* ---- kinds: structs filled from valid documents; strings and json borrowed from the document ---- */

struct sty_cluster {
    const char *name;
    const json_t *labels; /* never NULL */
    bool kubernetes;
    const json_t *config;
    const struct sty_document *document;
};
struct sty_budget {
    int64_t deletes; /* -1: none given (unlimited) */
    bool deletes_percent;
    int64_t changes;
    bool changes_percent;
};
struct sty_environment {
    const char *name;
    const json_t *config;
    const json_t *clusters;       /* array of names, one name, or NULL */
    const json_t *cluster_labels; /* object, or NULL */
    struct sty_budget budget;
    bool review_required;
    bool observe;
    const struct sty_document *document;
};
struct sty_deployment {
    const char *name, *environment;
    const json_t *labels;
    const char *renamed_from; /* NULL: none */
    const char *driver, *driver_version;
    const char *version;     /* NULL: the driver's default_version */
    const char *application; /* NULL: the driver's name */
    const char *namespace;   /* never NULL: defaults to the name */
    const json_t *parameters, *config, *components;
    bool stopped;             /* lifecycle */
    const json_t *depends_on; /* array */
    bool suspend, retain, allow_downgrade;
    const struct sty_document *document;
};
struct sty_driver {
    const char *name, *version;
    const json_t *spec; /* the manifest's spec as decoded: strings are still templates */
    const char *folder; /* "drivers/web/2" */
    const struct sty_document *document;
};
void sty_cluster_read(struct sty_cluster *out, const struct sty_document *document);
void sty_environment_read(struct sty_environment *out, const struct sty_document *document);
void sty_deployment_read(struct sty_deployment *out, const struct sty_document *document);
void sty_driver_read(struct sty_driver *out, const struct sty_document *document);

/*
 * Names of the clusters that an environment places its deployments on, ordered, in the catalog's arena. A named cluster
 * that has no valid document is in the list all the same: its targets are blocked. By labels: all clusters that have
 * every label. `*complete` is false when a Cluster document that cannot be read, or stands twice, could change the
 * answer. A cluster whose document is gone is not in an answer by labels: its targets are blocked, not deleted, which
 * whoever knows the targets has to see to.
 */
int sty_catalog_place(const char ***out, size_t *count, bool *complete, const struct sty_catalog *catalog,
                      const struct sty_environment *environment, struct sty_error *err);
/* Does no document describe the Environment of this Deployment? Then that is a mistake in `problems` (NULL: only ask). */
int sty_catalog_homeless(bool *out, const struct sty_catalog *catalog, const struct sty_document *deployment,
                         struct sty_problems *problems, struct sty_error *err);
