//! The plug: the trait a detector implements, and what it reports.
