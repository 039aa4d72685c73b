/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * source_internal: what the files of this folder share and nobody else sees: the handle, libgit2 objects that free
 * themselves, one transfer with its limits and secrets, and the two ways to a remote (HTTP, a child's pipes).
 */
#include <git2.h>
#include <git2/sys/transport.h>
#include "source/source.h"

struct sty_http;
struct sty_repo {
    git_repository *git;
    git_odb *odb;
    char *directory; /* for texts */
    bool read_only;
    bool tidy;             /* what a killed process left behind is gone */
    struct sty_http *http; /* kept connections; NULL until the first request */
    struct sty_verified {
        git_oid tip, base; /* found trusted last; all zero: none */
    } verified;
};

/* ---- libgit2 (libgit.c) ---- */

/* Starts libgit2 once, deaf to the machine's configuration. Every opening function calls it. */
void sty_git_start(void);
/* Fill err with the text and libgit2's reason; `code` unless libgit2 says that disk or memory failed (STY_IO). */
int sty_git_error(struct sty_error *err, enum sty_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 40 hex digits and nothing else: STY_INVALID. */
int sty_oid_parse(git_oid *out, const char *hex, struct sty_error *err);
void sty_oid_text(char out[STY_OID_SIZE], const git_oid *oid);

#define sty_auto_git(type) __attribute__((cleanup(sty_git_##type##_free_pointer))) git_##type *
#define STY_DEFINE_AUTO_GIT(type)                                                                                      \
    static inline void sty_git_##type##_free_pointer(git_##type **p)                                                   \
    {                                                                                                                  \
        git_##type##_free(*p);                                                                                         \
    }
STY_DEFINE_AUTO_GIT(repository)
STY_DEFINE_AUTO_GIT(odb)
STY_DEFINE_AUTO_GIT(odb_object)
STY_DEFINE_AUTO_GIT(object)
STY_DEFINE_AUTO_GIT(commit)
STY_DEFINE_AUTO_GIT(tree)
STY_DEFINE_AUTO_GIT(treebuilder)
STY_DEFINE_AUTO_GIT(tree_entry)
STY_DEFINE_AUTO_GIT(reference)
STY_DEFINE_AUTO_GIT(remote)
STY_DEFINE_AUTO_GIT(signature)

/* ---- refs and trees ---- */

/* Where a ref points; `*found` false when there is none. */
int sty_ref_read(bool *found, git_oid *out, struct sty_repo *repo, const char *ref, struct sty_error *err);
/* Durable; nothing is written when it points there already. NULL deletes. */
int sty_ref_write(struct sty_repo *repo, const char *ref, const git_oid *oid, struct sty_error *err);
/* Before the first write of a handle: drop locks and half packs of a process that was killed. Caller holds the lock. */
void sty_repo_tidy(struct sty_repo *repo);
int sty_commit_load(git_commit **out, struct sty_repo *repo, const char *oid, struct sty_error *err);
int sty_descends(bool *out, struct sty_repo *repo, const git_oid *descendant, const git_oid *ancestor,
                 struct sty_error *err);

enum sty_notes_kind { STY_NOTES_RECORDS, STY_NOTES_TEXT, STY_NOTES_KINDS };
struct sty_notes_refs {
    char local[STY_NOTES_KINDS][128];
    char remote[STY_NOTES_KINDS][128]; /* where the remote's stood at the last fetch or push */
};
int sty_notes_refs(struct sty_notes_refs *out, const char *name, struct sty_error *err);
/* A local notes ref moves. */
int sty_notes_move(struct sty_repo *repo, const char *ref, const git_oid *oid, struct sty_error *err);
/* Local notes follow the remote's where that loses nothing of ours. */
int sty_notes_follow(struct sty_repo *repo, const struct sty_notes_refs *refs, struct sty_error *err);
/* The tree of a commit of notes. */
int sty_notes_tree(char tree[STY_OID_SIZE], struct sty_repo *repo, const git_oid *commit, struct sty_error *err);

/* Changes to a notes tree, by commit id: gathered, then committed at once. */
struct sty_notes_edit {
    struct sty_repo *repo;
    enum sty_notes_kind kind;
    git_tree *base; /* NULL: empty */
    git_tree_update *updates;
    size_t count, capacity;
};
#define STY_NOTES_EDIT_INIT(repository, of_kind)                                                                       \
    {                                                                                                                  \
        (repository), (of_kind), NULL, NULL, 0, 0                                                                      \
    }
void sty_notes_edit_clear(struct sty_notes_edit *edit);
int sty_notes_edit_base(struct sty_notes_edit *edit, const char *tree, struct sty_error *err);
/* The text replaces what stands there; records are added where they are not there yet. */
int sty_notes_edit_add(struct sty_notes_edit *edit, const char *commit, const char *bytes, struct sty_error *err);
/* `*changed` false: nothing differs, nothing was written. */
struct sty_notes_commit {
    const git_oid *parent; /* NULL: the first */
    const char *name;      /* of the installation, for the author */
};
int sty_notes_edit_commit(bool *changed, git_oid *out, struct sty_notes_edit *edit,
                          const struct sty_notes_commit *commit, struct sty_error *err);
/* Every note of a notes tree, whatever its fan-out. */
int sty_notes_walk(struct sty_repo *repo, const char *tree, sty_note_visit *visit, void *self, struct sty_error *err);
/* "ab/cdef..." to a commit id; false if the path is no note's. */
bool sty_notes_path_commit(char commit[STY_OID_SIZE], const char *path);
#define STY_NOTE_LIMIT ((size_t)64 << 20)

/* ---- signatures (signature.c) ---- */

/* The allowed signers, and a private folder of the repository for what the programs that verify are to read. */
struct sty_verifier {
    struct sty_repo *repo;
    const struct sty_source_config *config;
    char *folder, *signers, *keyring; /* absolute, but the folder; NULL where not configured */
};
/* `out` is to be cleared also on failure. The caller holds the lock. STY_USAGE: a file that cannot be used. */
int sty_verifier_open(struct sty_verifier *out, struct sty_repo *repo, const struct sty_source_config *config,
                      struct sty_error *err);
void sty_verifier_clear(struct sty_verifier *verifier);
/*
 * `*why` is NULL for a commit that an allowed signer signed, else what is wrong, a static text. Fails only where that
 * could not be found out: no program (STY_NOT_FOUND), no time, no disk.
 */
int sty_verifier_judge(const char **why, const struct sty_verifier *verifier, const git_oid *oid,
                       struct sty_error *err);

/* ---- a remote's address (url.c) ---- */

enum sty_remote_kind { STY_REMOTE_HTTP, STY_REMOTE_SSH, STY_REMOTE_LOCAL };
struct sty_remote_url {
    enum sty_remote_kind kind;
    char *text;                      /* to show and, for http, to ask: no user, no password, no '/' at the end */
    char *origin;                    /* http: scheme://host:port, always with the port */
    char *user, *host, *port, *path; /* decoded; NULL where the address has none */
};
/* STY_USAGE; the text of an error never holds a password. */
int sty_remote_url_parse(struct sty_remote_url *out, const char *url, struct sty_error *err);
void sty_remote_url_clear(struct sty_remote_url *url);

/* ---- one fetch or push (transfer.c) ---- */

struct sty_transfer {
    struct sty_repo *repo;
    const struct sty_source_config *config;
    struct sty_remote_url url;
    struct sty_str password; /* wiped by clear */
    int64_t connect_ms, stall_ms;
    int64_t deadline; /* monotonic */
    uint64_t received;
    bool listing; /* refs are read, no pack: a far lower limit */
    bool failed;
    struct sty_error error; /* the first that a transport met: says more than libgit2 */
    char said[200];         /* the last line the other side had for people, made visible */
};
int sty_transfer_begin(struct sty_transfer *transfer, struct sty_repo *repo, const struct sty_source_config *config,
                       struct sty_error *err);
void sty_transfer_clear(struct sty_transfer *transfer);
/* Connect and list refs. */
int sty_transfer_connect(git_remote **out, struct sty_transfer *transfer, git_direction direction,
                         struct sty_error *err);
git_remote_callbacks sty_transfer_callbacks(struct sty_transfer *transfer);
/* After a libgit2 call of this transfer failed: what the transport met, else what libgit2 says. */
int sty_transfer_error(struct sty_transfer *transfer, struct sty_error *err);
/* What words of the other side mean; `otherwise` when none is known. */
enum sty_code sty_complaint_code(const char *said, enum sty_code otherwise);
/* For transports: keep `error` if it is the first, tell libgit2; always -1. */
int sty_transfer_fail(struct sty_transfer *transfer, const struct sty_error *error);
/* How long to wait for the next byte; STY_TIMEOUT when the whole time is over. */
int sty_transfer_patience(int64_t *ms, const struct sty_transfer *transfer, struct sty_error *err);
/* Count what came; STY_LIMIT. */
int sty_transfer_received(struct sty_transfer *transfer, size_t bytes, struct sty_error *err);
int64_t sty_monotonic_ms(void);

struct sty_remote_tips {
    git_oid branch;
    bool has_branch;
    git_oid notes[STY_NOTES_KINDS];
    bool has_notes[STY_NOTES_KINDS];
};
/* What a connected remote has of the refs we care about; `refs` may be NULL. */
int sty_transfer_tips(struct sty_remote_tips *out, struct sty_transfer *transfer, git_remote *remote,
                      const struct sty_notes_refs *refs, struct sty_error *err);
/* Download what these tips need and the mirror lacks, then set the refs that follow the remote. */
int sty_transfer_download(struct sty_transfer *transfer, git_remote *remote, const struct sty_remote_tips *tips,
                          const struct sty_notes_refs *refs, struct sty_error *err);

/* git_smart_subtransport_cb; param is the transfer. */
int sty_transport_http(git_smart_subtransport **out, git_transport *owner, void *transfer);
int sty_transport_pipe(git_smart_subtransport **out, git_transport *owner, void *transfer);

/* ---- HTTP (http.c): one request at a time over kept connections ---- */

struct sty_exchange;
struct sty_exchange_spec {
    const char *url;
    const char *content_type; /* of what is posted; NULL: a GET */
    const char *accept;
    bool credentials; /* may be sent to this url */
};
void sty_http_free(struct sty_http *http);
/* Nothing is sent yet. The exchange before this one is over. */
struct sty_exchange *sty_exchange_begin(struct sty_transfer *transfer, const struct sty_exchange_spec *spec);
/* More of the body to post: kept until 1 MiB is together, then streamed. */
int sty_exchange_write(struct sty_exchange *exchange, const void *bytes, size_t length, struct sty_error *err);
/* Sends what is not sent, waits for the headers of the answer. `redirect` and `type` are borrowed, "" where absent. */
struct sty_exchange_answer {
    long status;
    const char *redirect;
    const char *type;
};
int sty_exchange_answer(struct sty_exchange_answer *out, struct sty_exchange *exchange, struct sty_error *err);
/* 0 bytes at the end. */
int sty_exchange_read(size_t *got, struct sty_exchange *exchange, void *buffer, size_t size, struct sty_error *err);
/* We want no more of it. */
void sty_exchange_end(struct sty_exchange *exchange);
