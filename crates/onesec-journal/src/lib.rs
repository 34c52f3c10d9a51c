//! Durable records, ledger tables, snapshots and queries on SQLite.
