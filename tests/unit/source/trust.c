/* SPDX-License-Identifier: Apache-2.0 */
/* Which commits must be signed, by whom, and where in a commit a signature counts; signed by the real ssh-keygen. */
#include "git_fixture.h"
#include "base/process.h"

enum { PARENTS = 2 };

static char *file_of(struct git_fixture *fixture, const char *name)
{
    return sty_arena_printf(fixture->arena, "%s/%s", fixture->root, name);
}

static void put(struct git_fixture *fixture, const char *name, const char *text)
{
    must(fixture, sty_file_replace(file_of(fixture, name), text, strlen(text), 0600, &fixture->err));
}

/* What a program says to `input`, in the fixture's arena. */
static char *said(struct git_fixture *fixture, const char *const *argv, const char *input)
{
    sty_auto(process_result) result = {0, false, STY_STR_INIT, STY_STR_INIT};
    struct sty_process_spec spec = {
        .argv = argv, .input = input, .input_length = strlen(input), .output_limit = 65536, .timeout_ms = 20000};
    must(fixture, sty_process_run(&result, &spec, &fixture->err));
    if (result.status)
        fail_msg("%s: %s", argv[0], result.error.data);
    return sty_arena_strdup(fixture->arena, result.output.data);
}

static void make_key(struct git_fixture *fixture, const char *name)
{
    const char *const argv[] = {"ssh-keygen",           "-q", "-t", "ed25519", "-N", "", "-C", "", "-f",
                                file_of(fixture, name), NULL};
    said(fixture, argv, "");
}

/* A line of allowed_signers for this key. */
static char *allows(struct git_fixture *fixture, const char *words, const char *key)
{
    sty_auto(str) public = STY_STR_INIT;
    must(fixture, sty_file_read(&public, file_of(fixture, sty_arena_printf(fixture->arena, "%s.pub", key)), 4096,
                                &fixture->err));
    return sty_arena_printf(fixture->arena, "%s %s", words, public.data);
}

static char *sign(struct git_fixture *fixture, const char *key, const char *name_space, const char *payload)
{
    const char *const argv[] = {"ssh-keygen", "-q", "-Y", "sign", "-n", name_space, "-f", file_of(fixture, key), NULL};
    return said(fixture, argv, payload);
}

/* What is signed: a commit without its signature. */
static char *draft(struct git_fixture *fixture, const git_oid *const parents[PARENTS], const char *message)
{
    git_signature *anna = NULL;
    git_tree *tree = NULL;
    git_commit *commits[PARENTS] = {0};
    git_buf bytes = {0};
    const struct git_fixture_file files[] = {{"deployments/file", message, 0}, {0}};
    git_oid tree_oid = git_fixture_tree(fixture->remote, NULL, files);
    size_t count = 0;
    git_ok(git_signature_new(&anna, "Anna", "anna@example.com", fixture->clock++, 0));
    git_ok(git_tree_lookup(&tree, fixture->remote, &tree_oid));
    for (; count < PARENTS && parents[count]; count++)
        git_ok(git_commit_lookup(&commits[count], fixture->remote, parents[count]));
    git_ok(git_commit_create_buffer(&bytes, fixture->remote, anna, anna, NULL, message, tree, count,
                                    (const git_commit **)(void *)commits));
    char *out = sty_arena_strdup(fixture->arena, bytes.ptr);
    for (size_t i = 0; i < count; i++)
        git_commit_free(commits[i]);
    git_buf_dispose(&bytes);
    git_tree_free(tree);
    git_signature_free(anna);
    return out;
}

static git_oid write_commit(struct git_fixture *fixture, const void *bytes, size_t length)
{
    git_odb *odb = NULL;
    git_oid out;
    git_ok(git_repository_odb(&odb, fixture->remote));
    git_ok(git_odb_write(&out, odb, bytes, length, GIT_OBJECT_COMMIT));
    git_odb_free(odb);
    return out;
}

/* The header of a signature, its lines behind the first moved in by a space. */
static char *header_of(struct git_fixture *fixture, const char *signature)
{
    sty_auto(str) out = STY_STR_INIT;
    sty_str_append(&out, "gpgsig ");
    for (; *signature; signature++) {
        sty_str_append_char(&out, *signature);
        if (*signature == '\n' && signature[1])
            sty_str_append_char(&out, ' ');
    }
    return sty_arena_strdup(fixture->arena, out.data);
}

