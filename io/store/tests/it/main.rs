//! Tests of the store from outside.

mod content;
mod damage;
mod faults;
mod lock;
mod store;
