/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"
#include <sys/stat.h>

#define TEXT_REF "refs/notes/styrmin/edge-1"
#define RECORDS_REF "refs/notes/styrmin-records/edge-1"

static git_oid start(struct git_fixture *fixture)
{
    const struct git_fixture_file files[] = {{"file", "a", 0}, {0}};
    git_oid tip = git_fixture_commit(fixture, NULL, files, "a");
    git_fixture_fetch(fixture, NULL);
    return tip;
}

static void write_note(struct git_fixture *fixture, const char *commit, const char *text, const char *records)
{
    struct sty_note note = {commit, text, records};
    must(fixture, sty_notes_write(fixture->mirror, "edge-1", &note, 1, &fixture->err));
}

static void expect_note(struct git_fixture *fixture, struct sty_repo *repo, const char *commit, const char *text,
                        const char *records)
{
    sty_auto(str) got_text = STY_STR_INIT;
    sty_auto(str) got_records = STY_STR_INIT;
    must(fixture, sty_notes_read(&got_text, &got_records, repo, "edge-1", commit, &fixture->err));
    assert_string_equal(got_text.data, text);
    assert_string_equal(got_records.data, records);
}

static void expect_remote(struct git_fixture *fixture, const char *commit, const char *text, const char *records)
{
    sty_auto_ptr(repo) repo = NULL;
    must(fixture, sty_repo_open(&repo, fixture->remote_path, true, &fixture->err));
    expect_note(fixture, repo, commit, text, records);
}

static void expect_unpushed(struct git_fixture *fixture, bool expected)
{
    bool unpushed = !expected;
    must(fixture, sty_notes_unpushed(&unpushed, fixture->mirror, "edge-1", &fixture->err));
    assert_int_equal(unpushed, expected);
}

static void push(struct git_fixture *fixture)
{
    must(fixture, sty_notes_push(fixture->mirror, &fixture->config, &fixture->err));
}

/* As git itself or another installation writes one, straight into the remote. */
static void others_write(struct git_fixture *fixture, const char *ref, const git_oid *commit, const char *text)
{
    git_signature *bo = NULL;
    git_oid oid;
    git_ok(git_signature_now(&bo, "Bo", "bo@example.com"));
    git_ok(git_note_create(&oid, fixture->remote, ref, bo, bo, commit, text, 1));
    git_signature_free(bo);
}

