/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installation that the configuration describes. Who acts holds the lock on the state directory before ledger or
 * mirror are touched; who looks takes what is there.
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/acting.h"

void sty_acting_clear(struct sty_acting *acting)
{
    sty_ledger_close(acting->ledger);
    sty_repo_free(acting->repo);
    sty_close_fd(&acting->lock);
    *acting = (struct sty_acting){.lock = -1};
}

/* Steps and processes start through our own binary. */
static int find_program(const char **out, struct sty_arena *arena, struct sty_error *err)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0)
        return sty_error_set(err, STY_IO, "/proc/self/exe: %m");
    *out = sty_arena_strndup(arena, path, (size_t)length);
    return 0;
}

static int describe(struct sty_acting *acting, const struct sty_cli *cli, struct sty_error *err)
{
    const struct sty_configuration *configuration = &cli->configuration;
    const json_t *value = configuration->value;
    const json_t *embedded = json_object_get(json_object_get(value, "engines"), "embedded");
    const json_t *notes = json_object_get(json_object_get(value, "report"), "notes");
    if (find_program(&acting->program, cli->arena, err) < 0)
        return -1;
    acting->installation =
        (struct sty_installation){.ledger = acting->ledger,
                                  .repo = acting->repo,
                                  .source = &configuration->source,
                                  .clusters = json_object_get(value, "clusters"),
                                  .world = sty_world_real(),
                                  .state_dir = configuration->state_dir,
                                  .allow = configuration->allow,
                                  .secrets = configuration->secrets,
                                  .program = acting->program,
                                  .parallelism = (int)sty_json_int(embedded, "parallelism", 4),
                                  .flap_limit = sty_json_int(json_object_get(value, "drift"), "flap_limit", 5),
                                  .push_notes = sty_json_bool(notes, "push", true)};
    return 0;
}

static int open_state(struct sty_acting *acting, const char *state_dir, int64_t wait_ms, struct sty_error *err)
{
    sty_auto_free char *lock = sty_sprintf("%s/lock", state_dir);
    sty_auto_free char *mirror = sty_sprintf("%s/source.git", state_dir);
    if (sty_directory_make(state_dir, 0700, err) < 0 || sty_lock_take(&acting->lock, lock, wait_ms, err) < 0 ||
        sty_ledger_open(&acting->ledger, state_dir, STY_LEDGER_WRITE, err) < 0)
        return -1;
    return sty_repo_open(&acting->repo, mirror, false, err);
}

/* What git says may be written must not reach what Styrmin remembers. */
static int check_allow(const struct sty_configuration *configuration, struct sty_error *err)
{
    for (const char *const *root = configuration->allow; *root; root++) {
        size_t length = strlen(*root);
        while (length && (*root)[length - 1] == '/')
            length--;
        const char *state = configuration->state_dir;
        if (strncmp(state, *root, length) == 0 && (state[length] == '/' || state[length] == '\0'))
            return sty_error_set(err, STY_USAGE,
                                 "configuration: host.allow '%s' contains the state directory %s: move one"
                                 " of them",
                                 *root, state);
    }
    return 0;
}

int sty_acting_open(struct sty_acting *out, struct sty_cli *cli, int64_t wait_ms, struct sty_error *err)
{
    sty_auto(acting) acting = {.lock = -1};
    if (check_allow(&cli->configuration, err) < 0)
        return -1;
    if (open_state(&acting, cli->configuration.state_dir, wait_ms, err) < 0)
        return sty_error_wrap(err, "state directory");
    if (describe(&acting, cli, err) < 0)
        return -1;
    *out = acting;
    acting = (struct sty_acting){.lock = -1};
    return 0;
}

int sty_acting_look(struct sty_acting *out, struct sty_cli *cli, struct sty_error *err)
{
    sty_auto(acting) acting = {.lock = -1};
    const char *state_dir = cli->configuration.state_dir;
    if (sty_ledger_open(&acting.ledger, state_dir, STY_LEDGER_READ, err) < 0 &&
        (err->code != STY_NOT_FOUND || sty_ledger_open(&acting.ledger, state_dir, STY_LEDGER_EMPTY, err) < 0))
        return -1;
    if (describe(&acting, cli, err) < 0)
        return -1;
    *out = acting;
    acting = (struct sty_acting){.lock = -1};
    return 0;
}