static char *head_of(struct git_fixture *fixture, const char *payload)
{
    return sty_arena_strndup(fixture->arena, payload, (size_t)(strstr(payload, "\n\n") - payload) + 1);
}

static char *join(struct git_fixture *fixture, const char *payload, const char *headers)
{
    const char *head = head_of(fixture, payload);
    return sty_arena_printf(fixture->arena, "%s%s%s", head, headers, payload + strlen(head));
}

/* A commit signed by `key` (NULL: by nobody), not on any branch yet. */
static git_oid commit(struct git_fixture *fixture, const char *key, const git_oid *first, const git_oid *second,
                      const char *message)
{
    const git_oid *const parents[PARENTS] = {first, second};
    char *text = draft(fixture, parents, message);
    if (key)
        text = join(fixture, text, header_of(fixture, sign(fixture, key, "git", text)));
    return write_commit(fixture, text, strlen(text));
}

static int setup(void **state)
{
    if (git_fixture_setup(state) < 0)
        return -1;
    struct git_fixture *fixture = *state;
    make_key(fixture, "anna");
    make_key(fixture, "bert");
    put(fixture, "signers", allows(fixture, "anna@example.com", "anna"));
    fixture->config.signers_file = file_of(fixture, "signers");
    fixture->config.verify = STY_VERIFY_HEAD;
    git_fixture_open(fixture);
    return 0;
}

/* Fetches with main at `tip`: NULL when it was taken, else why not, in fixture->err. */
static const char *refused(struct git_fixture *fixture, const git_oid *tip, const git_oid *accepted)
{
    struct sty_fetch_result result;
    char before[STY_OID_SIZE] = "", after[STY_OID_SIZE] = "";
    git_fixture_ref(fixture->remote, "refs/heads/main", tip);
    sty_repo_tip(before, fixture->mirror, "main", &fixture->err);
    int code =
        sty_repo_fetch(&result, fixture->mirror, &fixture->config, accepted ? hex(accepted) : NULL, &fixture->err);
    const char *text = fixture->err.text;
    struct sty_error ignored;
    sty_repo_tip(after, fixture->mirror, "main", &ignored);
    assert_string_equal(after, code == 0 ? hex(tip) : before);
    sty_auto_free char *left = sty_sprintf("%s/verify", fixture->mirror_path);
    assert_int_equal(access(left, F_OK), -1);
    return code == 0 ? NULL : text;
}

#define taken(fixture, ...)                                                                                            \
    do {                                                                                                               \
        const char *why_ = refused(fixture, __VA_ARGS__);                                                              \
        if (why_)                                                                                                      \
            fail_msg("refused: %s", why_);                                                                             \
    } while (0)
#define denied(fixture, words, ...)                                                                                    \
    do {                                                                                                               \
        const char *why_ = refused(fixture, __VA_ARGS__);                                                              \
        if (!why_)                                                                                                     \
            fail_msg("taken, line %d", __LINE__);                                                                      \
        assert_int_equal((fixture)->err.code, STY_DENIED);                                                             \
        if (!strstr(why_, words))                                                                                      \
            fail_msg("wanted '%s' in '%s'", words, why_);                                                              \
    } while (0)

static void test_head(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, NULL, NULL, NULL, "a");
    denied(fixture, "by Anna <anna@example.com> is not trusted: it carries no signature; push one on top", &a, NULL);
    assert_non_null(strstr(fixture->err.text, hex(&a)));
    git_oid b = commit(fixture, "anna", &a, NULL, "b"), c = commit(fixture, NULL, &b, NULL, "c");
    taken(fixture, &b, NULL);
    denied(fixture, hex(&c), &c, &b);
    denied(fixture, hex(&c), &c, &b);
    git_oid d = commit(fixture, "anna", &c, NULL, "d");
    taken(fixture, &d, &b);
    taken(fixture, &d, &d);
}

static void test_every(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid past = commit(fixture, NULL, NULL, NULL, "past"), a = commit(fixture, "anna", &past, NULL, "a");
    git_oid b = commit(fixture, NULL, &a, NULL, "b"), c = commit(fixture, "anna", &b, NULL, "c");
    fixture->config.verify = STY_VERIFY_EVERY;
    denied(fixture, "replace it by one", &past, NULL);
    taken(fixture, &a, NULL);
    denied(fixture, hex(&b), &c, &a);
    git_oid e = commit(fixture, "anna", &a, NULL, "e"), f = commit(fixture, "anna", &e, NULL, "f");
    taken(fixture, &f, &a);
}

