/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a unit that are ours: the unit file, if its text is, and drop-ins. All stand in /etc/systemd/system and no
 * symlink there is followed. Which they are is written down before they are: so those that a later spec no longer has go,
 * and what anybody else put beside them stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "provider/unit_internal.h"

#define UNIT_ROOT "/etc/systemd/system"
#define UNIT_LIMIT ((size_t)1 << 20)
#define RECORD_LIMIT ((size_t)1 << 20)

static const char *const roots[] = {UNIT_ROOT, NULL};

/* One of the files. */
struct unit_file {
    const char *name;      /* "web.service", "web.service.d/10.conf" */
    const char *pointer;   /* in differences: "/content", "/drop_ins/10.conf" */
    const json_t *content; /* NULL: an earlier spec's */
    const char *path;
};
struct unit_files {
    const struct sty_provider_call *call;
    struct sty_host host; /* that allows UNIT_ROOT and nothing else */
    struct sty_arena *arena;
    struct unit_file *items;
    size_t count;
    const char *record;
};

static void sty_unit_files_clear(struct unit_files *files)
{
    sty_arena_free(files->arena);
}
#define auto_files __attribute__((cleanup(sty_unit_files_clear))) struct unit_files

static const char *unit_of(const struct sty_provider_call *call)
{
    return sty_json_text(sty_call_spec(call), "name", "");
}

static void add(struct unit_files *files, const char *name, const char *pointer, const json_t *content)
{
    for (size_t i = 0; i < files->count; i++)
        if (sty_streq(files->items[i].name, name))
            return;
    files->items[files->count++] =
        (struct unit_file){name, pointer, content, sty_arena_printf(files->arena, UNIT_ROOT "/%s", name)};
}

static void add_wanted(struct unit_files *files)
{
    const json_t *spec = sty_call_spec(files->call), *drop_ins = json_object_get(spec, "drop_ins");
    const json_t *content = json_object_get(spec, "content");
    if (json_is_object(content))
        add(files, unit_of(files->call), "/content", content);
    for (size_t i = 0; i < json_array_size(drop_ins); i++) {
        const json_t *drop_in = json_array_get(drop_ins, i);
        const char *name = sty_json_text(drop_in, "name", "");
        add(files, sty_arena_printf(files->arena, "%s.d/%s", unit_of(files->call), name),
            sty_arena_printf(files->arena, "/drop_ins/%s", name), json_object_get(drop_in, "content"));
    }
}

/* Only what can be a file of this unit is believed. */
static bool is_file_of(const char *unit, const char *name)
{
    size_t length = strlen(unit);
    if (sty_streq(unit, name))
        return true;
    return sty_starts_with(name, unit) && strncmp(name + length, ".d/", 3) == 0 &&
           sty_drop_in_name_valid(name + length + 3);
}

static json_t *record_read(const struct unit_files *files)
{
    struct sty_error ignored;
    json_t *record = NULL;
    sty_auto(str) text = STY_STR_INIT;
    if (sty_file_read(&text, files->record, RECORD_LIMIT, &ignored) < 0 ||
        sty_json_parse(&record, text.data, text.length, &ignored) < 0)
        return json_array();
    return record;
}

static struct unit_files files_of(const struct sty_provider_call *call)
{
    char digest[STY_DIGEST_SIZE];
    struct unit_files files = {.call = call, .host = *call->host, .arena = sty_arena_new()};
    const char *id = sty_call_id(call);
    files.host.allow = roots;
    sty_digest(digest, id, strlen(id));
    files.record =
        sty_arena_printf(files.arena, "%s/run/unit-%.32s.json", call->host->state_dir, digest + strlen("sha256:"));
    json_auto_t *record = record_read(&files);
    size_t most = json_array_size(json_object_get(sty_call_spec(call), "drop_ins")) + json_array_size(record) + 2;
    files.items = sty_arena_alloc(files.arena, most * sizeof(*files.items));
    add_wanted(&files);
    for (size_t i = 0; i < json_array_size(record); i++) {
        const char *name = json_string_value(json_array_get(record, i));
        if (name && is_file_of(unit_of(call), name))
            add(&files, sty_arena_strdup(files.arena, name), sty_arena_printf(files.arena, "/files/%s", name), NULL);
    }
    return files;
}

