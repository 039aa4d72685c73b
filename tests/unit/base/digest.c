/* SPDX-License-Identifier: Apache-2.0 */
/* digest: known answers (FIPS 180, RFC 4231), pieces, and ids. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include "base/digest.h"
#include "base/memory.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_known(void **state)
{
    char out[STY_DIGEST_SIZE];
    (void)state;
    sty_digest(out, "", 0);
    assert_string_equal(out, EMPTY);
    sty_digest(out, NULL, 0);
    assert_string_equal(out, EMPTY);
    sty_digest(out, "abc", 3);
    assert_string_equal(out, ABC);
}

static void test_pieces(void **state)
{
    char out[STY_DIGEST_SIZE];
    (void)state;
    struct sty_digest_state *digest = sty_digest_begin();
    sty_digest_update(digest, "a", 1);
    sty_digest_update(digest, NULL, 0);
    sty_digest_update(digest, "bc", 2);
    sty_digest_end(out, digest);
    assert_string_equal(out, ABC);
    sty_digest_end(out, sty_digest_begin());
    assert_string_equal(out, EMPTY);
}

static void test_keyed(void **state)
{
    unsigned char key[20];
    char out[STY_DIGEST_SIZE];
    (void)state;
    memset(key, 0x0b, sizeof(key));
    sty_digest_keyed(out, key, sizeof(key), "Hi There", 8);
    assert_string_equal(out, "sha256:b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    sty_digest_keyed(out, "Jefe", 4, "what do ya want for nothing?", 28);
    assert_string_equal(out, "sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    sty_digest_keyed(out, NULL, 0, NULL, 0);
    assert_string_equal(out, "sha256:b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_valid(void **state)
{
    static const char *const bad[] = {"",
                                      "sha256:",
                                      "sha256:ABC",
                                      "sha1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
                                      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555",
                                      "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g"};
    (void)state;
    assert_true(sty_digest_valid(EMPTY));
    for (size_t i = 0; i < STY_COUNT(bad); i++)
        assert_false(sty_digest_valid(bad[i]));
}

static void test_ids(void **state)
{
    char seen[64][STY_ID_SIZE];
    (void)state;
    for (size_t i = 0; i < STY_COUNT(seen); i++) {
        sty_id_new(seen[i]);
        assert_int_equal(strlen(seen[i]), STY_ID_SIZE - 1);
        assert_int_equal(strspn(seen[i], "0123456789abcdef"), STY_ID_SIZE - 1);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(seen[i], seen[j]);
    }
}

static void *hash_often(void *unused)
{
    char out[STY_DIGEST_SIZE];
    (void)unused;
    for (int i = 0; i < 500; i++) {
        sty_digest(out, "abc", 3);
        if (strcmp(out, ABC) != 0)
            return "wrong";
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < STY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_often, NULL), 0);
    for (size_t i = 0; i < STY_COUNT(threads); i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known), cmocka_unit_test(test_pieces), cmocka_unit_test(test_keyed),
        cmocka_unit_test(test_valid), cmocka_unit_test(test_ids),    cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
