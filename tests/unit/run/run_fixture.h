/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* run_fixture: a state directory, a folder for files and a way to record and execute remediations by hand. The test
 * program is its own launcher. Included by one .c each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "run/run_internal.h"

static char folder[64], state_dir[80], files_dir[80], program[4096];
static const char *allow[] = {files_dir, NULL};
static struct sty_ledger *ledger;
static struct sty_error err;
static int64_t clock_ms;
static json_t *secrets_allowed;

#define ok(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

static inline int64_t fake_now(void *self)
{
    (void)self;
    return __atomic_load_n(&clock_ms, __ATOMIC_RELAXED);
}

static inline void fake_sleep(void *self, int64_t ms)
{
    (void)self;
    __atomic_add_fetch(&clock_ms, ms, __ATOMIC_RELAXED);
}

/* What activation does, as far as run can see it. */
static inline int fake_activate(struct sty_ledger *to, const json_t *row, struct sty_error *e)
{
    int64_t target = sty_json_int(row, "target", 0);
    const char *instance = sty_json_text(row, "to_instance", NULL), *kind = sty_json_text(row, "kind", "");
    if (strcmp(kind, "delete") == 0)
        return sty_ledger_exec(to, e, "DELETE FROM active WHERE target = ?", "i", target) < 0 ||
                       sty_ledger_exec(to, e, "UPDATE targets SET tainted = 0 WHERE id = ?", "i", target) < 0
                   ? -1
                   : 0;
    if (sty_ledger_exec(to, e,
                        "INSERT INTO active (target, instance, commit_oid, since, remediation) VALUES (?, ?, 'c', 0, ?)"
                        " ON CONFLICT (target) DO UPDATE SET instance = excluded.instance",
                        "iss", target, instance, sty_json_text(row, "id", "")) < 0)
        return -1;
    return sty_ledger_exec(to, e, "UPDATE targets SET tainted = 0 WHERE id = ?", "i", target);
}

static struct sty_world fake_world;
static struct sty_run_world world;

static inline void world_init(void)
{
    fake_world = *sty_world_real();
    fake_world.sleep_ms = fake_sleep;
    world = (struct sty_run_world){.ledger = ledger,
                                   .world = &fake_world,
                                   .state_dir = state_dir,
                                   .allow = allow,
                                   .secrets = secrets_allowed,
                                   .program = program,
                                   .activate = fake_activate};
}

static inline int open_ledger(void)
{
    if (sty_ledger_open(&ledger, state_dir, STY_LEDGER_WRITE, &err) < 0)
        return -1;
    sty_ledger_set_clock(ledger, fake_now, NULL);
    world_init();
    return 0;
}

static inline void name_folders(const char *base)
{
    snprintf(folder, sizeof(folder), "%s", base);
    snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
    snprintf(files_dir, sizeof(files_dir), "%s/files", folder);
}

static inline int setup(void **state)
{
    char base[] = "/tmp/styrmin-run-XXXXXX";
    (void)state;
    if (!mkdtemp(base))
        return -1;
    name_folders(base);
    clock_ms = 1000000;
    secrets_allowed = json_pack("{s:[s], s:[s], s:[]}", "files", files_dir, "env", "STYRMIN_TEST_SECRET", "commands");
    if (mkdir(state_dir, 0700) < 0 || mkdir(files_dir, 0755) < 0)
        return -1;
    return open_ledger();
}

static inline int teardown(void **state)
{
    (void)state;
    sty_ledger_close(ledger);
    json_decref(secrets_allowed);
    return sty_directory_remove(folder, &err);
}

/* Below the folder of files. Good for the next few calls. */
static inline const char *at(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", files_dir, name);
    return path;
}

static inline char *text_of(const char *name)
{
    struct sty_str text = STY_STR_INIT;
    struct sty_error ignored;
    if (sty_file_read(&text, at(name), 1 << 22, &ignored) < 0)
        return sty_strdup("(none)");
    return text.length ? sty_str_take(&text) : sty_strdup("");
}

static inline void assert_file(const char *name, const char *wanted)
{
    sty_auto_free char *text = text_of(name);
    assert_string_equal(text, wanted);
}

static inline void put(const char *name, const char *text)
{
    ok(sty_file_replace(at(name), text, strlen(text), 0644, &err));
}

static inline json_t *parse(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    json_t *out = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    if (sty_json_parse(&out, text, strlen(text), &err) < 0)
        fail_msg("%s in %s", err.text, text);
    free(text);
    return out;
}

static inline const char *blob(const char *text)
{
    static char digests[8][STY_DIGEST_SIZE];
    static int next;
    char *digest = digests[next++ % 8];
    sty_digest(digest, text, strlen(text));
    ok(sty_ledger_blob_put(ledger, digest, text, strlen(text), &err));
    return digest;
}

/* A component with one file. */
static inline json_t *file_component(const char *name, const char *content)
{
    const char *path = at(name);
    return parse("{'resources':[{'id':'file:%s','type':'file','spec':{'path':'%s','mode':'0644','owner':null,'group':"
                 "null,'content':{'digest':'%s','size':%zu,'holes':[]},'validate':null}}],'depends_on':[],'restart_on':"
                 "[],'reload_on':[],'health':null,'drift':{'policy':'heal','ignore_fields':[]}}",
                 path, path, blob(content), strlen(content));
}