/* Turned on later, what was accepted stays. */
static void test_turned_on_later(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, NULL, NULL, NULL, "a"), b = commit(fixture, NULL, &a, NULL, "b");
    fixture->config.verify = STY_VERIFY_NONE;
    taken(fixture, &a, NULL);
    taken(fixture, &b, &a);
    fixture->config.verify = STY_VERIFY_EVERY;
    taken(fixture, &b, &b);
    must_fail(fixture, STY_DENIED, sty_repo_verify(fixture->mirror, &fixture->config, hex(&b), hex(&a), &fixture->err));
    must(fixture, sty_repo_verify(fixture->mirror, &fixture->config, hex(&b), hex(&b), &fixture->err));
    git_oid c = commit(fixture, "anna", &b, NULL, "c");
    denied(fixture, hex(&b), &c, &a);
    taken(fixture, &c, &b);
}

static void test_merges(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, "anna", NULL, NULL, "a"), b = commit(fixture, "anna", &a, NULL, "b");
    git_oid unsigned_one = commit(fixture, NULL, &a, NULL, "side"),
            on_it = commit(fixture, "anna", &unsigned_one, NULL, "s");
    git_oid signed_one = commit(fixture, "anna", &a, NULL, "good side"),
            root = commit(fixture, NULL, NULL, NULL, "root");
    git_oid bad = commit(fixture, "anna", &b, &on_it, "bad merge"),
            good = commit(fixture, "anna", &b, &signed_one, "merge");
    git_oid grafted = commit(fixture, "anna", &b, &root, "another history");
    fixture->config.verify = STY_VERIFY_EVERY;
    taken(fixture, &a, NULL);
    denied(fixture, hex(&unsigned_one), &bad, &a);
    denied(fixture, hex(&root), &grafted, &a);
    taken(fixture, &good, &a);
    fixture->config.verify = STY_VERIFY_HEAD;
    taken(fixture, &bad, &a);
}

/* What is accepted is never asked for a signature, however wrong the clocks were: those decide how history is walked. */
static void test_clocks_that_were_wrong(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid root = commit(fixture, NULL, NULL, NULL, "root"), early = commit(fixture, NULL, &root, NULL, "early");
    git_oid last = early;
    fixture->clock = 1;
    for (int i = 0; i < 12; i++)
        last = commit(fixture, NULL, &last, NULL, "long ago");
    fixture->clock = 1700002000;
    git_oid side = commit(fixture, "anna", &early, NULL, "side"), base = commit(fixture, "anna", &last, NULL, "base");
    git_oid tip = commit(fixture, "anna", &base, &side, "tip");
    fixture->config.verify = STY_VERIFY_EVERY;
    taken(fixture, &base, NULL);
    taken(fixture, &tip, &base);
}

static void test_rewound(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, NULL, NULL, NULL, "a"), b = commit(fixture, "anna", &a, NULL, "b");
    git_oid c = commit(fixture, "anna", &b, NULL, "c"), other = commit(fixture, NULL, NULL, NULL, "other");
    git_oid on_other = commit(fixture, "anna", &other, NULL, "on other");
    fixture->config.verify = STY_VERIFY_EVERY;
    taken(fixture, &c, NULL);
    assert_non_null(refused(fixture, &on_other, &c));
    assert_int_equal(fixture->err.code, STY_REWOUND);
    fixture->config.accept_rewind = true;
    denied(fixture, hex(&other), &on_other, &c);
    denied(fixture, hex(&a), &a, &c);
    taken(fixture, &b, &c);
}

static void test_a_tag_of_the_same_name(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, "anna", NULL, NULL, "a"), b = commit(fixture, NULL, &a, NULL, "b");
    git_fixture_ref(fixture->remote, "refs/tags/main", &a);
    git_fixture_ref(fixture->remote, "refs/heads/refs/heads/main", &a);
    denied(fixture, hex(&b), &b, NULL);
    git_fixture_ref(fixture->remote, "refs/tags/main", &b);
    taken(fixture, &a, NULL);
}

