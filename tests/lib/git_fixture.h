/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * git_fixture: a bare repository in a temp folder that a test writes commits and trees into, also such as git itself
 * would never make, and a mirror of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <git2.h>
#include "base/file.h"
#include "source/source.h"

struct git_fixture {
    char root[64], remote_path[96], mirror_path[96];
    git_repository *remote;
    struct sty_repo *mirror; /* opened by the test, closed by the fixture */
    struct sty_arena *arena;
    struct sty_source_config config;
    struct sty_error err;
    int64_t clock; /* of the commits made */
};

static inline int git_fixture_setup(void **state)
{
    struct git_fixture *fixture = sty_calloc(1, sizeof(*fixture));
    snprintf(fixture->root, sizeof(fixture->root), "/tmp/styrmin-unit-XXXXXX");
    git_libgit2_init();
    if (!mkdtemp(fixture->root))
        return -1;
    unsetenv("GIT_DIR");
    snprintf(fixture->remote_path, sizeof(fixture->remote_path), "%s/remote.git", fixture->root);
    snprintf(fixture->mirror_path, sizeof(fixture->mirror_path), "%s/source.git", fixture->root);
    fixture->arena = sty_arena_new();
    fixture->clock = 1700000000;
    fixture->config = (struct sty_source_config){.url = fixture->remote_path, .branch = "main", .name = "edge-1"};
    *state = fixture;
    return git_repository_init(&fixture->remote, fixture->remote_path, 1);
}

static inline int git_fixture_teardown(void **state)
{
    struct git_fixture *fixture = *state;
    struct sty_error err;
    sty_repo_free(fixture->mirror);
    git_repository_free(fixture->remote);
    sty_arena_free(fixture->arena);
    int result = sty_directory_remove(fixture->root, &err);
    free(fixture);
    return result;
}

#define git_ok(call) assert_int_equal((call), 0)
/* A call that must succeed, or the test says why not. */
#define must(fixture, call)                                                                                            \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, (fixture)->err.text);                                                            \
    } while (0)
/* A call that must fail with this code. */
#define must_fail(fixture, expected, call)                                                                             \
    do {                                                                                                               \
        assert_int_equal((call), -1);                                                                                  \
        if ((fixture)->err.code != (expected))                                                                         \
            fail_msg("%s: %s: %s", #call, sty_code_name((fixture)->err.code), (fixture)->err.text);                    \
    } while (0)

static inline git_oid git_fixture_blob(git_repository *git, const char *text)
{
    git_oid out;
    git_ok(git_blob_create_from_buffer(&out, git, text, strlen(text)));
    return out;
}

struct git_fixture_file {
    const char *path, *text; /* text NULL: removed */
    git_filemode_t mode;     /* 0: a plain file */
};

static inline git_oid git_fixture_tree(git_repository *git, const git_oid *base, const struct git_fixture_file *files)
{
    git_tree_update updates[64];
    size_t count = 0;
    git_tree *tree = NULL;
    git_treebuilder *builder = NULL;
    git_oid empty, out;
    for (; files[count].path; count++) {
        git_oid blob = git_fixture_blob(git, files[count].text ? files[count].text : "");
        updates[count] =
            (git_tree_update){files[count].text ? GIT_TREE_UPDATE_UPSERT : GIT_TREE_UPDATE_REMOVE, blob,
                              files[count].mode ? files[count].mode : GIT_FILEMODE_BLOB, files[count].path};
    }
    git_ok(git_treebuilder_new(&builder, git, NULL));
    git_ok(git_treebuilder_write(&empty, builder));
    git_ok(git_tree_lookup(&tree, git, base ? base : &empty));
    git_ok(git_tree_create_updated(&out, git, tree, count, updates));
    git_tree_free(tree);
    git_treebuilder_free(builder);
    return out;
}

static inline git_oid git_fixture_commit_tree(struct git_fixture *fixture, const git_oid *tree_oid,
                                              const git_oid *parents, size_t parent_count, const char *message)
{
    git_signature *anna = NULL;
    git_tree *tree = NULL;
    git_commit *commits[2] = {0};
    git_oid out;
    git_ok(git_signature_new(&anna, "Anna", "anna@example.com", fixture->clock++, 0));
    git_ok(git_tree_lookup(&tree, fixture->remote, tree_oid));
    for (size_t i = 0; i < parent_count; i++)
        git_ok(git_commit_lookup(&commits[i], fixture->remote, &parents[i]));
    git_ok(git_commit_create(&out, fixture->remote, NULL, anna, anna, NULL, message, tree, parent_count,
                             (const git_commit **)(void *)commits));
    for (size_t i = 0; i < parent_count; i++)
        git_commit_free(commits[i]);
    git_tree_free(tree);
    git_signature_free(anna);
    return out;
}

static inline void git_fixture_ref(git_repository *git, const char *name, const git_oid *oid)
{
    git_reference *reference = NULL;
    git_ok(git_reference_create(&reference, git, name, oid, 1, NULL));
    git_reference_free(reference);
}

/* A commit of `files` on top of `parent` (NULL: the first), the new tip of main. */
static inline git_oid git_fixture_commit(struct git_fixture *fixture, const git_oid *parent,
                                         const struct git_fixture_file *files, const char *message)
{
    git_oid base = {0}, tree, out;
    git_commit *commit = NULL;
    if (parent) {
        git_ok(git_commit_lookup(&commit, fixture->remote, parent));
        base = *git_commit_tree_id(commit);
        git_commit_free(commit);
    }
    tree = git_fixture_tree(fixture->remote, parent ? &base : NULL, files);
    out = git_fixture_commit_tree(fixture, &tree, parent, parent ? 1 : 0, message);
    git_fixture_ref(fixture->remote, "refs/heads/main", &out);
    return out;
}

/* A tree object of raw bytes, as nobody's git writes it. */
struct git_fixture_raw {
    const char *mode, *name;
    git_oid oid;
};
static inline git_oid git_fixture_raw_tree(git_repository *git, const struct git_fixture_raw *entries, size_t count)
{
    struct sty_str bytes = STY_STR_INIT;
    git_odb *odb = NULL;
    git_oid out;
    for (size_t i = 0; i < count; i++) {
        sty_str_appendf(&bytes, "%s %s", entries[i].mode, entries[i].name);
        sty_str_append_bytes(&bytes, "", 1);
        sty_str_append_bytes(&bytes, entries[i].oid.id, GIT_OID_RAWSZ);
    }
    git_ok(git_repository_odb(&odb, git));
    git_ok(git_odb_write(&out, odb, bytes.data, bytes.length, GIT_OBJECT_TREE));
    git_odb_free(odb);
    sty_str_clear(&bytes);
    return out;
}

static inline void git_fixture_open(struct git_fixture *fixture)
{
    if (!fixture->mirror)
        must(fixture, sty_repo_open(&fixture->mirror, fixture->mirror_path, false, &fixture->err));
}

/* Open the mirror and fetch; the tip. */
static inline struct sty_fetch_result git_fixture_fetch(struct git_fixture *fixture, const char *accepted)
{
    struct sty_fetch_result out = {0};
    git_fixture_open(fixture);
    must(fixture, sty_repo_fetch(&out, fixture->mirror, &fixture->config, accepted, &fixture->err));
    return out;
}

static inline const char *hex(const git_oid *oid)
{
    static char texts[8][STY_OID_SIZE];
    static unsigned next;
    return git_oid_tostr(texts[next++ % 8], STY_OID_SIZE, oid);
}
