-- The lake's tables, version 1. Instants are UTC with nanoseconds; `revision` counts the values a
-- bar has had, 0 being the first. One folder per symbol and timeframe.
CREATE TABLE lake.bars (
  symbol VARCHAR NOT NULL, timeframe VARCHAR NOT NULL, time TIMESTAMP_NS NOT NULL,
  open DOUBLE NOT NULL, high DOUBLE NOT NULL, low DOUBLE NOT NULL, close DOUBLE NOT NULL,
  volume DOUBLE, revision INTEGER NOT NULL, available_at TIMESTAMP_NS NOT NULL
);
ALTER TABLE lake.bars SET PARTITIONED BY (symbol, timeframe);
CALL lake.set_option('parquet_version', '2');
CALL lake.set_option('parquet_compression', 'zstd');