static void test_who_is_allowed(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, "anna", NULL, NULL, "a");
    static const struct {
        const char *words, *key, *why; /* NULL: allowed */
    } rows[] = {
        {"anna@example.com", "anna", NULL},
        {"anna@example.com,other@example.com", "anna", NULL},
        {"!root@example.com,*@example.com", "anna", NULL},
        {"-O", "anna", NULL},
        {"anna@example.com namespaces=\"file,git\"", "anna", NULL},
        {"anna@example.com valid-after=\"20200101Z\",valid-before=\"20900101Z\"", "anna", NULL},
        {"anna@example.com", "bert", "its signer is not among those that are allowed here"},
        {"anna@example.com valid-before=\"20200101Z\"", "bert", "its signer is not among those that are allowed here"},
        {"anna@example.com namespaces=\"file\"", "anna", "its signer is not allowed to sign for git"},
        {"anna@example.com valid-before=\"20200101Z\"", "anna", "the key of its signer expired"},
        {"anna@example.com valid-after=\"20900101Z\"", "anna", "the key of its signer expired, or is not valid yet"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        put(fixture, "signers", allows(fixture, rows[i].words, rows[i].key));
        if (rows[i].why) {
            denied(fixture, rows[i].why, &a, NULL);
        } else {
            taken(fixture, &a, NULL);
            sty_repo_free(fixture->mirror);
            fixture->mirror = NULL;
            git_fixture_open(fixture);
        }
    }
}

/* Where a key expired and another line allows it, it is allowed. */
static void test_a_key_in_two_lines(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, "anna", NULL, NULL, "a");
    put(fixture, "signers",
        sty_arena_printf(fixture->arena, "%s%s", allows(fixture, "old@example.com valid-before=\"20200101Z\"", "anna"),
                         allows(fixture, "anna@example.com", "anna")));
    taken(fixture, &a, NULL);
}

static void test_configurations_that_cannot_work(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, "anna", NULL, NULL, "a");
    fixture->config.signers_file = NULL;
    denied(fixture, "there is no source.verify.signers_file", &a, NULL);
    fixture->config.signers_file = file_of(fixture, "nothing");
    assert_non_null(refused(fixture, &a, NULL));
    assert_int_equal(fixture->err.code, STY_USAGE);
    assert_non_null(strstr(fixture->err.text, "source.verify.signers_file"));
    fixture->config.signers_file = file_of(fixture, "signers");
    put(fixture, "keyring", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
    fixture->config.keyring_file = file_of(fixture, "keyring");
    assert_non_null(refused(fixture, &a, NULL));
    assert_int_equal(fixture->err.code, STY_USAGE);
    assert_non_null(strstr(fixture->err.text, "--armor"));
    fixture->config.keyring_file = NULL;

    char *path = sty_arena_strdup(fixture->arena, getenv("PATH"));
    char *empty = file_of(fixture, "bin");
    must(fixture, sty_directory_make(empty, 0700, &fixture->err));
    fixture->config.url = sty_arena_printf(fixture->arena, "%s", fixture->remote_path);
    setenv("PATH", empty, 1);
    int code = sty_repo_verify(fixture->mirror, &fixture->config, hex(&a), NULL, &fixture->err);
    setenv("PATH", path, 1);
    assert_int_equal(code, -1);
    assert_int_equal(fixture->err.code, STY_NOT_FOUND);
    assert_non_null(strstr(fixture->err.text, "source.verify: program 'ssh-keygen' is not in PATH"));
    taken(fixture, &a, NULL);
}