static int record_write(const struct unit_files *files, bool earlier, struct sty_error *err)
{
    json_auto_t *record = json_array();
    for (size_t i = 0; i < files->count; i++)
        if (earlier || files->items[i].content)
            json_array_append_new(record, sty_json_string(files->items[i].name));
    sty_auto_free char *text = sty_json_canonical_text(record);
    sty_auto_free char *folder = sty_sprintf("%s/run", files->call->host->state_dir);
    if (sty_directory_make(folder, 0700, err) < 0)
        return -1;
    return sty_file_replace(files->record, text, strlen(text), 0600, err);
}

/* ---- looking ---- */

static int wanted_bytes(struct sty_filled *out, const struct unit_files *files, const struct unit_file *file,
                        struct sty_error *err)
{
    sty_auto(filled) plain = STY_FILLED_INIT;
    const struct sty_host *host = &files->host;
    const char *digest = sty_json_text(file->content, "digest", "");
    if (host->blob(host->self, &plain.bytes, &plain.length, digest, err) < 0 ||
        sty_holes_fill(out, host, &plain, json_object_get(file->content, "holes"), err) < 0)
        return sty_error_wrap(err, "%s", file->name);
    return 0;
}

/* Anybody may read a unit, unless there is a secret in it. */
static struct sty_file_attributes attributes_of(const struct unit_file *file)
{
    return (struct sty_file_attributes){sty_text_secret(file->content) ? 0600 : 0644, (uid_t)-1, (gid_t)-1};
}

enum found { FOUND_SAME, FOUND_ABSENT, FOUND_OTHER_TYPE, FOUND_OTHER_MODE, FOUND_OTHER_BYTES };

static int compare_bytes(enum found *out, const struct sty_place_at *place, const struct unit_file *file,
                         const struct sty_filled *wanted, struct sty_error *err)
{
    sty_auto(filled) found = {sty_malloc(UNIT_LIMIT + 1), UNIT_LIMIT + 1};
    sty_auto_fd fd = openat(place->directory, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t got = 1;
    size_t length = 0;
    while (fd >= 0 && length < found.length && (got = read(fd, found.bytes + length, found.length - length)) > 0)
        length += (size_t)got;
    if (fd < 0 || got < 0)
        return sty_place_error(err, errno, "read", file->path);
    *out = length == wanted->length && memcmp(found.bytes, wanted->bytes, length) == 0 ? FOUND_SAME : FOUND_OTHER_BYTES;
    return 0;
}

static int look_at(enum found *out, const struct unit_files *files, const struct unit_file *file,
                   const struct sty_filled *wanted, struct sty_error *err)
{
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_look(&place, &files->host, file->path, err) < 0)
        return -1;
    *out = !place.found                                                 ? FOUND_ABSENT
           : !file->content                                             ? FOUND_OTHER_BYTES
           : !S_ISREG(place.status.st_mode)                             ? FOUND_OTHER_TYPE
           : (place.status.st_mode & 07777) != attributes_of(file).mode ? FOUND_OTHER_MODE
                                                                        : FOUND_SAME;
    return *out == FOUND_SAME ? compare_bytes(out, &place, file, wanted, err) : 0;
}

static void say(struct sty_observation *out, const char **missing, const struct unit_file *file, enum found found)
{
    static const char *const words[] = {
        [FOUND_OTHER_TYPE] = "no file", [FOUND_OTHER_MODE] = "another mode", [FOUND_OTHER_BYTES] = "another text"};
    if (!file->content && found != FOUND_ABSENT)
        sty_observation_differs(out, file->pointer, json_null(), json_string("an earlier text"));
    else if (file->content && found == FOUND_ABSENT)
        *missing = *missing ? *missing : file->name;
    else if (file->content && found != FOUND_SAME)
        sty_observation_differs(out, file->pointer, json_string("as declared"), json_string(words[found]));
}

