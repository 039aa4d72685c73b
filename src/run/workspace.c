/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private folder of a step's program: the driver's files as they are at the pinned tree, the context, and secrets as
 * files in memory where there is a file system for that. Its names follow from the token, so that a later life of
 * Styrmin finds them and takes them away.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/process.h"
#include "run/run_internal.h"

#define OUTPUT_LIMIT 65536
#define SHARED_MEMORY "/dev/shm"
#define SHORTEST_HIDDEN 4

/* A program of another user cannot enter the state directory. */
static char *base_of(const struct sty_run_world *world, const char *token, bool foreign)
{
    return foreign ? sty_sprintf("/var/tmp/styrmin-%s", token) : sty_sprintf("%s/run/work/%s", world->state_dir, token);
}

static char *memory_of(const char *token)
{
    return sty_sprintf(SHARED_MEMORY "/styrmin-%s", token);
}

static char *output_of(const struct sty_run_world *world, const char *token)
{
    return sty_sprintf("%s/run/%s.out", world->state_dir, token);
}

void sty_workspace_remove(const struct sty_run_world *world, const char *token)
{
    struct sty_error ignored;
    sty_auto_free char *base = base_of(world, token, false);
    sty_auto_free char *foreign = base_of(world, token, true);
    sty_auto_free char *memory = memory_of(token);
    sty_auto_free char *output = output_of(world, token);
    sty_directory_remove(memory, &ignored);
    sty_directory_remove(base, &ignored);
    sty_directory_remove(foreign, &ignored);
    unlink(output);
}

void sty_workspace_clear(struct sty_workspace *workspace)
{
    free(workspace->base);
    free(workspace->directory);
    free(workspace->context);
    free(workspace->secrets);
    free(workspace->output);
    json_decref(workspace->hidden);
    *workspace = (struct sty_workspace){0};
}

/* ---- what the program gets to know ---- */

static json_t *side(const struct sty_instance *instance)
{
    if (!instance)
        return json_null();
    const json_t *whole = sty_instance_json(instance);
    json_t *out = json_object();
    json_object_set(out, "application", json_object_get(whole, "application"));
    json_object_set(out, "driver", json_object_get(whole, "driver"));
    json_object_set_new(out, "instance", sty_json_string(sty_instance_digest(instance)));
    return out;
}

static int write_context(struct sty_workspace *workspace, struct sty_step *step, struct sty_error *err)
{
    json_auto_t *document = json_object();
    const json_t *whole = step->instance ? sty_instance_json(step->instance) : NULL;
    json_object_set(document, "context", json_object_get(whole, "context"));
    json_object_set_new(document, "from", side(step->execution->from));
    json_object_set_new(document, "to", side(step->execution->to));
    sty_auto_free char *text = sty_json_canonical_text(document);
    return sty_file_replace(workspace->context, text, strlen(text), 0600, err);
}

/* ---- secrets ---- */

/* The host with an ear: what it was asked for must not be kept of what the program says. */
struct ear {
    const struct sty_host *host;
    json_t *hidden;
};

static void hide(json_t *hidden, const char *bytes, size_t length)
{
    if (length >= SHORTEST_HIDDEN && sty_utf8_valid(bytes, length) && !memchr(bytes, '\0', length))
        json_array_append_new(hidden, json_stringn(bytes, length));
}

static int overheard(void *self, char **bytes, size_t *length, const json_t *reference, struct sty_error *err)
{
    const struct ear *ear = self;
    if (ear->host->secret(ear->host->self, bytes, length, reference, err) < 0)
        return -1;
    hide(ear->hidden, *bytes, *length);
    return 0;
}

static int write_secret(int folder, const char *name, const json_t *reference, struct ear *ear, struct sty_error *err)
{
    char *bytes = NULL;
    size_t length = 0;
    struct sty_file_attributes attributes = {0600, (uid_t)-1, (gid_t)-1};
    if (!*name || strchr(name, '/') || name[0] == '.')
        return sty_error_set(err, STY_INVALID, "'%s' is no name for a file of secrets", name);
    if (overheard(ear, &bytes, &length, reference, err) < 0)
        return -1;
    int result = sty_file_replace_at(folder, name, bytes, length, &attributes, err);
    explicit_bzero(bytes, length);
    free(bytes);
    return result;
}

