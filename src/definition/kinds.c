/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs filled from valid documents. Nothing is checked here: the schema did.
 */
#include <stdlib.h>
#include <string.h>

#include "definition/definition_internal.h"

const char *sty_kind_name(enum sty_kind kind)
{
    static const char *const names[] = {"Cluster", "Environment", "Deployment", "ApplicationDriver"};
    return names[kind];
}

static const json_t *spec_of(const struct sty_document *document)
{
    return json_object_get(document->value, "spec");
}

static const json_t *metadata_of(const struct sty_document *document)
{
    return json_object_get(document->value, "metadata");
}

void sty_cluster_read(struct sty_cluster *out, const struct sty_document *document)
{
    const json_t *spec = spec_of(document), *metadata = metadata_of(document);
    *out = (struct sty_cluster){
        .name = sty_json_text(metadata, "name", ""),
        .labels = json_object_get(metadata, "labels"),
        .kubernetes = sty_streq(sty_json_text(spec, "kind", "host"), "kubernetes"),
        .config = json_object_get(spec, "config"),
        .document = document,
    };
}

static void read_amount(int64_t *number, bool *percent, const json_t *value, int64_t otherwise)
{
    const char *text = json_string_value(value);
    *percent = text != NULL;
    *number = text ? strtol(text, NULL, 10) : json_is_integer(value) ? json_integer_value(value) : otherwise;
}

void sty_environment_read(struct sty_environment *out, const struct sty_document *document)
{
    const json_t *spec = spec_of(document), *budget = json_object_get(spec, "budget");
    json_t *clusters = json_object_get(spec, "clusters");
    const json_t *single = json_object_get(spec, "cluster");
    *out = (struct sty_environment){
        .name = sty_json_text(metadata_of(document), "name", ""),
        .config = json_object_get(spec, "config"),
        .clusters = single                    ? single
                    : json_is_array(clusters) ? clusters
                                              : NULL,
        .cluster_labels = single ? NULL : json_object_get(clusters, "labels"),
        .review_required = sty_streq(sty_json_text(spec, "review", ""), "require"),
        .observe = sty_streq(sty_json_text(spec, "mode", ""), "observe"),
        .document = document,
    };
    read_amount(&out->budget.deletes, &out->budget.deletes_percent, json_object_get(budget, "delete"), 1);
    read_amount(&out->budget.changes, &out->budget.changes_percent, json_object_get(budget, "change"), -1);
}

void sty_deployment_read(struct sty_deployment *out, const struct sty_document *document)
{
    const json_t *spec = spec_of(document), *metadata = metadata_of(document),
                 *driver = json_object_get(spec, "driver");
    const char *name = sty_json_text(metadata, "name", "");
    *out = (struct sty_deployment){
        .name = name,
        .environment = sty_json_text(spec, "environment", ""),
        .labels = json_object_get(metadata, "labels"),
        .renamed_from = sty_json_text(metadata, "renamed_from", NULL),
        .driver = sty_json_text(driver, "name", ""),
        .driver_version = sty_json_text(driver, "version", ""),
        .version = sty_json_text(spec, "version", NULL),
        .application = sty_json_text(spec, "application", NULL),
        .namespace = sty_json_text(spec, "namespace", name),
        .parameters = json_object_get(spec, "parameters"),
        .config = json_object_get(spec, "config"),
        .components = json_object_get(spec, "components"),
        .stopped = sty_streq(sty_json_text(spec, "lifecycle", ""), "stopped"),
        .depends_on = json_object_get(spec, "depends_on"),
        .suspend = sty_json_bool(spec, "suspend", false),
        .retain = sty_streq(sty_json_text(spec, "deletion", ""), "retain"),
        .allow_downgrade = sty_json_bool(spec, "allow_downgrade", false),
        .document = document,
    };
}

void sty_driver_read(struct sty_driver *out, const struct sty_document *document)
{
    *out = (struct sty_driver){
        .name = sty_json_text(metadata_of(document), "name", ""),
        .version = sty_json_text(spec_of(document), "version", ""),
        .spec = spec_of(document),
        .folder = document->folder,
        .document = document,
    };
}