/* Scripts of the driver: "PATH\nTEXT" each, NULL-terminated. Steals `components`. */
struct made {
    char digest[STY_DIGEST_SIZE];
};
static inline struct made make_instance(const char *deployment, const char *version, json_t *components,
                                        const char *const *scripts)
{
    struct made made;
    json_auto_t *list = json_array();
    for (; scripts && *scripts; scripts++) {
        const char *text = strchr(*scripts, '\n') + 1;
        sty_auto_free char *path = sty_strndup(*scripts, (size_t)(text - *scripts - 1));
        json_array_append_new(list, json_pack("[s,s,s]", path, "0755", blob(text)));
    }
    sty_auto_free char *files = sty_json_canonical_text(list);
    json_auto_t *instance =
        parse("{'format':1,'cluster':'c','environment':'e','deployment':'%s','driver':{'name':'d','version':'1',"
              "'files':'%s'},'application':{'name':'a','version':'%s'},'lifecycle':'running','context':{'deployment':"
              "{'name':'%s'}},'actions':[],'on_failure':{'update':'restore','upgrade':'hold','downgrade':'hold',"
              "'attempts':1}}",
              deployment, blob(files), version, deployment);
    json_object_set_new(instance, "components", components);
    sty_auto_free char *text = sty_json_canonical_text(instance);
    sty_digest(made.digest, text, strlen(text));
    ok(sty_ledger_instance_put(ledger, made.digest, text, strlen(text), &err));
    return made;
}

static inline int64_t add_target(const char *deployment, const char *policy)
{
    int64_t id = 0;
    json_auto_t *value = parse("%s", policy);
    sty_auto_free char *text = sty_json_canonical_text(value);
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO targets (cluster, environment, deployment, wanted, policy) VALUES ('c', 'e', ?, 1,"
                       " ?)",
                       "ss", deployment, text));
    ok(sty_ledger_number(&id, ledger, &err, "SELECT id FROM targets WHERE deployment = ?", "s", deployment));
    return id;
}

struct recorded {
    char id[STY_ID_SIZE];
};
/* `steps`: the steps without seq. */
static inline struct recorded record(int64_t target, const char *kind, const struct made *from, const struct made *to,
                                     const char *steps)
{
    struct recorded out;
    json_auto_t *row = NULL;
    json_auto_t *document = json_object();
    json_t *list = parse("%s", steps), *step;
    size_t i;
    json_array_foreach (list, i, step)
        json_object_set_new(step, "seq", json_integer((json_int_t)i + 1));
    json_object_set_new(document, "kind", json_string(kind));
    json_object_set_new(document, "from", sty_json_string_or_null(from ? from->digest : NULL));
    json_object_set_new(document, "to", sty_json_string_or_null(to ? to->digest : NULL));
    json_object_set_new(document, "steps", list);
    json_object_set_new(document, "digest", json_string("sha256:0"));
    ok(sty_ledger_row(&row, ledger, &err, "SELECT deployment FROM targets WHERE id = ?", "i", target));
    struct sty_target names = {"c", "e", sty_json_text(row, "deployment", "")};
    struct sty_remediation_new fresh = {.target = target, .names = &names, .document = document, .commit = "c"};
    ok(sty_ledger_begin(ledger, &err));
    ok(sty_remediation_record(out.id, ledger, &fresh, &err));
    ok(sty_ledger_commit(ledger, &err));
    return out;
}

/* One column of one row, as text; "(null)". Good for the next few calls. */
static inline const char *column(const char *sql, const char *id)
{
    static char texts[8][1024];
    static int next;
    char *out = texts[next++ % 8];
    json_auto_t *row = NULL;
    ok(sty_ledger_row(&row, ledger, &err, sql, "s", id));
    json_t *value = row ? json_object_iter_value(json_object_iter(row)) : NULL;
    if (json_is_string(value))
        snprintf(out, sizeof(texts[0]), "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(out, sizeof(texts[0]), "%lld", (long long)json_integer_value(value));
    else
        snprintf(out, sizeof(texts[0]), "%s", row ? "(null)" : "(none)");
    return out;
}

static inline void assert_state(const struct recorded *remediation, const char *wanted)
{
    const char *state = column("SELECT state FROM remediations WHERE id = ?", remediation->id);
    if (strcmp(state, wanted) != 0)
        fail_msg("%s, wanted %s: %s", state, wanted,
                 column("SELECT error FROM remediations WHERE id = ?", remediation->id));
}

/* "succeeded failed pending" of the newest attempt. */
static inline void assert_steps(const struct recorded *remediation, const char *wanted)
{
    assert_string_equal(column("SELECT group_concat(state, ' ') FROM (SELECT state FROM steps s WHERE remediation = ?1"
                               " AND attempt = (SELECT max(attempt) FROM steps WHERE remediation = ?1) ORDER BY seq)",
                               remediation->id),
                        wanted);
}

static inline int64_t number(const char *sql)
{
    int64_t out = -1;
    ok(sty_ledger_number(&out, ledger, &err, sql, ""));
    return out;
}

static inline void execute(const struct recorded *remediation)
{
    ok(sty_remediation_execute(&world, remediation->id, &err));
}

/* Nothing of any step is left below run/ but managed processes and driver files. */
static inline void assert_no_litter(void)
{
    sty_auto_free char *command = sty_sprintf(
        "find %s/run -name '*.spec' -o -name '*.claim' -o -name '*.pid' -o -name '*.out' -o -path '*/work/*'",
        state_dir);
    const char *argv[] = {"sh", "-c", command, NULL};
    struct sty_process_spec spec = {.argv = argv, .output_limit = 4096, .timeout_ms = 10000};
    sty_auto(process_result) result = {0, false, STY_STR_INIT, STY_STR_INIT};
    ok(sty_process_run(&result, &spec, &err));
    assert_string_equal(result.output.data, "");
}

static inline void find_program(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
}
