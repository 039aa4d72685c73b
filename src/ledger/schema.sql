-- The ledger: what was seen, decided and done (design.md section 10). Times are milliseconds since the epoch, digests
-- "sha256:<hex>", object ids 40 hex digits, documents canonical JSON. user_version is the schema's version.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- One row: the source that this installation follows.
CREATE TABLE sources (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    url TEXT NOT NULL, branch TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    accepted TEXT,            -- the newest tip that was taken
    walked TEXT,              -- the newest commit whose walk was recorded
    walked_tree TEXT,         -- its source.path tree: what the next diff starts from
    setting TEXT,             -- what else a walk depends on: format, local clusters
    fetched_at INTEGER, error TEXT
) STRICT;

CREATE TABLE commits (
    oid TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, time INTEGER NOT NULL,
    author TEXT NOT NULL, subject TEXT NOT NULL,
    state TEXT NOT NULL,      -- unchanged succeeded partial failed blocked superseded running
    plan TEXT, blocked TEXT,  -- what its walk found: the plan's digest, what was blocked
    seen_at INTEGER NOT NULL, finished_at INTEGER
) STRICT;

-- Every document as last read. A file that cannot be read keeps its rows with stale = 1, and has one in unreadable.
CREATE TABLE documents (
    path TEXT NOT NULL, idx INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, environment TEXT,
    blob TEXT NOT NULL, valid INTEGER NOT NULL, stale INTEGER NOT NULL, body TEXT,
    PRIMARY KEY (path, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX documents_by_key ON documents (kind, key);
CREATE INDEX documents_with_mistakes ON documents (path) WHERE valid = 0;
CREATE INDEX documents_by_environment ON documents (environment) WHERE environment IS NOT NULL;
CREATE INDEX documents_invalid ON documents (path) WHERE valid = 0;
CREATE TABLE unreadable (path TEXT PRIMARY KEY, blob TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE instances (
    digest TEXT PRIMARY KEY, bytes BLOB NOT NULL, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE instance_blobs (
    instance TEXT NOT NULL REFERENCES instances, blob TEXT NOT NULL REFERENCES blobs,
    PRIMARY KEY (instance, blob)
) STRICT, WITHOUT ROWID;
-- driver versions are immutable once an Instance of them was activated
CREATE TABLE drivers (
    name TEXT NOT NULL, version TEXT NOT NULL, files TEXT NOT NULL, PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE targets (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: what was done to a deleted one is not another's past
    cluster TEXT NOT NULL, environment TEXT NOT NULL, deployment TEXT NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 0,  -- git wants it (0: its delete is due or done)
    desired TEXT REFERENCES instances, desired_commit TEXT,
    policy TEXT NOT NULL DEFAULT '{}',  -- suspend depends_on deletion allow_downgrade labels, as of the last walk
    tainted INTEGER NOT NULL DEFAULT 0, tried TEXT REFERENCES instances,
    quarantined TEXT,                   -- desired digest that failed
    pinned TEXT REFERENCES instances, pin_request TEXT,
    suspended_until INTEGER, suspend_request TEXT,  -- NULL: not by hand; 9223372036854775807: until resume
    blocked TEXT,                       -- {"reason","message","remedy","kind","digest"} of the last walk
    unsettled INTEGER NOT NULL DEFAULT 0,
    UNIQUE (cluster, environment, deployment)
) STRICT;
CREATE INDEX targets_unsettled ON targets (id) WHERE unsettled = 1;
CREATE INDEX targets_unwanted ON targets (id) WHERE wanted = 0;
CREATE INDEX targets_by_deployment ON targets (environment, deployment);

CREATE TABLE inputs (
    target INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE,
    kind INTEGER NOT NULL, key TEXT NOT NULL, oid TEXT NOT NULL, PRIMARY KEY (target, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX inputs_by_key ON inputs (kind, key);

CREATE TABLE active (
    target INTEGER PRIMARY KEY REFERENCES targets ON DELETE CASCADE,
    instance TEXT NOT NULL REFERENCES instances, commit_oid TEXT NOT NULL, since INTEGER NOT NULL,
    remediation TEXT NOT NULL,
    driver TEXT, version TEXT, lifecycle TEXT -- as in the Instance ("web/2"), so that readers need not open it
) STRICT;

-- The inventory. place: "host" for all embedded host clusters of this machine, else the cluster's name.
CREATE TABLE resources (
    place TEXT NOT NULL, id TEXT NOT NULL,
    target INTEGER NOT NULL REFERENCES targets, component TEXT NOT NULL,
    instance TEXT NOT NULL REFERENCES instances, -- last applied from, or about to be
    filled TEXT,                                 -- keyed digest of content that has secrets
    PRIMARY KEY (place, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX resources_by_target ON resources (target);

CREATE TABLE run_states (
    target INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE, component TEXT NOT NULL,
    running INTEGER NOT NULL, PRIMARY KEY (target, component)
) STRICT, WITHOUT ROWID;

-- once: true
CREATE TABLE marks (
    target INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE, digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'done')), at INTEGER NOT NULL,
    PRIMARY KEY (target, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE remediations (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE,
    target INTEGER NOT NULL, cluster TEXT NOT NULL, environment TEXT NOT NULL, deployment TEXT NOT NULL,
    kind TEXT NOT NULL, from_instance TEXT, to_instance TEXT, digest TEXT NOT NULL,
    document TEXT NOT NULL,   -- the remediation as planned
    commit_oid TEXT NOT NULL, request TEXT, parent TEXT, -- parent: the failed one that a restore answers
    state TEXT NOT NULL CHECK (state IN ('planned','running','waiting','succeeded','failed','cancelled','superseded')),
    attempt INTEGER NOT NULL DEFAULT 1, due INTEGER, wait_reason TEXT, error TEXT, cancel INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER
) STRICT;
CREATE INDEX remediations_open ON remediations (state) WHERE state IN ('planned', 'running', 'waiting');
CREATE INDEX remediations_by_commit ON remediations (commit_oid);
CREATE INDEX remediations_by_target ON remediations (target, seq);

CREATE TABLE steps (
    remediation TEXT NOT NULL REFERENCES remediations ON DELETE CASCADE, attempt INTEGER NOT NULL, seq INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending','running','succeeded','failed','unknown','skipped')),
    token TEXT,               -- of its launcher, known before it starts
    started_at INTEGER, finished_at INTEGER, exit_status INTEGER, output TEXT, error TEXT,
    PRIMARY KEY (remediation, attempt, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, kind TEXT NOT NULL, target TEXT, arguments TEXT NOT NULL,
    actor TEXT NOT NULL, via TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')), answer TEXT, finished_at INTEGER
) STRICT;
CREATE INDEX requests_pending ON requests (seq) WHERE state = 'pending';

-- What lets a remediation pass, by its digest; request: who approved it, or the commit whose trailer covers its budget.
CREATE TABLE approvals (digest TEXT PRIMARY KEY, request TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE drift (
    target INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE, id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('drifted', 'missing', 'unknown')), diff TEXT NOT NULL,
    policy TEXT NOT NULL, flapping INTEGER NOT NULL DEFAULT 0, found_at INTEGER NOT NULL, PRIMARY KEY (target, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE heals (target INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX heals_by_id ON heals (target, id, at);

-- Hash-chained: hash = SHA-256 over the canonical JSON of the row with the previous hash in it.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, target TEXT, remediation TEXT, commit_oid TEXT,
    data TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_target ON events (target, seq);
CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM checkpoints)
BEGIN SELECT RAISE(ABORT, 'events above the checkpoint stay'); END;

-- Records as they stand, or will stand, in refs/notes/styrmin-records: the chain is over these.
CREATE TABLE records (
    seq INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, previous TEXT NOT NULL, commit_oid TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0, error TEXT, delivered_at INTEGER
) STRICT;
CREATE INDEX outbox_due ON outbox (due) WHERE delivered_at IS NULL;

PRAGMA user_version = 1;
