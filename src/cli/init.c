/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: a folder to begin with: a desired-state repository with an example, the configuration beside it, and the folder
 * it may write to. The files stand in src/cli/init/ and are carried by the program; two words in them depend on the
 * place: @ROOT@, where files may be written, and @NAME@, of the installation.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/embed.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/cli_internal.h"
#include "cli/setup.h"

extern const struct sty_embedded sty_embedded_init[];

struct place {
    const char *directory; /* real path */
    const char *repository;
    const char *root_literal; /* as YAML reads it, quoted */
    char name[64];
    bool fresh; /* the directory was not there */
};

/* Nothing but .git may be there. */
static int check_empty(const char *directory, struct sty_error *err)
{
    DIR *folder = opendir(directory);
    sty_auto_free char *found = NULL;
    if (!folder && errno == ENOENT)
        return 0;
    if (!folder)
        return sty_error_errno(err, STY_USAGE, errno, "%s", directory);
    for (struct dirent *entry; !found && (entry = readdir(folder));)
        if (!sty_streq(entry->d_name, ".") && !sty_streq(entry->d_name, "..") && !sty_streq(entry->d_name, ".git"))
            found = sty_strdup(entry->d_name);
    closedir(folder);
    if (found)
        return sty_error_set(err, STY_USAGE, "%s is not empty ('%s' is there): init wants a new folder", directory,
                             found);
    return 0;
}

/* The host's short name made a DNS-1123 label. */
static void name_installation(char out[64])
{
    char host[64] = "";
    size_t length = 0;
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    for (const char *at = host; *at && *at != '.'; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at + ('a' - 'A')) : *at;
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain || length)
            out[length++] = plain ? c : '-';
    }
    while (length && out[length - 1] == '-')
        length--;
    out[length] = '\0';
    if (!sty_name_valid(out))
        snprintf(out, 64, "here");
}

static int find_place(struct place *out, struct sty_arena *arena, const char *directory, struct sty_error *err)
{
    sty_auto(str) normal = STY_STR_INIT;
    out->fresh = access(directory, F_OK) < 0;
    if (sty_directory_make(directory, 0755, err) < 0)
        return -1;
    sty_auto_free char *real = realpath(directory, NULL);
    if (!real)
        return sty_error_errno(err, STY_IO, errno, "%s", directory);
    if (sty_path_normalise(&normal, real, err) < 0 || !sty_utf8_valid(real, strlen(real)))
        return sty_error_set(err, STY_USAGE, "the name of this folder cannot be written in YAML");
    out->directory = sty_arena_strdup(arena, real);
    out->repository = sty_arena_printf(arena, "%s/platform", sty_streq(real, "/") ? "" : real);
    sty_auto_free char *root = sty_sprintf("%s/srv", sty_streq(real, "/") ? "" : real);
    json_auto_t *text = json_string(root);
    sty_auto_free char *literal = json_dumps(text, JSON_ENCODE_ANY);
    out->root_literal = sty_arena_strdup(arena, literal);
    name_installation(out->name);
    return 0;
}

static void fill(struct sty_str *out, const struct sty_embedded *file, const struct place *place)
{
    const char *at = file->bytes;
    while (*at) {
        size_t plain = strcspn(at, "@");
        sty_str_append_bytes(out, at, plain);
        at += plain;
        bool root = sty_starts_with(at, "@ROOT@"), name = sty_starts_with(at, "@NAME@");
        if (root || name) {
            sty_str_append(out, root ? place->root_literal : place->name);
            at += strlen("@ROOT@");
        } else if (*at) {
            sty_str_append_char(out, *at++);
        }
    }
}

static int write_file(const struct sty_embedded *file, const struct place *place, struct sty_error *err)
{
    sty_auto(str) text = STY_STR_INIT;
    sty_auto_free char *path = sty_sprintf("%s/%s", place->directory, file->name + strlen("src/cli/init/"));
    sty_auto_free char *folder = sty_strndup(path, (size_t)(strrchr(path, '/') - path));
    fill(&text, file, place);
    if (sty_directory_make(folder, 0755, err) < 0)
        return -1;
    return sty_file_replace(path, text.data, text.length, 0644, err);
}

static int write_files(const struct place *place, struct sty_error *err)
{
    sty_auto_free char *allowed = sty_sprintf("%s/srv", place->directory);
    for (const struct sty_embedded *file = sty_embedded_init; file->name; file++)
        if (write_file(file, place, err) < 0)
            return -1;
    return sty_directory_make(allowed, 0755, err);
}