int sty_unit_files_look(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    auto_files files = files_of(call);
    const char *missing = NULL;
    for (size_t i = 0; i < files.count; i++) {
        sty_auto(filled) wanted = STY_FILLED_INIT;
        enum found found;
        if ((files.items[i].content && wanted_bytes(&wanted, &files, &files.items[i], err) < 0) ||
            look_at(&found, &files, &files.items[i], &wanted, err) < 0)
            return -1;
        say(out, &missing, &files.items[i], found);
    }
    if (missing && out->state == STY_OBSERVED_SAME) {
        sty_auto_free char *message = sty_sprintf("%s is not there", missing);
        sty_observation_missing(out, message);
    }
    return 0;
}

/* ---- acting ---- */

static int put(const struct unit_files *files, const struct unit_file *file, const struct sty_filled *bytes,
               struct sty_error *err)
{
    const struct sty_file_attributes attributes = attributes_of(file);
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_make(&place, &files->host, file->path, err) < 0)
        return -1;
    if (sty_file_replace_at(place.directory, place.name, bytes->bytes, bytes->length, &attributes, err) < 0)
        return sty_error_wrap(err, "'%s'", file->path);
    return 0;
}

/* The folder of drop-ins goes with the last of them. */
static int take_away(const struct unit_files *files, const struct unit_file *file, struct sty_error *err)
{
    if (sty_place_remove(&files->host, file->path, S_IFREG, err) < 0)
        return -1;
    if (!strchr(file->name, '/'))
        return 0;
    sty_auto_free char *folder = sty_sprintf(UNIT_ROOT "/%s.d", unit_of(files->call));
    return sty_place_remove(&files->host, folder, S_IFDIR, err);
}

static int apply_one(bool *changed, struct sty_str *secrets, const struct unit_files *files,
                     const struct unit_file *file, struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE];
    enum found found;
    sty_auto(filled) wanted = STY_FILLED_INIT;
    if ((file->content && wanted_bytes(&wanted, files, file, err) < 0) ||
        look_at(&found, files, file, &wanted, err) < 0)
        return -1;
    if (sty_text_secret(file->content)) {
        if (sty_filled_digest(digest, files->call, wanted.bytes, wanted.length, err) < 0)
            return -1;
        sty_str_append(secrets, digest);
    }
    if (found == (file->content ? FOUND_SAME : FOUND_ABSENT))
        return 0;
    *changed = true;
    return file->content ? put(files, file, &wanted, err) : take_away(files, file, err);
}

int sty_unit_files_apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    auto_files files = files_of(call);
    struct sty_applied done = {0};
    sty_auto(str) secrets = STY_STR_INIT;
    if (record_write(&files, true, err) < 0)
        return -1;
    for (size_t i = 0; i < files.count; i++)
        if (apply_one(&done.changed, &secrets, &files, &files.items[i], err) < 0)
            return -1;
    if (secrets.length && sty_filled_digest(done.filled, call, secrets.data, secrets.length, err) < 0)
        return -1;
    if (record_write(&files, false, err) < 0)
        return -1;
    *out = done;
    return 0;
}

int sty_unit_files_remove(const struct sty_provider_call *call, struct sty_error *err)
{
    auto_files files = files_of(call);
    for (size_t i = 0; i < files.count; i++)
        if (take_away(&files, &files.items[i], err) < 0)
            return -1;
    if (unlink(files.record) < 0 && errno != ENOENT)
        return sty_error_errno(err, STY_IO, errno, "remove '%s'", files.record);
    return 0;
}

int sty_unit_files_check(const struct sty_provider_call *call, struct sty_error *err)
{
    auto_files files = files_of(call);
    for (size_t i = 0; i < files.count; i++) {
        const struct unit_file *file = &files.items[i];
        sty_auto(filled) plain = STY_FILLED_INIT;
        if (!file->content)
            continue;
        if (!is_file_of(unit_of(call), file->name))
            return sty_error_set(err, STY_INVALID, "'%s' cannot be the name of a drop-in", file->name);
        if (call->host->blob(call->host->self, &plain.bytes, &plain.length, sty_json_text(file->content, "digest", ""),
                             err) < 0)
            return -1;
        if (plain.length > UNIT_LIMIT)
            return sty_error_set(err, STY_LIMIT, "%s: over 1 MiB", file->name);
        if (sty_unit_text_check(plain.bytes, plain.length, err) < 0)
            return sty_error_wrap(err, "%s", file->name);
    }
    return 0;
}
