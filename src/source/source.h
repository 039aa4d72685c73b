/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * source: the git repository that holds desired state, as a bare mirror under the state directory.
 *
 * Content is read from the object database only; there is never a checkout, so no hook, filter or attribute of a
 * hostile repository runs. Fetched are the configured branch and our notes refs, nothing else. Transports are ours
 * (platform.md): libcurl for http and https, a spawned `ssh`, spawned git programs for local paths.
 *
 * Calling sequence: sty_repo_open(), sty_repo_fetch(), sty_repo_snapshot() or sty_repo_resolve(), then walks, diffs and
 * blobs of that snapshot; sty_notes_*(); sty_repo_free(). A sty_repo belongs to one thread at a time.
 *
 * Object ids are 40 hex digits. Paths are relative to `path` of the configuration, with '/', and may hold any byte but
 * NUL as git allows: whoever shows one makes it visible first.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/memory.h"
#include "base/str.h"
#include "styrmin/error.h"

#define STY_OID_SIZE 41

enum sty_verify_mode { STY_VERIFY_NONE, STY_VERIFY_HEAD, STY_VERIFY_EVERY };

struct sty_source_config {
    const char *url;      /* https://, http://, ssh://, user@host:path, file:///path or an absolute path */
    const char *branch;   /* without refs/heads/ */
    const char *path;     /* folder in the tree that holds clusters/, ...; NULL or ".": the top */
    const char *name;     /* of this installation: notes live under refs/notes/styrmin/<name> */
    const char *username; /* http(s); may be NULL */
    const char
        *password_file; /* read at every fetch, trailing newline dropped; never printed, never sent to another host */
    const char *ssh_key_file;     /* ssh; may be NULL: ssh's own defaults */
    const char *known_hosts_file; /* ssh: required */
    const char *ca_file;          /* https: PEM file instead of the system's; may be NULL */
    const char *proxy;            /* http(s); NULL: from the environment */
    int64_t connect_timeout_ms;   /* 0: 10 s */
    int64_t stall_timeout_ms;     /* nothing received for so long; 0: 30 s */
    int64_t total_timeout_ms;     /* one fetch or push; 0: 10 min */
    bool accept_rewind;           /* source.rewind: accept */
    enum sty_verify_mode verify;
    const char *signers_file; /* OpenSSH's allowed_signers, for SSH signatures; may be NULL: none is trusted */
    const char *keyring_file; /* public keys as `gpg --export` writes them, for GPG signatures; may be NULL */
};

struct sty_repo;

/*
 * Open the mirror at `git_dir`, making it when absent (not when `read_only`: STY_NOT_FOUND). Config of the machine
 * (system, global) is not read. A half-made mirror is made again. STY_IO, STY_CORRUPT.
 */
int sty_repo_open(struct sty_repo **out, const char *git_dir, bool read_only, struct sty_error *err);

/*
 * Open an ordinary repository that someone else keeps (`check --revision`, `render --revision`): git_dir or a working
 * tree's top or any folder below it. Read only. `prefix` gets the folder below the top ("" at the top), in `arena`.
 */
int sty_repo_open_existing(struct sty_repo **out, const char **prefix, struct sty_arena *arena, const char *directory,
                           struct sty_error *err);

/*
 * Take a folder of files as if it were committed (`check DIR`, `--tree DIR`): blobs and trees in memory only, nothing is
 * written. Only clusters/, environments/, deployments/, drivers/ are read; symlinks become symlink entries, never
 * followed; what .gitignore would hide is still read. Limits: 100,000 files, 16 MiB a file, 512 MiB in all (STY_LIMIT).
 */
int sty_repo_open_directory(struct sty_repo **out, char tree[STY_OID_SIZE], const char *directory,
                            struct sty_error *err);
void sty_repo_free(struct sty_repo *repo);
STY_DEFINE_AUTO_PTR(repo)