static void test_write_and_read(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    expect_note(fixture, fixture->mirror, hex(&tip), "", "");
    write_note(fixture, hex(&tip), "succeeded\n", "{\"n\":1}\n");
    expect_note(fixture, fixture->mirror, hex(&tip), "succeeded\n", "{\"n\":1}\n");
    /* Text is replaced, records are appended, none twice; a missing end of line is given. */
    write_note(fixture, hex(&tip), "failed", "{\"n\":1}\n{\"n\":2}");
    write_note(fixture, hex(&tip), NULL, "{\"n\":2}\n{\"n\":2}\n\n{\"n\":3}");
    expect_note(fixture, fixture->mirror, hex(&tip), "failed", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    must_fail(fixture, STY_INVALID,
              sty_notes_write(fixture->mirror, "edge-1", &(struct sty_note){"HEAD", "t", NULL}, 1, &fixture->err));
    must_fail(fixture, STY_USAGE,
              sty_notes_write(fixture->mirror, "a/b", &(struct sty_note){hex(&tip), "t", NULL}, 1, &fixture->err));
    must_fail(fixture, STY_USAGE, sty_notes_read(NULL, NULL, fixture->mirror, NULL, hex(&tip), &fixture->err));
}

static git_oid ref_of(struct git_fixture *fixture, const char *ref)
{
    git_repository *git = NULL;
    git_oid out = {0};
    git_ok(git_repository_open_bare(&git, fixture->mirror_path));
    git_reference_name_to_id(&out, git, ref);
    git_repository_free(git);
    return out;
}

static void test_one_commit_for_all(void **state)
{
    struct git_fixture *fixture = *state;
    struct sty_note notes[300];
    char commits[300][STY_OID_SIZE];
    start(fixture);
    for (size_t i = 0; i < STY_COUNT(notes); i++) {
        snprintf(commits[i], STY_OID_SIZE, "%08x%032x", (unsigned)i * 0x01010101u, (unsigned)i);
        notes[i] = (struct sty_note){commits[i], "text", "{}"};
    }
    must(fixture, sty_notes_write(fixture->mirror, "edge-1", notes, STY_COUNT(notes), &fixture->err));
    git_oid before = ref_of(fixture, TEXT_REF);
    git_repository *git = NULL;
    git_commit *commit = NULL;
    git_ok(git_repository_open_bare(&git, fixture->mirror_path));
    git_ok(git_commit_lookup(&commit, git, &before));
    assert_int_equal(git_commit_parentcount(commit), 0);
    git_commit_free(commit);
    git_repository_free(git);
    for (size_t i = 0; i < STY_COUNT(notes); i += 37)
        expect_note(fixture, fixture->mirror, commits[i], "text", "{}\n");
    /* The same again is nothing. */
    must(fixture, sty_notes_write(fixture->mirror, "edge-1", notes, STY_COUNT(notes), &fixture->err));
    git_oid after = ref_of(fixture, TEXT_REF);
    assert_true(git_oid_equal(&before, &after));
}

struct gathered {
    size_t count;
    struct sty_str lines;
};

static int gather(void *self, const char *commit, const char *bytes, size_t length, struct sty_error *err)
{
    struct gathered *gathered = self;
    (void)err;
    assert_int_equal(strlen(commit), 40);
    gathered->count++;
    sty_str_append_bytes(&gathered->lines, bytes, length);
    return 0;
}

static void test_records(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    struct gathered gathered = {0, STY_STR_INIT};
    must(fixture, sty_notes_records(fixture->mirror, "edge-1", gather, &gathered, &fixture->err));
    assert_int_equal(gathered.count, 0);
    /* Any fan-out, and what is no note beside it. */
    const struct git_fixture_file files[] = {
        {"aa/bb/cc0000000000000000000000000000000000", "1\n", 0},
        {"0000000000000000000000000000000000000001", "2\n", 0},
        {"bb/00000000000000000000000000000000000002", "3\n", 0},
        {"README", "no note", 0},
        {"zz/00000000000000000000000000000000000002", "no note", 0},
        {0},
    };
    git_oid tree = git_fixture_tree(fixture->remote, NULL, files);
    git_oid commit = git_fixture_commit_tree(fixture, &tree, NULL, 0, "notes");
    git_fixture_ref(fixture->remote, RECORDS_REF, &commit);
    assert_true(git_fixture_fetch(fixture, hex(&tip)).notes_changed);
    must(fixture, sty_notes_records(fixture->mirror, "edge-1", gather, &gathered, &fixture->err));
    assert_int_equal(gathered.count, 3);
    write_note(fixture, "aabbcc0000000000000000000000000000000000", NULL, "4");
    write_note(fixture, "0000000000000000000000000000000000000001", NULL, "5");
    expect_note(fixture, fixture->mirror, "aabbcc0000000000000000000000000000000000", "", "1\n4\n");
    expect_note(fixture, fixture->mirror, "0000000000000000000000000000000000000001", "", "2\n5\n");
    gathered.count = 0;
    must(fixture, sty_notes_records(fixture->mirror, "edge-1", gather, &gathered, &fixture->err));
    assert_int_equal(gathered.count, 3);
    sty_str_clear(&gathered.lines);
}

static void test_hostile_notes(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture), blob = git_fixture_blob(fixture->remote, "x");
    const struct git_fixture_raw entries[] = {{"100644", "..", blob}};
    git_oid tree = git_fixture_raw_tree(fixture->remote, entries, 1);
    git_oid commit = git_fixture_commit_tree(fixture, &tree, NULL, 0, "notes");
    struct gathered gathered = {0, STY_STR_INIT};
    git_fixture_ref(fixture->remote, RECORDS_REF, &commit);
    git_fixture_fetch(fixture, hex(&tip));
    must_fail(fixture, STY_INVALID, sty_notes_records(fixture->mirror, "edge-1", gather, &gathered, &fixture->err));
    sty_str_clear(&gathered.lines);
}

