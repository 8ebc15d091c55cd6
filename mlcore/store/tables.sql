-- hub.sqlite, layout 2. Instants are int64 nanoseconds UTC, structures canonical JSON text,
-- feature values and daily series little-endian float64 (days: int64) blobs.
-- Append-only tables refuse UPDATE and DELETE by trigger (bottom of this file).

-- what was brought in ---------------------------------------------------------------------
CREATE TABLE IF NOT EXISTS symbols (
  symbol TEXT PRIMARY KEY, market TEXT NOT NULL, simulated INTEGER NOT NULL DEFAULT 0,
  set_at INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS imports (
  id INTEGER PRIMARY KEY, imported_at INTEGER NOT NULL, symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL, source TEXT NOT NULL, sha256 TEXT NOT NULL,
  options TEXT NOT NULL DEFAULT '{}', read INTEGER NOT NULL, added INTEGER NOT NULL,
  revised INTEGER NOT NULL, unchanged INTEGER NOT NULL, first INTEGER, last INTEGER,
  snapshot INTEGER, notes TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX IF NOT EXISTS imports_of ON imports (symbol, timeframe, id);

CREATE TABLE IF NOT EXISTS deletions (
  snapshot INTEGER PRIMARY KEY, deleted_at INTEGER NOT NULL, symbol TEXT NOT NULL,
  timeframe TEXT NOT NULL, rows INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS lake_files (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, sha256 TEXT NOT NULL
) STRICT;

-- the shadow log --------------------------------------------------------------------------
CREATE TABLE IF NOT EXISTS predictions (
  sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, recommendation_id TEXT,
  slot TEXT NOT NULL, version TEXT NOT NULL, version_hash TEXT, fold INTEGER NOT NULL,
  certificate_id TEXT, simulated INTEGER NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL,
  item TEXT NOT NULL, side INTEGER NOT NULL, horizon TEXT NOT NULL, trading_day INTEGER NOT NULL,
  decision_at INTEGER NOT NULL, due_at INTEGER NOT NULL, logged_at INTEGER NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('live', 'late', 'replay')),
  role TEXT NOT NULL CHECK (role IN ('champion', 'challenger', 'baseline')),
  available_cutoff INTEGER NOT NULL, features BLOB NOT NULL, feature_set TEXT NOT NULL,
  feature_hash TEXT NOT NULL, first_bar INTEGER, snapshot INTEGER, config_hash TEXT NOT NULL,
  code_hash TEXT NOT NULL, gate_hash TEXT, raw TEXT NOT NULL, probabilities TEXT NOT NULL,
  answer TEXT, value REAL, value_low REAL, value_high REAL, confidence REAL, level TEXT,
  threshold REAL, taken INTEGER, votes TEXT NOT NULL, regime TEXT, session TEXT,
  conformal TEXT NOT NULL, abstained INTEGER NOT NULL, abstained_why TEXT, novelty REAL,
  baselines TEXT NOT NULL, rule_signal TEXT, stop REAL, target REAL, cost_points REAL,
  cost_bp REAL, reasons TEXT NOT NULL, phase INTEGER NOT NULL, previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS predictions_once ON predictions
  (slot, version, fold, symbol, item, side, decision_at, (mode = 'replay'));
CREATE INDEX IF NOT EXISTS predictions_due ON predictions (due_at, sequence);
CREATE INDEX IF NOT EXISTS predictions_slot ON predictions (slot, mode, due_at);
CREATE INDEX IF NOT EXISTS predictions_recommendation ON predictions (recommendation_id);

CREATE TABLE IF NOT EXISTS outcomes (
  sequence INTEGER PRIMARY KEY, prediction_id TEXT NOT NULL REFERENCES predictions (id),
  revision INTEGER NOT NULL, settled_at INTEGER NOT NULL, known_at INTEGER, y REAL, answer TEXT,
  broke INTEGER, r_gross REAL, r_taken REAL, mfe REAL, mae REAL, exit_reason TEXT,
  snapshot INTEGER, details TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL,
  UNIQUE (prediction_id, revision)
) STRICT;

-- derived: the calls without an outcome, so that settling costs what is open, not what ever was
CREATE TABLE IF NOT EXISTS open_calls (
  sequence INTEGER PRIMARY KEY, due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS open_calls_due ON open_calls (due_at);
INSERT OR IGNORE INTO open_calls SELECT sequence, due_at FROM predictions p
  WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.prediction_id = p.id);
CREATE TRIGGER IF NOT EXISTS predictions_open AFTER INSERT ON predictions BEGIN
  INSERT INTO open_calls VALUES (NEW.sequence, NEW.due_at);
END;
CREATE TRIGGER IF NOT EXISTS outcomes_close AFTER INSERT ON outcomes BEGIN
  DELETE FROM open_calls
    WHERE sequence = (SELECT sequence FROM predictions WHERE id = NEW.prediction_id);
END;

CREATE TABLE IF NOT EXISTS seals (
  id INTEGER PRIMARY KEY, sealed_at INTEGER NOT NULL, chain TEXT NOT NULL
    CHECK (chain IN ('predictions', 'outcomes')),
  place TEXT NOT NULL, sequence INTEGER NOT NULL, hash TEXT NOT NULL
) STRICT;

-- models, their trials and who decided what -----------------------------------------------
CREATE TABLE IF NOT EXISTS ledger (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, slot TEXT NOT NULL, label TEXT NOT NULL,
  symbol TEXT NOT NULL, timeframe TEXT NOT NULL, kind TEXT NOT NULL
    CHECK (kind IN ('normal', 'tuning', 'placebo', 'baseline', 'look')),
  specification TEXT NOT NULL, specification_hash TEXT NOT NULL, fold INTEGER, seed INTEGER,
  run_id TEXT, scores TEXT NOT NULL DEFAULT '{}', error TEXT, days BLOB, returns BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_slot ON ledger (slot, kind, specification_hash);
CREATE INDEX IF NOT EXISTS ledger_family ON ledger (label, timeframe, kind, specification_hash);

CREATE TABLE IF NOT EXISTS certificates (
  id TEXT PRIMARY KEY, slot TEXT NOT NULL, set_id TEXT NOT NULL, code_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL, passed INTEGER NOT NULL, report TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS certificates_slot ON certificates (slot, created_at);

CREATE TABLE IF NOT EXISTS versions (
  slot TEXT NOT NULL, version TEXT NOT NULL, created_at INTEGER NOT NULL, model_kind TEXT,
  verdict TEXT, certificate_id TEXT NOT NULL, manifest_hash TEXT NOT NULL, bytes INTEGER NOT NULL,
  meta TEXT NOT NULL, PRIMARY KEY (slot, version)
) STRICT;

CREATE TABLE IF NOT EXISTS promotions (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, slot TEXT NOT NULL, version TEXT NOT NULL,
  act TEXT NOT NULL CHECK (act IN ('promote', 'roll_back', 'archive')), previous TEXT,
  reason TEXT NOT NULL, actor TEXT NOT NULL, certificate_id TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS promotions_slot ON promotions (slot, id);

CREATE TABLE IF NOT EXISTS phases (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, slot TEXT NOT NULL, version TEXT,
  phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 4), reason TEXT NOT NULL,
  actor TEXT NOT NULL, gate_hash TEXT, gate TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX IF NOT EXISTS phases_slot ON phases (slot, id);

-- work ------------------------------------------------------------------------------------
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, job_id TEXT, slot TEXT NOT NULL, specification TEXT NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER, state TEXT NOT NULL, version TEXT, error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS runs_slot ON runs (slot, started_at);

CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, arguments TEXT NOT NULL, state TEXT NOT NULL
    CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  submitted_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, pid INTEGER,
  pid_started REAL, cancel INTEGER NOT NULL DEFAULT 0, result TEXT, error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_recent ON jobs (submitted_at);
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state);

CREATE TABLE IF NOT EXISTS job_events (
  job_id TEXT NOT NULL REFERENCES jobs (id), seq INTEGER NOT NULL, at INTEGER NOT NULL,
  kind TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (job_id, seq)
) STRICT;

CREATE TABLE IF NOT EXISTS leases (
  name TEXT PRIMARY KEY, holder TEXT NOT NULL, token TEXT NOT NULL, host TEXT NOT NULL,
  pid INTEGER NOT NULL, pid_started REAL NOT NULL, acquired_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL, seconds REAL NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS metrics (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, name TEXT NOT NULL, value REAL NOT NULL,
  tags TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX IF NOT EXISTS metrics_name ON metrics (name, at);