struct sty_fetch_result {
    char tip[STY_OID_SIZE]; /* of the branch at the remote now */
    bool changed;           /* it is not what the mirror had before */
    bool notes_changed;
};
/*
 * Fetch branch and notes refs. The mirror's branch ref moves only when the new tip descends from `accepted` (NULL: none
 * yet) or accept_rewind is set; otherwise STY_REWOUND, naming both and what to do. It moves only to what
 * sty_repo_verify() trusts. An absent branch is STY_NOT_FOUND; a
 * remote that is away STY_UNREACHABLE or STY_TIMEOUT; refused credentials STY_DENIED; shallow or SHA-256 remotes
 * STY_INVALID. Notes: see sty_notes_*; a local notes ref that holds what is not pushed yet is never moved back.
 */
int sty_repo_fetch(struct sty_fetch_result *out, struct sty_repo *repo, const struct sty_source_config *config,
                   const char *accepted, struct sty_error *err);
/* List the remote's refs and nothing else: can it be reached, does the branch exist (`doctor`). */
int sty_repo_probe(char tip[STY_OID_SIZE], struct sty_repo *repo, const struct sty_source_config *config,
                   struct sty_error *err);

/*
 * May `tip` be followed, by config's `verify`? `head`: it must be signed by an allowed signer. `every`: so must every
 * commit that it reaches and `accepted` does not, by any parent; with nothing accepted yet the tip alone. `accepted`
 * itself is trusted. Signatures are SSH's (namespace "git") and GPG's; a key must be valid now. STY_DENIED names the
 * oldest commit that is not trusted, its author and why. A program that is not there is STY_NOT_FOUND, a file of signers
 * that cannot be read STY_USAGE, more than 10,000 commits STY_LIMIT. The caller holds the lock; whatever is walked for
 * the first time must have passed this, as the mirror's branch may stand where another configuration let it go.
 */
int sty_repo_verify(struct sty_repo *repo, const struct sty_source_config *config, const char *tip,
                    const char *accepted, struct sty_error *err);

/* The branch's tip as the mirror has it. STY_NOT_FOUND before the first fetch. */
int sty_repo_tip(char out[STY_OID_SIZE], struct sty_repo *repo, const char *branch, struct sty_error *err);
/* A full or abbreviated commit id (at least 4 digits), branch or tag name: never a revision expression. */
int sty_repo_resolve(char out[STY_OID_SIZE], struct sty_repo *repo, const char *revision, struct sty_error *err);

struct sty_commit {
    char oid[STY_OID_SIZE];
    int64_t time_ms;
    const char *author, *email, *subject, *message; /* untrusted text, valid UTF-8, in the arena */
};
int sty_repo_commit(struct sty_commit *out, struct sty_arena *arena, struct sty_repo *repo, const char *oid,
                    struct sty_error *err);
struct sty_commit_range {
    const char *from; /* exclusive; NULL: `to` alone */
    const char *to;   /* inclusive */
    size_t limit;     /* the newest are kept */
};
/* First-parent commits of the range, oldest first. */
int sty_repo_commits_between(struct sty_commit **out, size_t *count, struct sty_arena *arena, struct sty_repo *repo,
                             const struct sty_commit_range *range, struct sty_error *err);
/* True if `descendant` is `ancestor` or descends from it. An ancestor that is not there: false. */
int sty_repo_descends(bool *out, struct sty_repo *repo, const char *descendant, const char *ancestor,
                      struct sty_error *err);
/*
 * The commit among first-parent ancestors of `from` that last changed `path`: for "who changed this value". Walks at
 * most 1,000 commits; STY_NOT_FOUND beyond that. Path is relative to the tree's top.
 */
int sty_repo_last_change(struct sty_commit *out, struct sty_arena *arena, struct sty_repo *repo, const char *from,
                         const char *path, struct sty_error *err);

/* ---- trees and blobs ---- */

/* A place to read definitions from: the tree of `source.path` in one commit. */
struct sty_snapshot {
    struct sty_repo *repo;     /* borrowed */
    char commit[STY_OID_SIZE]; /* "" for a folder of files */
    char tree[STY_OID_SIZE];   /* the tree of source.path */
};
/* STY_NOT_FOUND when `path` is not a folder in that commit: "source.path 'x' is not in commit ...". */
int sty_repo_snapshot(struct sty_snapshot *out, struct sty_repo *repo, const char *commit, const char *path,
                      struct sty_error *err);

