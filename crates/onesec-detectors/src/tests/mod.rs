//! Every detector keeps the contract, and fires on what it is for and on nothing else.

mod contracts;
mod document;
mod hearsay;
mod innocent;
mod mandates;
mod rules;
mod scenarios;
