//! For detector authors: scenario runner, event builders and the contract every detector must keep.