static int write_secrets(struct sty_workspace *workspace, const json_t *secrets, struct ear *ear, struct sty_error *err)
{
    const char *name;
    json_t *reference;
    if (mkdir(workspace->secrets, 0700) < 0)
        return sty_error_errno(err, STY_IO, errno, "%s", workspace->secrets);
    sty_auto_fd folder = open(workspace->secrets, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return sty_error_errno(err, STY_IO, errno, "%s", workspace->secrets);
    json_object_foreach ((json_t *)secrets, name, reference)
        if (write_secret(folder, name, reference, ear, err) < 0)
            return sty_error_wrap(err, "secret '%s'", name);
    return 0;
}

/* ---- putting it together ---- */

static int make_environment(struct sty_workspace *workspace, struct sty_step *step, struct ear *ear,
                            struct sty_error *err)
{
    struct sty_arena *arena = step->execution->arena;
    struct sty_host host = *ear->host;
    char **made;
    size_t count = 0;
    const char *user = sty_json_text(step->args, "user", NULL);
    json_auto_t *env = sty_environment_of(arena, json_object_get(step->args, "env"), user);
    host.secret = overheard;
    host.self = ear;
    if (sty_environment_make(&made, arena, &host, env, err) < 0)
        return -1;
    while (made[count])
        count++;
    char **out = sty_arena_alloc(arena, (count + 3) * sizeof(*out));
    memcpy(out, made, count * sizeof(*out));
    out[count++] = sty_arena_printf(arena, "STYRMIN_CONTEXT=%s", workspace->context);
    if (workspace->secrets)
        out[count++] = sty_arena_printf(arena, "STYRMIN_SECRETS=%s", workspace->secrets);
    workspace->environment = out;
    return 0;
}

static int give_folder(const char *path, const struct sty_user *user)
{
    return path && (chown(path, user->uid, user->gid) < 0) ? -1 : 0;
}

static int give_secrets(const struct sty_workspace *workspace, const json_t *secrets, const struct sty_user *user)
{
    const char *name;
    json_t *reference;
    json_object_foreach ((json_t *)secrets, name, reference) {
        sty_auto_free char *path = sty_sprintf("%s/%s", workspace->secrets, name);
        if (lchown(path, user->uid, user->gid) < 0)
            return -1;
    }
    return give_folder(workspace->secrets, user);
}

static int give(const struct sty_workspace *workspace, const struct sty_step *step, const char *name,
                struct sty_error *err)
{
    struct sty_user user;
    if (sty_user_find(&user, name, err) < 0)
        return -1;
    if (user.uid == geteuid())
        return 0;
    if (give_folder(workspace->base, &user) < 0 || give_folder(workspace->directory, &user) < 0 ||
        give_folder(workspace->context, &user) < 0 ||
        (workspace->secrets && give_secrets(workspace, json_object_get(step->args, "secrets"), &user) < 0))
        return sty_error_errno(err, STY_DENIED, errno, "give the step's files to '%s'", name);
    return 0;
}

static int fill(struct sty_workspace *workspace, struct sty_step *step, struct sty_error *err)
{
    struct sty_execution *execution = step->execution;
    const json_t *driver = step->instance ? json_object_get(sty_instance_json(step->instance), "driver") : NULL;
    const char *user = sty_json_text(step->args, "user", NULL);
    struct ear ear = {&execution->host, workspace->hidden};
    sty_auto_free char *above = sty_sprintf("%s/run/work", execution->world->state_dir);
    if (sty_directory_make(above, 0700, err) < 0)
        return -1;
    if (mkdir(workspace->base, 0700) < 0)
        return sty_error_errno(err, STY_IO, errno, "%s", workspace->base);
    if (sty_driver_files_write(workspace->directory, execution->ledger, sty_json_text(driver, "files", ""), err) < 0 ||
        write_context(workspace, step, err) < 0)
        return -1;
    if (workspace->secrets && write_secrets(workspace, json_object_get(step->args, "secrets"), &ear, err) < 0)
        return -1;
    if (make_environment(workspace, step, &ear, err) < 0)
        return -1;
    return user ? give(workspace, step, user, err) : 0;
}

int sty_workspace_make(struct sty_workspace *out, struct sty_step *step, const char *token, struct sty_error *err)
{
    const struct sty_run_world *world = step->execution->world;
    struct sty_workspace made = {.hidden = json_array()};
    made.base = base_of(world, token, sty_json_text(step->args, "user", NULL) != NULL);
    made.directory = sty_sprintf("%s/files", made.base);
    made.context = sty_sprintf("%s/context.json", made.base);
    made.output = output_of(world, token);
    if (json_object_size(json_object_get(step->args, "secrets")) > 0)
        made.secrets = access(SHARED_MEMORY, W_OK) == 0 ? memory_of(token) : sty_sprintf("%s/secrets", made.base);
    if (fill(&made, step, err) == 0) {
        *out = made;
        return 0;
    }
    sty_workspace_remove(world, token);
    sty_workspace_clear(&made);
    return -1;
}

/* ---- what the program said ---- */

static void read_tail(struct sty_str *out, const char *path)
{
    struct stat status;
    sty_auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0)
        return;
    off_t from = status.st_size > OUTPUT_LIMIT ? status.st_size - OUTPUT_LIMIT : 0;
    char *room = sty_str_reserve(out, OUTPUT_LIMIT);
    ssize_t got = pread(fd, room, OUTPUT_LIMIT, from);
    out->length += got > 0 ? (size_t)got : 0;
    out->data[out->length] = '\0';
}

static void take_out(struct sty_str *text, const char *hidden)
{
    sty_auto(str) rest = STY_STR_INIT;
    const char *at = text->data;
    for (const char *hit; (hit = strstr(at, hidden)); at = hit + strlen(hidden)) {
        sty_str_append_bytes(&rest, at, (size_t)(hit - at));
        sty_str_append(&rest, "***");
    }
    sty_str_append(&rest, at);
    sty_str_reset(text);
    sty_str_append_bytes(text, rest.data, rest.length);
}

void sty_workspace_said(struct sty_str *out, const struct sty_workspace *workspace)
{
    sty_auto(str) text = STY_STR_INIT;
    size_t i;
    json_t *hidden;
    read_tail(&text, workspace->output);
    for (size_t at = 0; at < text.length; at++)
        if (text.data[at] == '\0')
            text.data[at] = '?';
    json_array_foreach (workspace->hidden, i, hidden)
        take_out(&text, json_string_value(hidden));
    json_auto_t *valid = sty_json_string(text.data);
    sty_str_append(out, json_string_value(valid));
}