static void test_push(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    expect_unpushed(fixture, false);
    push(fixture); /* nothing to push */
    write_note(fixture, hex(&tip), "one", "1");
    expect_unpushed(fixture, true);
    git_fixture_fetch(fixture, hex(&tip));
    expect_unpushed(fixture, true);
    push(fixture);
    expect_unpushed(fixture, false);
    expect_remote(fixture, hex(&tip), "one", "1\n");
    write_note(fixture, hex(&tip), "two", NULL);
    push(fixture);
    expect_remote(fixture, hex(&tip), "two", "1\n");
    assert_false(git_fixture_fetch(fixture, hex(&tip)).notes_changed);
}

static void test_somebody_else_pushed(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    git_oid other = {{0xaa}};
    write_note(fixture, hex(&tip), "one", "1");
    push(fixture);
    const struct git_fixture_file files[] = {{"file", "b", 0}, {0}};
    git_oid newer = git_fixture_commit(fixture, &tip, files, "b");
    others_write(fixture, TEXT_REF, &tip, "theirs");
    others_write(fixture, TEXT_REF, &newer, "theirs too");
    others_write(fixture, RECORDS_REF, &tip, "1\n2\n");
    /* Ours has something new on the old commit's records and on another commit, but not on the old one's text. */
    write_note(fixture, hex(&tip), NULL, "3");
    write_note(fixture, hex(&other), "ours", "4");
    push(fixture);
    expect_remote(fixture, hex(&tip), "theirs", "1\n2\n3\n");
    expect_remote(fixture, hex(&newer), "theirs too", "");
    expect_remote(fixture, hex(&other), "ours", "4\n");
    expect_unpushed(fixture, false);
    /* Both changed the same text: ours wins. */
    others_write(fixture, TEXT_REF, &tip, "theirs again");
    write_note(fixture, hex(&tip), "ours again", NULL);
    push(fixture);
    expect_remote(fixture, hex(&tip), "ours again", "1\n2\n3\n");
}

static void test_fetch_follows_or_keeps(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    others_write(fixture, TEXT_REF, &tip, "theirs");
    assert_true(git_fixture_fetch(fixture, hex(&tip)).notes_changed);
    expect_note(fixture, fixture->mirror, hex(&tip), "theirs", "");
    expect_unpushed(fixture, false);
    others_write(fixture, TEXT_REF, &tip, "theirs 2");
    git_fixture_fetch(fixture, hex(&tip));
    expect_note(fixture, fixture->mirror, hex(&tip), "theirs 2", "");
    /* What is not pushed yet stays, however the remote moves. */
    write_note(fixture, hex(&tip), "ours", "1");
    others_write(fixture, TEXT_REF, &tip, "theirs 3");
    git_fixture_fetch(fixture, hex(&tip));
    expect_note(fixture, fixture->mirror, hex(&tip), "ours", "1\n");
    expect_unpushed(fixture, true);
    push(fixture);
    /* The remote lost its notes: ours are pushed again. */
    git_ok(git_reference_remove(fixture->remote, TEXT_REF));
    git_ok(git_reference_remove(fixture->remote, RECORDS_REF));
    git_fixture_fetch(fixture, hex(&tip));
    expect_note(fixture, fixture->mirror, hex(&tip), "ours", "1\n");
    expect_unpushed(fixture, true);
    push(fixture);
    expect_remote(fixture, hex(&tip), "ours", "1\n");
}

static void test_notes_without_common_history(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    write_note(fixture, hex(&tip), "ours", "1");
    others_write(fixture, RECORDS_REF, &tip, "2\n");
    push(fixture);
    expect_remote(fixture, hex(&tip), "ours", "2\n1\n");
}

static void hook(struct git_fixture *fixture, const char *name, const char *script)
{
    sty_auto_free char *folder = sty_sprintf("%s/hooks", fixture->remote_path);
    sty_auto_free char *path = sty_sprintf("%s/%s", folder, name);
    must(fixture, sty_directory_make(folder, 0755, &fixture->err));
    must(fixture, sty_file_replace(path, script, strlen(script), 0755, &fixture->err));
}

