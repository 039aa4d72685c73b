/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * file: reading whole files with a cap, replacing them durably, locks.
 *
 * A reader sees the old file or the new one, whatever happens: temp file in the same folder, fsync, rename, fsync of
 * the folder.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/str.h"
#include "styrmin/error.h"

/* Append the file's bytes. Over `limit`: STY_LIMIT; absent: STY_NOT_FOUND; else STY_IO, STY_DENIED. */
int sty_file_read(struct sty_str *out, const char *path, size_t limit, struct sty_error *err);
int sty_file_read_at(struct sty_str *out, int directory, const char *path, size_t limit, struct sty_error *err);

struct sty_file_attributes {
    mode_t mode; /* permission bits */
    uid_t uid;   /* (uid_t)-1: as it comes */
    gid_t gid;
};
/*
 * Replace `name` in the folder open as `directory` by these bytes. `name` has no '/'. Content, mode and owner are
 * complete before the name changes; on failure no temp file is left and the old one stands.
 */
int sty_file_replace_at(int directory, const char *name, const void *bytes, size_t length,
                        const struct sty_file_attributes *attributes, struct sty_error *err);
/*
 * The two halves, for a check between them (a `validate` argv): the temp's name, stage, then commit, which leaves no temp
 * when it fails, or drop. The temp's name follows from the file's, so that what a crash left is found again: by the next
 * stage, which begins with taking it away, and by whoever removes the file. So a file has one writer at a time.
 */
#define STY_TEMP_SIZE 32
void sty_file_temp_name(char temp[STY_TEMP_SIZE], const char *name);
int sty_file_stage_at(const char *temp, int directory, const void *bytes, size_t length,
                      const struct sty_file_attributes *attributes, struct sty_error *err);
int sty_file_commit_at(int directory, const char *temp, const char *name, struct sty_error *err);
void sty_file_drop_at(int directory, const char *temp);
/* The same by path, with mode. */
int sty_file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct sty_error *err);

/* mkdir -p; existing folders are left as they are. */
int sty_directory_make(const char *path, mode_t mode, struct sty_error *err);
/* rm -r below and with `path`, never across a symlink, depth limited; absent is done. */
int sty_directory_remove(const char *path, struct sty_error *err);

/*
 * "/a/./b//c" -> "/a/b/c". Only lexical; "..", relative and empty paths, NUL and control characters are STY_INVALID.
 * `out` is appended to.
 */
int sty_path_normalise(struct sty_str *out, const char *path, struct sty_error *err);

/*
 * Exclusive lock on a file, made if absent, held until the descriptor is closed (flock). Someone else has it:
 * STY_BUSY after `wait_ms` (0: at once), naming the holder's pid written in it.
 */
int sty_lock_take(int *fd, const char *path, int64_t wait_ms, struct sty_error *err);
/* Look without taking it: true if someone has it, and then `holder` is their pid as text, "" where it is not known. An
 * absent or unreadable file is nobody's. */
bool sty_lock_is_held(char holder[24], const char *path);