/* The whole commit must be what was signed, as it is read. */
static void test_where_a_signature_stands(void **state)
{
    struct git_fixture *fixture = *state;
    const git_oid *const none[PARENTS] = {NULL, NULL};
    const char *payload = draft(fixture, none, "a\n"), *other = draft(fixture, none, "b\n");
    const char *mark = header_of(fixture, sign(fixture, "anna", "git", payload));
    const char *foreign = header_of(fixture, sign(fixture, "anna", "file", payload));
    const char *bert = header_of(fixture, sign(fixture, "bert", "git", payload));
    const char *late = draft(fixture, none, "x\n");
    const char *tail = join(fixture, late, "encoding UTF-8\nmergetag object 1\n of a tag\n\n");
    sty_auto(str) huge = STY_STR_INIT;
    sty_str_append(&huge, "gpgsig -----BEGIN SSH SIGNATURE-----\n");
    for (int i = 0; i < 100000; i++)
        sty_str_append(&huge, " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    sty_auto_free char *endless = sty_sprintf("%s%s", "gpgsig -----BEGIN SSH SIGNATURE-----\n", huge.data + 37);
    endless[37 + 51 * 1000] = '\0';
#define PRINTF(...) sty_arena_printf(fixture->arena, __VA_ARGS__)
    const struct {
        const char *text, *why;
    } rows[] = {
        {join(fixture, payload, mark), NULL},
        {join(fixture, payload, PRINTF("%s", foreign)), "made for something else than git"},
        {join(fixture, other, mark), "what was signed is not this commit"},
        {PRINTF("%s\n%s", payload, mark), "it carries no signature"},
        {join(fixture, payload, PRINTF("%s%s", mark, mark)), "several signatures"},
        {join(fixture, payload, PRINTF("%s%s", bert, mark)), "several signatures"},
        {join(fixture, payload, PRINTF("gpgsig%s", mark)), "it carries no signature"},
        {join(fixture, payload, PRINTF("gpgsigencoding x\n%s", mark)), "what was signed is not this commit"},
        {join(fixture, payload, "gpgsig \n"), "its signature cannot be read"},
        {join(fixture, payload, "gpgsig -----BEGIN SSH SIGNATURE-----\n"), "its signature cannot be read"},
        {join(fixture, payload, "gpgsig -----BEGIN SSH SIGNATURE-----\n !\n -----END SSH SIGNATURE-----\n"),
         "its signature cannot be read"},
        {join(fixture, payload, "gpgsig -----BEGIN SIGNED MESSAGE-----\n"), "its signature cannot be read"},
        {join(fixture, payload, "gpgsig -----BEGIN PGP SIGNATURE-----\n"), "there is no source.verify.keyring_file"},
        {join(fixture, payload, endless), "its signature cannot be read"},
        {join(fixture, payload, huge.data), "it is larger than any that is signed"},
        {join(fixture, tail, header_of(fixture, sign(fixture, "anna", "git", tail))), NULL},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        git_oid tip = write_commit(fixture, rows[i].text, strlen(rows[i].text));
        if (rows[i].why)
            denied(fixture, rows[i].why, &tip, NULL);
        else
            taken(fixture, &tip, NULL);
    }
}

/* Readers end at a NUL: what stands behind it must not be what makes the signature right, nor the other way round. */
static void test_a_nul(void **state)
{
    struct git_fixture *fixture = *state;
    const git_oid *const none[PARENTS] = {NULL, NULL};
    const char *payload = draft(fixture, none, "a\n");
    sty_auto(str) bytes = STY_STR_INIT;
    sty_str_append(&bytes, join(fixture, payload, header_of(fixture, sign(fixture, "anna", "git", payload))));
    sty_str_append_bytes(&bytes, "\0hidden", 7);
    git_oid tip = write_commit(fixture, bytes.data, bytes.length);
    denied(fixture, "it holds a NUL", &tip, NULL);
}

static void test_names_are_made_visible(void **state)
{
    struct git_fixture *fixture = *state;
    const git_oid *const none[PARENTS] = {NULL, NULL};
    const char *payload = draft(fixture, none, "a\n"), *author = strstr(payload, "author Anna");
    char *text = sty_arena_printf(fixture->arena, "%.*sauthor A\033[2JA%s", (int)(author - payload), payload,
                                  author + strlen("author Anna"));
    git_oid tip = write_commit(fixture, text, strlen(text));
    denied(fixture, "by A\\x1b[2JA <anna@example.com>", &tip, NULL);
}

/* Found trusted once, it is not asked again by this handle; another base is another question. */
static void test_is_remembered(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = commit(fixture, "anna", NULL, NULL, "a"), b = commit(fixture, NULL, &a, NULL, "b");
    git_oid c = commit(fixture, "anna", &b, NULL, "c");
    fixture->config.verify = STY_VERIFY_EVERY;
    taken(fixture, &c, NULL);
    put(fixture, "signers", allows(fixture, "bert@example.com", "bert"));
    taken(fixture, &c, NULL);
    denied(fixture, hex(&b), &c, &a);
    taken(fixture, &c, NULL);
    denied(fixture, hex(&a), &a, NULL);
}

#define with_keys(test) cmocka_unit_test_setup_teardown(test, setup, git_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_keys(test_head),
        with_keys(test_every),
        with_keys(test_turned_on_later),
        with_keys(test_merges),
        with_keys(test_clocks_that_were_wrong),
        with_keys(test_rewound),
        with_keys(test_a_tag_of_the_same_name),
        with_keys(test_who_is_allowed),
        with_keys(test_a_key_in_two_lines),
        with_keys(test_configurations_that_cannot_work),
        with_keys(test_where_a_signature_stands),
        with_keys(test_a_nul),
        with_keys(test_names_are_made_visible),
        with_keys(test_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
