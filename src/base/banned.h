/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * banned: functions that must not be called, because a safe one stands beside each. The build puts this file in front
 * of every source, so that a call does not compile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STY_BANNED(name) sty_the_function_##name##_is_banned()

#undef strcpy
#define strcpy(...) STY_BANNED(strcpy) /* sty_str_append, sty_strdup */
#undef stpcpy
#define stpcpy(...) STY_BANNED(stpcpy)
#undef strcat
#define strcat(...) STY_BANNED(strcat) /* sty_str_append */
#undef strncpy
#define strncpy(...) STY_BANNED(strncpy) /* sty_strndup, snprintf */
#undef strncat
#define strncat(...) STY_BANNED(strncat)
#undef sprintf
#define sprintf(...) STY_BANNED(sprintf) /* snprintf, sty_sprintf, sty_str_appendf */
#undef vsprintf
#define vsprintf(...) STY_BANNED(vsprintf)
#undef gets
#define gets(...) STY_BANNED(gets)
#undef system
#define system(...) STY_BANNED(system) /* sty_process_run */
#undef popen
#define popen(...) STY_BANNED(popen) /* sty_process_run */
#undef strtok
#define strtok(...) STY_BANNED(strtok)
#undef atoi
#define atoi(...) STY_BANNED(atoi) /* sty_number_parse */
#undef atol
#define atol(...) STY_BANNED(atol)
#undef atoll
#define atoll(...) STY_BANNED(atoll)
#undef mktemp
#define mktemp(...) STY_BANNED(mktemp) /* sty_file_stage_at */
#undef tmpnam
#define tmpnam(...) STY_BANNED(tmpnam)
#undef tempnam
#define tempnam(...) STY_BANNED(tempnam)