enum sty_entry_kind { STY_ENTRY_FILE, STY_ENTRY_EXECUTABLE, STY_ENTRY_SYMLINK, STY_ENTRY_TREE, STY_ENTRY_SUBMODULE };
struct sty_entry {
    const char *path; /* full path below the snapshot's tree; valid during the call */
    char oid[STY_OID_SIZE];
    enum sty_entry_kind kind;
};
/* 0 goes on, anything else ends the walk, which then returns -1 with the visitor's err. */
typedef int sty_entry_visit(void *self, const struct sty_entry *entry, struct sty_error *err);

/*
 * Visit everything below `path` ("" for all) that is no tree, in git's order, depth at most 32. An absent path is no
 * error: nothing is visited.
 */
int sty_tree_walk(const struct sty_snapshot *snapshot, const char *path, sty_entry_visit *visit, void *self,
                  struct sty_error *err);
/* The entry at `path`. STY_NOT_FOUND. `out->path` is the argument. */
int sty_tree_entry(struct sty_entry *out, const struct sty_snapshot *snapshot, const char *path, struct sty_error *err);

enum sty_change_kind { STY_CHANGE_ADDED, STY_CHANGE_REMOVED, STY_CHANGE_MODIFIED };
struct sty_change {
    const char *path;
    enum sty_change_kind kind;
    struct sty_entry from, to; /* the absent side has oid "" */
};
typedef int sty_change_visit(void *self, const struct sty_change *change, struct sty_error *err);
/* Files that differ between two trees of one repository ("" is the empty one), pruned at equal subtrees: cost follows
 * the change. A malformed tree (names that lead out of it, unsorted) is STY_INVALID, here and in a walk. */
int sty_tree_diff(struct sty_repo *repo, const char *from_tree, const char *to_tree, sty_change_visit *visit,
                  void *self, struct sty_error *err);

/* Append the blob's bytes. Larger than `limit`: STY_LIMIT, without reading it. Absent: STY_CORRUPT. */
int sty_blob_read(struct sty_str *out, struct sty_repo *repo, const char *oid, size_t limit, struct sty_error *err);

/* ---- notes ----
 *
 * Two refs: refs/notes/styrmin/<name> (text) and refs/notes/styrmin-records/<name> (one JSON object a line). Writing
 * is local (the mirror's ref moves, one commit for all of `notes`); pushing is a step of its own that can be repeated.
 */
struct sty_note {
    const char *commit;
    const char *text;    /* replaces the text note; NULL: leave it */
    const char *records; /* lines appended to the records note; NULL: none */
};
/* Add to both refs at once as seen by a reader: records first. Already appended record lines are not doubled. */
int sty_notes_write(struct sty_repo *repo, const char *name, const struct sty_note *notes, size_t count,
                    struct sty_error *err);
/* The note on one commit, appended to `text` or `records` (either may be NULL). None: nothing appended, 0. */
int sty_notes_read(struct sty_str *text, struct sty_str *records, struct sty_repo *repo, const char *name,
                   const char *commit, struct sty_error *err);
typedef int sty_note_visit(void *self, const char *commit, const char *bytes, size_t length, struct sty_error *err);
/* Every note of the records ref, in no order. */
int sty_notes_records(struct sty_repo *repo, const char *name, sty_note_visit *visit, void *self,
                      struct sty_error *err);
/* True if the mirror has notes that the remote had not at the last fetch or push. */
int sty_notes_unpushed(bool *out, struct sty_repo *repo, const char *name, struct sty_error *err);
/*
 * Push both refs without force. When someone else pushed first: fetch, add ours on top (text: ours wins for commits we
 * wrote; records: lines not there yet are appended), push again, at most 5 times. STY_DENIED: the remote is read only
 * for us; STY_CONFLICT: it kept changing; STY_UNREACHABLE, STY_TIMEOUT.
 */
int sty_notes_push(struct sty_repo *repo, const struct sty_source_config *config, struct sty_error *err);
/*
 * May we write notes there (`doctor`)? Tried: a ref refs/notes/styrmin-probe/<name> is made at the remote and deleted
 * again; nothing of it stays there. `repo` may be any writable one (it gets an object). STY_DENIED: we may not; else as
 * sty_notes_push(). STY_CONFLICT: it was made and cannot be deleted.
 */
int sty_notes_probe(struct sty_repo *repo, const struct sty_source_config *config, struct sty_error *err);
