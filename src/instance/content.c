/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file, a unit or a drop-in holds: a driver's file as it is, or a template rendered, in both cases a blob. The
 * escaping follows the output's name; where that has no ending, the template's.
 */
#include <string.h>
#include "instance/instance_internal.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static json_t *content_of(const struct sty_blob *blob, json_t *holes)
{
    return json_pack("{s:s, s:I, s:o}", "digest", blob->digest, "size", (json_int_t)blob->length, "holes", holes);
}

static struct sty_driver_file *named_file(struct sty_work *work, const struct sty_content_pattern *content,
                                          const json_t *spec)
{
    const char *name = sty_json_text(spec, content->key, "");
    struct sty_driver_file *file = sty_driver_files_find(&work->driver->files, name);
    if (file && !sty_streq(file->mode, "symlink"))
        return file;
    sty_driver_mistake(work, content->pointer,
                       file ? "'%s' is a symlink: name the file itself" : "the driver has no file '%s'", name);
    return NULL;
}

static const struct sty_parsed *parsed_file(struct sty_work *work, struct sty_driver_file *file)
{
    if (file->parsed)
        return file->parsed;
    const struct sty_driver *driver = &work->driver->driver;
    sty_auto_free char *name = sty_sprintf("%s/%s", driver->folder, file->path);
    struct sty_template template = {
        .file = name, .line = 1, .column = 1, .text = file->blob->bytes, .length = file->blob->length};
    struct sty_parsed *parsed = NULL;
    struct sty_error err;
    if (sty_template_parse(&parsed, work->resolver->arena, &template, &err) < 0)
        sty_problem_from_error(&work->problems, work->label, &err);
    file->parsed = parsed;
    return parsed;
}

static json_t *render(struct sty_work *work, const struct sty_parsed *parsed, enum sty_escape escape)
{
    json_auto_t *holes = json_array();
    sty_auto(str) text = STY_STR_INIT;
    struct sty_rendering rendering = work->rendering;
    rendering.escape = escape;
    rendering.holes = holes;
    struct sty_error err;
    if (sty_parsed_render(&text, parsed, &rendering, &err) < 0) {
        sty_problem_from_error(&work->problems, work->label, &err);
        return NULL;
    }
    return content_of(sty_blobs_add(work->resolver->blobs, text.data, text.length), sty_take(holes));
}

static json_t *build(struct sty_work *work, const struct sty_content_pattern *content, const json_t *spec,
                     const char *path)
{
    if (!content->key)
        return json_null();
    if (sty_streq(content->key, "content"))
        return content->parsed ? render(work, content->parsed, sty_escape_for(path)) : NULL;
    struct sty_driver_file *file = named_file(work, content, spec);
    if (!file)
        return NULL;
    if (sty_streq(content->key, "file"))
        return content_of(file->blob, json_array());
    const struct sty_parsed *parsed = parsed_file(work, file);
    const char *named = strchr(base_name(path), '.') ? path : file->path;
    return parsed ? render(work, parsed, sty_escape_for(named)) : NULL;
}

bool sty_content_put(struct sty_work *work, const struct sty_content_pattern *content, json_t *spec, const char *path)
{
    json_t *built = build(work, content, spec, path);
    json_object_del(spec, "template");
    json_object_del(spec, "file");
    json_object_set_new(spec, "content", built ? built : json_null());
    return built;
}
