//! Windows against the naive model of them.

mod model;
