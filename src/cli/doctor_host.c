/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: what this machine must have for steps and resources: folders that may be written, secrets, and ourselves, for
 * the launcher is this program started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "cli/cli_internal.h"
#include "cli/doctor.h"

static void check_root(struct sty_doctor *doctor, const char *root)
{
    struct stat status;
    if (lstat(root, &status) < 0)
        sty_finding(doctor, "host.allow", STY_FINDING_FAILED, sty_arena_printf(doctor->arena, "mkdir -p %s", root),
                    "%s is not there (%m)", root);
    else if (!S_ISDIR(status.st_mode))
        sty_finding(doctor, "host.allow", STY_FINDING_FAILED, "name the real folder: symlinks are not followed",
                    "%s is no folder", root);
    else if (faccessat(AT_FDCWD, root, W_OK | X_OK, AT_EACCESS) < 0)
        sty_finding(doctor, "host.allow", STY_FINDING_FAILED,
                    "let this user write there, or run Styrmin as one who may", "%s cannot be written (%m)", root);
    else
        sty_finding(doctor, "host.allow", STY_FINDING_OK, NULL, "%s", root);
}

void sty_doctor_allow(struct sty_doctor *doctor)
{
    const char *const *allow = doctor->configuration->allow;
    for (size_t i = 0; allow[i]; i++)
        check_root(doctor, allow[i]);
}

/* ---- secrets ---- */

static void check_secret_folder(struct sty_doctor *doctor, const char *path)
{
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
        sty_finding(doctor, "secrets", STY_FINDING_FAILED, "make it readable for this user", "files: %s: %m", path);
    else
        sty_finding(doctor, "secrets", STY_FINDING_OK, NULL, "files below %s", path);
}

static void check_secret_command(struct sty_doctor *doctor, const char *path)
{
    struct stat status;
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 || stat(path, &status) < 0)
        sty_finding(doctor, "secrets", STY_FINDING_FAILED, "install it, or make it executable", "commands: %s: %m",
                    path);
    else if (!S_ISREG(status.st_mode))
        sty_finding(doctor, "secrets", STY_FINDING_FAILED, "name the program", "commands: %s is no file", path);
    else
        sty_finding(doctor, "secrets", STY_FINDING_OK, NULL, "command %s", path);
}

static void check_secret_variable(struct sty_doctor *doctor, const char *name)
{
    if (!getenv(name))
        sty_finding(doctor, "secrets", STY_FINDING_WARNING, "set it where Styrmin is started", "env: %s is not set",
                    name);
    else
        sty_finding(doctor, "secrets", STY_FINDING_OK, NULL, "variable %s", name);
}

void sty_doctor_secrets(struct sty_doctor *doctor)
{
    static const struct {
        const char *key;
        void (*check)(struct sty_doctor *doctor, const char *item);
    } kinds[] = {{"files", check_secret_folder}, {"commands", check_secret_command}, {"env", check_secret_variable}};
    const json_t *secrets = doctor->configuration->secrets;
    for (size_t k = 0; k < STY_COUNT(kinds); k++) {
        const json_t *items = json_object_get(secrets, kinds[k].key);
        for (size_t i = 0; i < json_array_size(items); i++)
            kinds[k].check(doctor, json_string_value(json_array_get(items, i)));
    }
}

/* ---- clusters ---- */

/* The definitions as last fetched; NULL where there are none or they cannot be read, which other checks tell. */
static struct sty_catalog *fetched_catalog(struct sty_doctor *doctor, struct sty_repo **repo)
{
    const struct sty_source_config *source = &doctor->configuration->source;
    const struct sty_catalog_base nothing = {NULL, NULL};
    const char *mirror = sty_arena_printf(doctor->arena, "%s/source.git", doctor->configuration->state_dir);
    struct sty_snapshot *snapshot = sty_arena_alloc(doctor->arena, sizeof *snapshot);
    struct sty_problems *problems = sty_arena_alloc(doctor->arena, sizeof *problems);
    struct sty_catalog *catalog = NULL;
    char tip[STY_OID_SIZE];
    struct sty_error ignored;
    sty_problems_init(problems, doctor->arena);
    if (sty_repo_open(repo, mirror, true, &ignored) < 0 || sty_repo_tip(tip, *repo, source->branch, &ignored) < 0 ||
        sty_repo_snapshot(snapshot, *repo, tip, source->path, &ignored) < 0 ||
        sty_catalog_load(&catalog, doctor->arena, snapshot, &nothing, problems, &ignored) < 0)
        return NULL;
    return catalog;
}

static bool is_defined(const struct sty_document *const *clusters, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (sty_streq(clusters[i]->key, name))
            return true;
    return false;
}

static void check_cluster(struct sty_doctor *doctor, const char *name, const json_t *cluster, bool missing)
{
    if (missing)
        sty_finding(doctor, "clusters", STY_FINDING_WARNING, "correct the name, or commit the Cluster",
                    "%s is not in the source as last fetched", name);
    else
        sty_finding(doctor, "clusters", STY_FINDING_OK, NULL, "%s: %s engine", name,
                    sty_json_text(cluster, "engine", ""));
}

void sty_doctor_clusters(struct sty_doctor *doctor)
{
    const json_t *listed = json_object_get(doctor->configuration->value, "clusters");
    sty_auto_ptr(repo) repo = NULL;
    const struct sty_document **clusters = NULL;
    size_t count = 0;
    struct sty_error ignored;
    if (!listed) {
        sty_finding(doctor, "clusters", STY_FINDING_OK, NULL, "every one of the source, by the embedded engine");
        return;
    }
    struct sty_catalog *catalog = fetched_catalog(doctor, &repo);
    bool known = catalog && sty_catalog_list(&clusters, &count, catalog, STY_KIND_CLUSTER, NULL, &ignored) == 0;
    const char **names = sty_json_keys(doctor->arena, listed);
    for (size_t i = 0; names[i]; i++)
        check_cluster(doctor, names[i], json_object_get(listed, names[i]),
                      known && !is_defined(clusters, count, names[i]));
}

/* ---- ourselves ---- */

void sty_doctor_launcher(struct sty_doctor *doctor)
{
    sty_auto(process_result) result = {.output = STY_STR_INIT, .error = STY_STR_INIT};
    char program[PATH_MAX];
    struct sty_error err;
    const char *remedy = "install the program again";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) {
        sty_finding(doctor, "launcher", STY_FINDING_FAILED, "mount /proc", "/proc/self/exe cannot be read: %m");
        return;
    }
    program[length] = '\0';
    const char *const argv[] = {program, "version", NULL};
    const struct sty_process_spec spec = {.argv = argv, .output_limit = 4096, .timeout_ms = 10000};
    if (sty_process_run(&result, &spec, &err) < 0)
        sty_finding(doctor, "launcher", STY_FINDING_FAILED, remedy, "%s", err.text);
    else if (result.status != 0)
        sty_finding(doctor, "launcher", STY_FINDING_FAILED, remedy, "%s exits %d", program, result.status);
    else
        sty_finding(doctor, "launcher", STY_FINDING_OK, NULL, "%s", program);
}