struct git_arguments {
    const char *items[16];
    size_t count;
};

/* Whoever never told git who they are can begin all the same. */
static void add_identity(struct git_arguments *arguments, const char *repository, const char *key, const char *setting)
{
    struct sty_error ignored;
    const char *const look[] = {"config", "--get", key, NULL};
    if (sty_git_run(NULL, repository, look, &ignored) == 0)
        return;
    arguments->items[arguments->count++] = "-c";
    arguments->items[arguments->count++] = setting;
}

static int commit_all(const char *repository, struct sty_error *err)
{
    static const char *const commit[] = {"commit", "-q", "--no-verify", "--no-gpg-sign", "-m", "hello 1.0.0 in demo"};
    const char *const add[] = {"add", "-A", NULL};
    struct git_arguments arguments = {0};
    if (sty_git_must(NULL, repository, add, err) < 0)
        return -1;
    add_identity(&arguments, repository, "user.name", "user.name=Styrmin");
    add_identity(&arguments, repository, "user.email", "user.email=styrmin@localhost");
    for (size_t i = 0; i < STY_COUNT(commit); i++)
        arguments.items[arguments.count++] = commit[i];
    return sty_git_must(NULL, repository, arguments.items, err);
}

static int make_repository(struct sty_str *commit, const struct place *place, struct sty_error *err)
{
    const char *const init[] = {"init", "-q", "-b", "main", ".", NULL};
    const char *const head[] = {"rev-parse", "HEAD", NULL};
    json_auto_t *changes = NULL;
    if (sty_git_must(NULL, place->repository, init, err) < 0 || commit_all(place->repository, err) < 0 ||
        sty_git_show_notes(&changes, place->repository, NULL, err) < 0)
        return -1;
    return sty_git_must(commit, place->repository, head, err);
}

/* After a failure the folder is as empty as it was, so that init can be run again. */
static void take_back(const struct place *place)
{
    static const char *const made[] = {"platform", "srv"};
    struct sty_error ignored;
    for (size_t i = 0; i < STY_COUNT(made); i++) {
        sty_auto_free char *path = sty_sprintf("%s/%s", place->directory, made[i]);
        sty_directory_remove(path, &ignored);
    }
    sty_auto_free char *configuration = sty_sprintf("%s/styrmin.yaml", place->directory);
    unlink(configuration);
    if (place->fresh)
        rmdir(place->directory);
}

static const char *const next[] = {"styrmin check platform", "styrmin sync", "git -C platform log -1"};

static int tell(struct sty_cli *cli, const struct place *place, const char *given, const char *commit,
                struct sty_error *err)
{
    if (cli->json) {
        json_auto_t *document = json_pack("{s:s, s:s, s:s, s:o, s:s, s:[s, s, s]}", "kind", "Init", "directory",
                                          place->directory, "repository", place->repository, "configuration",
                                          json_sprintf("%s/styrmin.yaml", place->directory), "commit", commit, "next",
                                          next[0], next[1], next[2]);
        return sty_print_json(document, err);
    }
    if (cli->quiet)
        return STY_EXIT_OK;
    puts("platform/     the desired state: a git repository with one deployment, hello");
    puts("styrmin.yaml  what Styrmin follows, keeps and may touch here");
    puts("srv/          where it may write\n");
    sty_auto(str) where = STY_STR_INIT;
    sty_str_append_visible(&where, given, strlen(given), false);
    printf("Next%s%s:\n", sty_streq(given, ".") ? "" : ", in ", sty_streq(given, ".") ? "" : where.data);
    for (size_t i = 0; i < STY_COUNT(next); i++)
        printf("  %s\n", next[i]);
    return STY_EXIT_OK;
}

int sty_command_init(struct sty_cli *cli, struct sty_error *err)
{
    const char *directory = cli->argument_count ? cli->arguments[0] : ".";
    sty_auto(str) git = STY_STR_INIT;
    sty_auto(str) commit = STY_STR_INIT;
    struct place place;
    if (cli->argument_count > 1)
        return sty_error_set(err, STY_USAGE, "init takes one folder");
    if (sty_program_find(&git, "git", err) < 0 || check_empty(directory, err) < 0 ||
        find_place(&place, cli->arena, directory, err) < 0)
        return -1;
    if (write_files(&place, err) < 0 || make_repository(&commit, &place, err) < 0) {
        take_back(&place);
        return -1;
    }
    return tell(cli, &place, directory, commit.data, err);
}
