/* SPDX-License-Identifier: Apache-2.0 */
/* json_canonical: the vectors of RFC 8785, and what is refused because it would not read back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_internal.h"

/* RFC 8785 appendix B, and doubles whose shortest digits are easily got wrong. */
static const struct {
    uint64_t bits;
    const char *text;
} numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"},
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"},
    {0x3d30000000000000, "5.684341886080802e-14"}, /* 2^-44: the gap below is half of the gap above */
    {0x3d10000000000000, "1.4210854715202004e-14"},
    {0x0010000000000000, "2.2250738585072014e-308"},
    {0x000fffffffffffff, "2.225073858507201e-308"},
    {0x0000000000000002, "1e-323"},
    {0x3fb999999999999a, "0.1"},
    {0x3fd3333333333334, "0.30000000000000004"},
    {0x3ff0000000000000, "1"},
    {0x4024000000000000, "10"},
    {0x3fe0000000000000, "0.5"},
    {0xc012000000000000, "-4.5"},
    {0x433fffffffffffff, "9007199254740991"},
};

static double from_bits(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static void check_numbers(void)
{
    char text[32];
    for (size_t i = 0; i < STY_COUNT(numbers); i++) {
        sty_json_number_text(text, from_bits(numbers[i].bits));
        assert_string_equal(text, numbers[i].text);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    check_numbers();
}

static void test_numbers_in_any_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "C"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(names); i++) {
        if (setlocale(LC_NUMERIC, names[i]))
            check_numbers();
    }
    setlocale(LC_NUMERIC, "C");
}

static void test_numbers_read_back(void **state)
{
    uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[32];
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double number = from_bits(bits);
        if (!isfinite(number))
            continue;
        sty_json_number_text(text, number);
        assert_true(strlen(text) < sizeof(text));
        assert_true(strtod(text, NULL) == number);
    }
}

static json_t *parsed(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return value;
}

static const struct {
    const char *in;
    const char *out;
} documents[] = {
    /* RFC 8785 section 3.2.2 */
    {"{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],"
     "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
     "\"literals\": [null, true, false]}",
     "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
     "\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
    /* RFC 8785 section 3.2.3 */
    {"{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\", \"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\","
     "\"1\": \"One\", \"\\ud83d\\ude00\": \"Emoji: Grinning Face\", \"\\u0080\": \"Control\","
     "\"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}",
     "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
     "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
     "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\",\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}"},
    {"{}", "{}"},
    {"[]", "[]"},
    {"\"\"", "\"\""},
    {"null", "null"},
    {"-0", "0"},
    {"-0.0", "0"},
    {"1.0", "1"},
    {"9007199254740991", "9007199254740991"},
    {"-9007199254740991", "-9007199254740991"},
    {"1e21", "1e+21"},
    {"[\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\"]", "[\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7F\"]"},
    {"{\"b\":{\"z\":1,\"a\":[{}]},\"a\":2,\"aa\":3,\"\":4}", "{\"\":4,\"a\":2,\"aa\":3,\"b\":{\"a\":[{}],\"z\":1}}"},
};

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(documents); i++) {
        struct sty_error err;
        sty_auto(str) out = STY_STR_INIT;
        json_auto_t *value = parsed(documents[i].in);
        assert_int_equal(sty_json_canonical(&out, value, &err), 0);
        assert_string_equal(out.data, documents[i].out);
        json_auto_t *again = parsed(out.data);
        sty_auto_free char *text = sty_json_canonical_text(again);
        assert_string_equal(text, documents[i].out);
    }
}

static void refused(json_t *value, enum sty_code code)
{
    struct sty_error err = {0};
    sty_auto(str) out = STY_STR_INIT;
    sty_str_append(&out, "before");
    assert_int_equal(sty_json_canonical(&out, value, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(out.data, "before");
    assert_int_equal(out.length, 6);
    json_decref(value);
}

static void test_refused(void **state)
{
    (void)state;
    refused(json_integer(9007199254740992), STY_INVALID);
    refused(json_integer(-9007199254740992), STY_INVALID);
    refused(json_real(9007199254740992.0), STY_INVALID);
    refused(json_real(1e20), STY_INVALID);
    refused(json_string_nocheck("\xED\xA0\x80"), STY_INVALID);
    refused(json_string_nocheck("\xFF"), STY_INVALID);
    json_t *object = json_object();
    json_object_set_new_nocheck(object, "\xED\xA0\x80", json_null());
    refused(object, STY_INVALID);
    refused(NULL, STY_INVALID);
}

static json_t *nested(int depth, bool objects)
{
    json_t *value = objects ? json_object() : json_array();
    for (int i = 1; i < depth; i++) {
        json_t *outer = objects ? json_object() : json_array();
        if (objects)
            json_object_set_new(outer, "k", value);
        else
            json_array_append_new(outer, value);
        value = outer;
    }
    return value;
}

static void test_depth(void **state)
{
    (void)state;
    for (int objects = 0; objects < 2; objects++) {
        struct sty_error err;
        sty_auto(str) out = STY_STR_INIT;
        json_auto_t *deep = nested(STY_JSON_DEPTH, objects);
        assert_int_equal(sty_json_canonical(&out, deep, &err), 0);
        json_auto_t *again = NULL;
        assert_int_equal(sty_json_parse(&again, out.data, out.length, &err), 0);
        refused(nested(STY_JSON_DEPTH + 1, objects), STY_LIMIT);
    }
    json_t *scalar_below = nested(STY_JSON_DEPTH, false);
    json_t *inner = scalar_below;
    while (json_array_size(inner))
        inner = json_array_get(inner, 0);
    json_array_append_new(inner, json_integer(1));
    struct sty_error err;
    sty_auto(str) out = STY_STR_INIT;
    json_auto_t *again = NULL;
    assert_int_equal(sty_json_canonical(&out, scalar_below, &err), 0);
    assert_int_equal(sty_json_parse(&again, out.data, out.length, &err), 0);
    json_decref(scalar_below);
}

static void test_nul_in_text(void **state)
{
    (void)state;
    json_auto_t *value = json_stringn("a\0b", 3);
    sty_auto_free char *text = sty_json_canonical_text(value);
    assert_string_equal(text, "\"a\\u0000b\"");
}

static void test_digest(void **state)
{
    char out[72];
    (void)state;
    json_auto_t *a = parsed("{\"b\": 1.0, \"a\": [true]}");
    sty_json_digest(out, a);
    /* of {"a":[true],"b":1} */
    assert_string_equal(out, "sha256:708747538ba81fd60b5aac8c646370de5e24abf70ab1872f67458a5a4f3af05d");
}

static void test_keys(void **state)
{
    (void)state;
    sty_auto_ptr(arena) arena = sty_arena_new();
    json_auto_t *object = parsed("{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"b\":3,\"a\":4,\"\":5}");
    const char **keys = sty_json_keys(arena, object);
    static const char *const expected[] = {"", "a", "b", "\xF0\x9F\x98\x80", "\xEF\xAC\xB3"};
    for (size_t i = 0; i < STY_COUNT(expected); i++)
        assert_string_equal(keys[i], expected[i]);
    assert_null(keys[STY_COUNT(expected)]);
    assert_null(sty_json_keys(arena, NULL)[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_in_any_locale),
        cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_nul_in_text),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