static void test_refused(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    write_note(fixture, hex(&tip), "one", "1");
    hook(fixture, "pre-receive", "#!/bin/sh\necho notes are frozen >&2\nexit 1\n");
    must_fail(fixture, STY_DENIED, sty_notes_push(fixture->mirror, &fixture->config, &fixture->err));
    assert_non_null(strstr(fixture->err.text, "pre-receive hook declined"));
    assert_non_null(strstr(fixture->err.text, "notes are frozen"));
    expect_unpushed(fixture, true);
    /* One of the two is refused: the other is there, and only the one is owed. */
    hook(fixture, "pre-receive", "#!/bin/sh\nexit 0\n");
    hook(fixture, "update", "#!/bin/sh\ncase $1 in *records*) exit 0;; esac\nexit 1\n");
    must_fail(fixture, STY_DENIED, sty_notes_push(fixture->mirror, &fixture->config, &fixture->err));
    expect_remote(fixture, hex(&tip), "", "1\n");
    expect_unpushed(fixture, true);
    hook(fixture, "update", "#!/bin/sh\nexit 0\n");
    push(fixture);
    expect_remote(fixture, hex(&tip), "one", "1\n");
    expect_unpushed(fixture, false);
}

/* A remote that moves under every attempt. */
static void test_conflict(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tip = start(fixture);
    sty_auto_free char *script =
        sty_sprintf("#!/bin/sh\nunset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n"
                    "export GIT_AUTHOR_NAME=b GIT_AUTHOR_EMAIL=b@b GIT_COMMITTER_NAME=b GIT_COMMITTER_EMAIL=b@b\n"
                    "git notes --ref=" RECORDS_REF " append -m \"$$\" %s\n",
                    hex(&tip));
    write_note(fixture, hex(&tip), NULL, "ours");
    hook(fixture, "pre-receive", script);
    must_fail(fixture, STY_CONFLICT, sty_notes_push(fixture->mirror, &fixture->config, &fixture->err));
    expect_unpushed(fixture, true);
    hook(fixture, "pre-receive", "#!/bin/sh\nexit 0\n");
    push(fixture);
    expect_unpushed(fixture, false);
}

static bool remote_has_probe(struct git_fixture *fixture)
{
    git_oid oid;
    return git_reference_name_to_id(&oid, fixture->remote, "refs/notes/styrmin-probe/edge-1") == 0;
}

static void test_probe(void **state)
{
    struct git_fixture *fixture = *state;
    start(fixture);
    must(fixture, sty_notes_probe(fixture->mirror, &fixture->config, &fixture->err));
    assert_false(remote_has_probe(fixture));
    must(fixture, sty_notes_probe(fixture->mirror, &fixture->config, &fixture->err));
    /* One that an earlier probe could not delete is in nobody's way. */
    const struct git_fixture_file files[] = {{"file", "b", 0}, {0}};
    git_oid other = git_fixture_commit(fixture, NULL, files, "b");
    git_fixture_ref(fixture->remote, "refs/notes/styrmin-probe/edge-1", &other);
    must(fixture, sty_notes_probe(fixture->mirror, &fixture->config, &fixture->err));
    assert_false(remote_has_probe(fixture));
}

static void test_probe_refused(void **state)
{
    struct git_fixture *fixture = *state;
    start(fixture);
    hook(fixture, "pre-receive", "#!/bin/sh\necho 'notes are for others' >&2\nexit 1\n");
    must_fail(fixture, STY_DENIED, sty_notes_probe(fixture->mirror, &fixture->config, &fixture->err));
    assert_non_null(strstr(fixture->err.text, "notes are for others"));
    assert_false(remote_has_probe(fixture));
    hook(fixture, "pre-receive", "#!/bin/sh\nexit 0\n");
    hook(fixture, "update", "#!/bin/sh\ncase $3 in *[!0]*) exit 0 ;; esac\nexit 1\n");
    must_fail(fixture, STY_CONFLICT, sty_notes_probe(fixture->mirror, &fixture->config, &fixture->err));
    assert_non_null(strstr(fixture->err.text, "refs/notes/styrmin-probe/edge-1"));
    assert_true(remote_has_probe(fixture));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, git_fixture_setup, git_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),
        TEST(test_one_commit_for_all),
        TEST(test_records),
        TEST(test_hostile_notes),
        TEST(test_push),
        TEST(test_somebody_else_pushed),
        TEST(test_fetch_follows_or_keeps),
        TEST(test_notes_without_common_history),
        TEST(test_refused),
        TEST(test_conflict),
        TEST(test_probe),
        TEST(test_probe_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
