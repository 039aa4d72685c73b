/* SPDX-License-Identifier: Apache-2.0 */
/* map: against a plain list as its model, in insertion order, with removals in between. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/map.h"
#include "base/memory.h"

static void test_empty(void **state)
{
    struct sty_map map = STY_MAP_INIT;
    (void)state;
    assert_null(sty_map_get(&map, "a"));
    assert_false(sty_map_has(&map, "a"));
    assert_false(sty_map_remove(&map, "a"));
    sty_map_clear(&map);
}

static void test_basics(void **state)
{
    sty_auto(map) map = STY_MAP_INIT;
    int one = 1, two = 2;
    char key[] = "key";
    (void)state;
    assert_null(sty_map_set(&map, key, &one));
    key[0] = 'x'; /* keys are copied */
    assert_ptr_equal(sty_map_get(&map, "key"), &one);
    assert_null(sty_map_get(&map, "xey"));
    assert_ptr_equal(sty_map_set(&map, "key", &two), &one);
    assert_ptr_equal(sty_map_get(&map, "key"), &two);
    assert_int_equal(map.count, 1);
    sty_map_set(&map, "null", NULL);
    assert_true(sty_map_has(&map, "null"));
    assert_null(sty_map_get(&map, "null"));
    sty_map_set(&map, "", &one);
    assert_ptr_equal(sty_map_get(&map, ""), &one);
    assert_true(sty_map_remove(&map, "key"));
    assert_false(sty_map_remove(&map, "key"));
    assert_false(sty_map_has(&map, "key"));
    assert_int_equal(map.count, 2);
}

static void test_order(void **state)
{
    static const char *const names[] = {"d", "a", "c", "b", "e"};
    sty_auto(map) map = STY_MAP_INIT;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(names); i++)
        sty_map_set(&map, names[i], NULL);
    sty_map_remove(&map, "c");
    sty_map_set(&map, "a", NULL); /* keeps its place */
    sty_map_set(&map, "c", NULL); /* goes behind */
    char walked[16] = "";
    size_t length = 0;
    for (size_t i = 0; i < map.used; i++) {
        if (map.entries[i].key)
            walked[length++] = map.entries[i].key[0];
    }
    assert_string_equal(walked, "dabec");
}

#define KEYS 300

/* 20,000 random sets and removals, compared with an array after each. */
static void test_model(void **state)
{
    static int values[KEYS];
    bool present[KEYS] = {false};
    size_t count = 0;
    unsigned random = 12345;
    sty_auto(map) map = STY_MAP_INIT;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char key[32];
        random = random * 1103515245u + 12345u;
        unsigned n = (random >> 8) % KEYS;
        snprintf(key, sizeof(key), "a-key-of-some-length-%u", n);
        bool was = present[n];
        if ((random >> 24) & 1) {
            assert_ptr_equal(sty_map_set(&map, key, &values[n]), was ? &values[n] : NULL);
            present[n] = true;
        } else {
            assert_int_equal(sty_map_remove(&map, key), was);
            present[n] = false;
        }
        count = count + present[n] - was;
        assert_int_equal(map.count, count);
        assert_int_equal(sty_map_has(&map, key), present[n]);
    }
    for (unsigned n = 0; n < KEYS; n++) {
        char key[32];
        snprintf(key, sizeof(key), "a-key-of-some-length-%u", n);
        assert_ptr_equal(sty_map_get(&map, key), present[n] ? &values[n] : NULL);
    }
    assert_true(map.capacity <= 4 * KEYS); /* removals do not make it grow for ever */
}

static void test_many(void **state)
{
    sty_auto(map) map = STY_MAP_INIT;
    (void)state;
    for (uintptr_t i = 0; i < 50000; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%zu", (size_t)i);
        sty_map_set(&map, key, (void *)(i + 1));
    }
    assert_int_equal(map.count, 50000);
    for (uintptr_t i = 0; i < 50000; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%zu", (size_t)i);
        assert_int_equal((uintptr_t)sty_map_get(&map, key), i + 1);
    }
}

/* Every length takes another path through the hash. */
static void test_lengths(void **state)
{
    sty_auto(map) map = STY_MAP_INIT;
    char key[65];
    (void)state;
    for (uintptr_t length = 0; length < sizeof(key); length++) {
        memset(key, 'k', length);
        key[length] = '\0';
        sty_map_set(&map, key, (void *)(length + 1));
    }
    for (uintptr_t length = 0; length < sizeof(key); length++) {
        memset(key, 'k', length);
        key[length] = '\0';
        assert_int_equal((uintptr_t)sty_map_get(&map, key), length + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_basics), cmocka_unit_test(test_order),
        cmocka_unit_test(test_model), cmocka_unit_test(test_many),   cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
