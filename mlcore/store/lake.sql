-- The lake's tables, version 1. Instants are UTC with nanoseconds; `revision` counts the values a
-- bar has had, 0 being the first. One file an import, so that a file's own minima and maxima tell
-- whose bars it holds.
CREATE TABLE lake.bars (
  symbol VARCHAR NOT NULL, timeframe VARCHAR NOT NULL, time TIMESTAMP_NS NOT NULL,
  open DOUBLE NOT NULL, high DOUBLE NOT NULL, low DOUBLE NOT NULL, close DOUBLE NOT NULL,
  volume DOUBLE, revision INTEGER NOT NULL, available_at TIMESTAMP_NS NOT NULL
);
CALL lake.set_option('parquet_version', '2');
